import { programPath } from "./programs.ts";

export interface AgeKeyPair {
  readonly identity: string;
  readonly recipient: string;
}

/** A pair of X25519 keys, fresh from `age-keygen`. */
export async function newAgeKeys(): Promise<AgeKeyPair> {
  const { stdout } = await new Deno.Command(programPath("age-keygen"), { stderr: "null" }).output();
  const text = new TextDecoder().decode(stdout);
  const identity = /^AGE-SECRET-KEY-\w+$/m.exec(text)?.[0];
  const recipient = /^# public key: (age1\w+)$/m.exec(text)?.[1];
  if (identity !== undefined && recipient !== undefined) return { identity, recipient };
  throw new Error(`"age-keygen" gave no keys:\n${text}`);
}
