import { assert } from "../base/assert.ts";
import type { Secret } from "../base/secret.ts";
import { IDENTITY, readKeys } from "./key_lines.ts";
import { type Decrypter, loadAge } from "./library.ts";

const ZEROS = "A".repeat(41);
/** Well-formed; its share is the base point of the curve, its body and its HMAC are nothing. */
const HEADER_OF_NOBODY = `age-encryption.org/v1\n-> X25519 CQ${ZEROS}\nAA${ZEROS}\n--- AA${ZEROS}\n`;

/** No identity fits the header, which is otherwise as it should be. */
export class NoIdentityFits extends Error {
  override readonly name = "NoIdentityFits";
}

/** X25519 identities, held where neither inspection nor JSON can see them. */
export class AgeIdentities {
  readonly #decryptHeader: (header: Uint8Array) => Promise<Uint8Array>;

  private constructor(readonly count: number, decryptHeader: (header: Uint8Array) => Promise<Uint8Array>) {
    this.#decryptHeader = decryptHeader;
  }

  /** Of texts with one identity a line, `#` comments and blank lines, as `age-keygen` writes them. */
  static async parse(texts: readonly Secret[]): Promise<AgeIdentities> {
    const { Decrypter } = await loadAge();
    const decrypter = new Decrypter();
    let count = 0;
    try {
      count = readKeys(texts.map((text) => text.reveal()), IDENTITY, (key) => decrypter.addIdentity(key)).length;
    } finally {
      await settle(decrypter);
    }
    return new AgeIdentities(count, (header) => decrypter.decryptHeader(header));
  }

  /** The file key; throws `NoIdentityFits`, or an error of the library when the header is not as it should be. */
  decryptHeader(header: Uint8Array): Promise<Uint8Array> {
    return this.#decryptHeader(header);
  }
}

/**
 * Closes the list of identities, and asks them all once: the library begins to compute with an identity when it is given
 * one, and whoever awaits an answer of it has awaited that.
 */
async function settle(decrypter: Decrypter): Promise<void> {
  // They are asked in order, and this one only when the header was understood and all others have passed.
  decrypter.addIdentity({
    unwrapFileKey: () => {
      throw new NoIdentityFits();
    },
  });
  try {
    await decrypter.decryptHeader(new TextEncoder().encode(HEADER_OF_NOBODY));
  } catch (error) {
    assert(error instanceof NoIdentityFits, "no identity fits a header of nobody");
  }
}
