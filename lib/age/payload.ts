/**
 * What stands behind the header of an age object (age-encryption.org/v1, "Payload"):
 *
 *    0  nonce, 16 random bytes; the payload key is HKDF-SHA-256(file key, salt = nonce, info = "payload")
 *   16  chunks of 64 KiB, the last one shorter or as long, each ChaCha20-Poly1305 with its tag of 16 bytes behind it
 *
 * The 12 bytes of a chunk's nonce are its number, big-endian in 11, and 1 when it is the last one, else 0. Only a payload
 * of nothing has an empty chunk. Hence the size of the ciphertext alone says how many chunks there are, and that the
 * chunk which should be the last one unseals as such says that it is true.
 */
import { viewOf } from "../base/bytes.ts";
import { hkdfSha256, seal, TAG_BYTES, unseal } from "../platform/cipher.ts";

export const PAYLOAD_NONCE_BYTES = 16;
export const CHUNK_BYTES = 64 << 10;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;

const KEY_BYTES = 32;
const CHUNK_NONCE_BYTES = 12;
const NUMBER_LOW_AT = 7; // The number's lowest 4 bytes; 4 more before them are enough for every safe integer.
const NUMBER_HIGH_AT = 3;
const LAST_AT = 11;

export interface PayloadShape {
  readonly chunks: number;
  readonly plainBytes: number;
}

/** What so many bytes of sealed chunks hold; undefined when no payload has that size. */
export function shapeOf(sealedBytes: number): PayloadShape | undefined {
  const chunks = Math.ceil(sealedBytes / SEALED_CHUNK_BYTES);
  const lastBytes = sealedBytes - (chunks - 1) * SEALED_CHUNK_BYTES - TAG_BYTES;
  const isPossible = chunks === 1 ? lastBytes >= 0 : chunks > 1 && lastBytes > 0;
  return isPossible ? { chunks, plainBytes: sealedBytes - chunks * TAG_BYTES } : undefined;
}

/** The cipher of one payload; keeps nothing between chunks. */
export class PayloadCipher {
  readonly #key: Uint8Array;

  constructor(fileKey: Uint8Array, nonce: Uint8Array) {
    this.#key = hkdfSha256(fileKey, nonce, "payload", KEY_BYTES);
  }

  /** Returns the bytes written to `into`. */
  seal(number: number, isLast: boolean, plain: Uint8Array, into: Uint8Array): number {
    return seal(this.#key, chunkNonce(number, isLast), plain, into);
  }

  /** The same; undefined, with `into` as it was, when it is not that chunk of this payload. */
  unseal(number: number, isLast: boolean, sealed: Uint8Array, into: Uint8Array): number | undefined {
    return unseal(this.#key, chunkNonce(number, isLast), sealed, into);
  }
}

function chunkNonce(number: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(CHUNK_NONCE_BYTES);
  const view = viewOf(nonce);
  view.setUint32(NUMBER_HIGH_AT, Math.floor(number / 2 ** 32));
  view.setUint32(NUMBER_LOW_AT, number % 2 ** 32);
  view.setUint8(LAST_AT, isLast ? 1 : 0);
  return nonce;
}
