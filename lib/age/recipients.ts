import { readKeys, RECIPIENT } from "./key_lines.ts";
import { type Encrypter, loadAge } from "./library.ts";

/** Those who can decrypt what is encrypted: one or more X25519 recipients. */
export class AgeRecipients {
  /** Hidden too: they are public, and nobody needs to know who can read. */
  readonly #keys: readonly string[];

  private constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** Of texts with one recipient a line, `#` comments and blank lines. */
  static async parse(texts: readonly string[]): Promise<AgeRecipients> {
    const { Encrypter } = await loadAge();
    return new AgeRecipients(readKeys(texts, RECIPIENT, (key) => new Encrypter().addRecipient(key)));
  }

  get count(): number {
    return this.#keys.length;
  }

  addTo(encrypter: Encrypter): void {
    for (const key of this.#keys) encrypter.addRecipient(key);
  }
}
