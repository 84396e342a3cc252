import { assert } from "../base/assert.ts";
import type { NextBytes } from "../base/byte_source.ts";
import { unpredictableBytes } from "../platform/cipher.ts";
import { makeHeader } from "./header.ts";
import { CHUNK_BYTES, PAYLOAD_NONCE_BYTES, PayloadCipher, SEALED_CHUNK_BYTES } from "./payload.ts";
import type { AgeRecipients } from "./recipients.ts";

/** The bytes encrypted, in age's binary format. Each array is reused by the next call; two chunks are in memory. */
export function encrypt(next: NextBytes, recipients: AgeRecipients): NextBytes {
  assert(recipients.count > 0, "whoever encrypts does so to somebody");
  const encryption = new Encryption(next, recipients);
  return () => encryption.next();
}

class Encryption {
  readonly #source: NextBytes;
  readonly #recipients: AgeRecipients;
  readonly #plain = new Uint8Array(CHUNK_BYTES);
  readonly #sealed = new Uint8Array(SEALED_CHUNK_BYTES);
  /** What the source gave last and no chunk holds yet. */
  #rest: Uint8Array = new Uint8Array(0);
  #filled = 0;
  #cipher: PayloadCipher | undefined;
  #chunks = 0;
  #ended = false;

  constructor(source: NextBytes, recipients: AgeRecipients) {
    this.#source = source;
    this.#recipients = recipients;
  }

  async next(): Promise<Uint8Array> {
    if (this.#ended) return this.#sealed.subarray(0, 0);
    if (this.#cipher === undefined) return await this.#begin();
    const isLast = await this.#fill();
    const length = this.#cipher.seal(this.#chunks, isLast, this.#plain.subarray(0, this.#filled), this.#sealed);
    this.#chunks++;
    this.#filled = 0;
    this.#ended = isLast;
    return this.#sealed.subarray(0, length);
  }

  async #begin(): Promise<Uint8Array> {
    const { header, fileKey } = await makeHeader(this.#recipients);
    const nonce = unpredictableBytes(PAYLOAD_NONCE_BYTES);
    this.#cipher = new PayloadCipher(fileKey, nonce);
    const beginning = new Uint8Array(header.length + nonce.length);
    beginning.set(header);
    beginning.set(nonce, header.length);
    return beginning;
  }

  /** Whether what is now filled is the last chunk: a full one is only when the source has no more. */
  async #fill(): Promise<boolean> {
    for (;;) {
      if (this.#rest.length === 0) this.#rest = await this.#source();
      if (this.#rest.length === 0) return true;
      if (this.#filled === CHUNK_BYTES) return false;
      const taken = this.#rest.subarray(0, CHUNK_BYTES - this.#filled);
      this.#plain.set(taken, this.#filled);
      this.#filled += taken.length;
      this.#rest = this.#rest.subarray(taken.length);
    }
  }
}
