/**
 * The run-time's own ciphers, native and synchronous. Keys and nonces come from the system's source of chance alone,
 * never from one that a test can seed.
 */
import { node } from "./node_modules.ts";

const CIPHER = "chacha20-poly1305";
/** ChaCha20-Poly1305 adds so much behind what it encrypts. */
export const TAG_BYTES = 16;

/** Encrypts into `into`, tag last; returns the bytes written. */
export function seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, into: Uint8Array): number {
  const cipher = node.crypto.createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  move(cipher.update(plain), into);
  cipher.final();
  into.set(cipher.getAuthTag(), plain.length);
  return plain.length + TAG_BYTES;
}

/**
 * Decrypts into `into`; returns the bytes written. When these bytes were not sealed with that key and nonce it returns
 * undefined and leaves `into` as it was.
 */
export function unseal(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  into: Uint8Array,
): number | undefined {
  const plainBytes = sealed.length - TAG_BYTES;
  if (plainBytes < 0) return undefined;
  const decipher = node.crypto.createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(plainBytes));
  const plain = decipher.update(sealed.subarray(0, plainBytes));
  try {
    decipher.final();
  } catch {
    return undefined; // The only thing that final() can find wrong is the tag.
  }
  move(plain, into);
  return plainBytes;
}

/** The run-time encrypts into arrays of its own, of which the collector lets 70 MB pile up; hence they are freed here. */
function move(from: Uint8Array, into: Uint8Array): void {
  into.set(from);
  const { buffer } = from;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === from.length) buffer.transfer(0);
}

export function hkdfSha256(secret: Uint8Array, salt: Uint8Array, label: string, length: number): Uint8Array {
  return new Uint8Array(node.crypto.hkdfSync("sha256", secret, salt, label, length));
}

export function unpredictableBytes(length: number): Uint8Array {
  return node.crypto.randomBytes(length);
}
