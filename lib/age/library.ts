/** The doorway to `age-encryption`, which takes some 20 ms to load and is therefore loaded when it is first needed. */
import type * as Library from "age-encryption";

export type { Decrypter, Encrypter } from "age-encryption";

export function loadAge(): Promise<typeof Library> {
  return import("age-encryption");
}
