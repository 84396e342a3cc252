import type { StoredBytes } from "../base/byte_source.ts";
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { TAG_BYTES } from "../platform/cipher.ts";
import { findHeader, looksEncrypted, openHeader } from "./header.ts";
import type { AgeIdentities } from "./identities.ts";
import {
  CHUNK_BYTES,
  PAYLOAD_NONCE_BYTES,
  PayloadCipher,
  type PayloadShape,
  SEALED_CHUNK_BYTES,
  shapeOf,
} from "./payload.ts";

const CHUNKS_PER_READ = limits.transferBytes / CHUNK_BYTES;

/**
 * What an age object holds, readable at any place: only the chunks that are needed are read and decrypted. Its last chunk
 * is decrypted at once, so that the size is true before anybody asks for it. `description` completes "Cannot decrypt".
 */
export async function openAge(
  source: StoredBytes,
  identities: AgeIdentities,
  description: string,
): Promise<StoredBytes> {
  const ciphertext = new Ciphertext(source, description);
  const header = await ciphertext.readHeader();
  if (identities.count === 0) {
    throw new ReplicationError(
      "config-invalid",
      `Cannot decrypt ${description}: it is encrypted with age, and there is no identity`,
      { advice: "add the identity that belongs to one of the recipients it was encrypted to" },
    );
  }
  const fileKey = await openHeader(header, identities, description);
  const payloadAt = header.length + PAYLOAD_NONCE_BYTES;
  const shape = shapeOf(source.sizeBytes - payloadAt);
  if (shape === undefined) throw ciphertext.damaged("its end is missing");
  const nonce = await ciphertext.read(header.length, PAYLOAD_NONCE_BYTES);
  const object = new AgeObject(ciphertext, new PayloadCipher(fileKey, nonce), payloadAt, shape);
  await object.checkEnd();
  return object;
}

/** The object as it is stored; what was read first is kept, since it is the whole of a small one. */
class Ciphertext {
  readonly #source: StoredBytes;
  readonly #description: string;
  #beginning = new Uint8Array(0);

  constructor(source: StoredBytes, description: string) {
    this.#source = source;
    this.#description = description;
  }

  damaged(problem: string): ReplicationError {
    return new ReplicationError("corrupt", `Cannot decrypt ${this.#description}: ${problem}`);
  }

  async readHeader(): Promise<Uint8Array> {
    const { sizeBytes } = this.#source;
    this.#beginning = await this.read(0, Math.min(sizeBytes, limits.ageFirstReadBytes));
    if (!looksEncrypted(this.#beginning)) throw this.damaged("it is not encrypted with age");
    const header = findHeader(this.#beginning);
    if (header !== undefined) return header;
    const longer = findHeader(await this.read(0, Math.min(sizeBytes, limits.ageHeaderMaxBytes)));
    if (longer !== undefined) return longer;
    throw this.damaged("its age header has no end");
  }

  /** So many bytes, which must be there; in `into` unless they were read before. */
  async read(at: number, length: number, into = new Uint8Array(length)): Promise<Uint8Array<ArrayBuffer>> {
    if (at + length <= this.#beginning.length) return this.#beginning.subarray(at, at + length);
    const wanted = into.subarray(0, length);
    const found = await this.#source.read(at, wanted);
    if (found === length) return wanted;
    throw this.damaged(`it ends at byte ${at + found} (it should have ${this.#source.sizeBytes} bytes)`);
  }
}

class AgeObject implements StoredBytes {
  readonly sizeBytes: number;
  readonly #ciphertext: Ciphertext;
  readonly #cipher: PayloadCipher;
  readonly #payloadAt: number;
  readonly #chunks: number;
  /** Chunks of which a read took only a part, the one used last at the end. */
  readonly #kept = new Map<number, Uint8Array<ArrayBuffer>>();
  /** For sealed chunks; undefined while a read uses it, and another that meets it so makes its own. */
  #buffer: Uint8Array<ArrayBuffer> | undefined;

  constructor(ciphertext: Ciphertext, cipher: PayloadCipher, payloadAt: number, shape: PayloadShape) {
    this.#ciphertext = ciphertext;
    this.#cipher = cipher;
    this.#payloadAt = payloadAt;
    this.#chunks = shape.chunks;
    this.sizeBytes = shape.plainBytes;
  }

  /** Keeps the last chunk, which is the last one in truth and not only where the object ends. */
  async checkEnd(): Promise<void> {
    const number = this.#chunks - 1;
    await this.#readSealed(number, 1, (sealed) => this.#keep(number, sealed));
  }

  async read(at: number, into: Uint8Array): Promise<number> {
    const end = Math.min(this.sizeBytes, at + into.length);
    let position = at;
    const take = (plain: Uint8Array, chunkAt: number) => {
      const part = plain.subarray(position - chunkAt, end - chunkAt);
      into.set(part, position - at);
      position += part.length;
    };
    while (position < end) {
      const first = Math.floor(position / CHUNK_BYTES);
      const kept = this.#kept.get(first);
      if (kept !== undefined) {
        this.#remember(first, kept);
        take(kept, first * CHUNK_BYTES);
        continue;
      }
      await this.#readSealed(first, this.#countMissing(first, end), (sealed, number) => {
        const chunkAt = number * CHUNK_BYTES;
        const chunkEnd = chunkAt + sealed.length - TAG_BYTES;
        if (position > chunkAt || chunkEnd > end) return take(this.#keep(number, sealed), chunkAt);
        this.#unseal(number, sealed, into.subarray(chunkAt - at));
        position = chunkEnd;
      });
    }
    return Math.max(0, position - at);
  }

  /** How many chunks from this one on must be read for a read up to `end`, as many as one read of the object may fetch. */
  #countMissing(first: number, end: number): number {
    const most = Math.min(Math.ceil(end / CHUNK_BYTES) - first, CHUNKS_PER_READ);
    let count = 1;
    while (count < most && !this.#kept.has(first + count)) count++;
    return count;
  }

  async #readSealed(first: number, count: number, use: (sealed: Uint8Array, number: number) => void): Promise<void> {
    const buffer = this.#buffer ?? new Uint8Array(Math.min(this.#chunks, CHUNKS_PER_READ) * SEALED_CHUNK_BYTES);
    this.#buffer = undefined;
    try {
      const missing = first + count === this.#chunks ? this.#chunks * CHUNK_BYTES - this.sizeBytes : 0;
      const at = this.#payloadAt + first * SEALED_CHUNK_BYTES;
      const sealed = await this.#ciphertext.read(at, count * SEALED_CHUNK_BYTES - missing, buffer);
      for (let i = 0; i < count; i++) {
        use(sealed.subarray(i * SEALED_CHUNK_BYTES, (i + 1) * SEALED_CHUNK_BYTES), first + i);
      }
    } finally {
      this.#buffer = buffer;
    }
  }

  #unseal(number: number, sealed: Uint8Array, into: Uint8Array): void {
    const isLast = number === this.#chunks - 1;
    if (this.#cipher.unseal(number, isLast, sealed, into) !== undefined) return;
    if (isLast && this.#cipher.unseal(number, false, sealed, new Uint8Array(CHUNK_BYTES)) !== undefined) {
      throw this.#ciphertext.damaged(`it was cut behind chunk ${number + 1} (more must follow)`);
    }
    const orCut = isLast ? " or cut" : "";
    throw this.#ciphertext.damaged(`chunk ${number + 1} of ${this.#chunks} is damaged${orCut}`);
  }

  /** Decrypts a chunk to where it stays for the next reads, in the place of the one that was not used for longest. */
  #keep(number: number, sealed: Uint8Array): Uint8Array {
    const [oldest] = this.#kept.size < limits.ageChunksKept ? [] : this.#kept;
    const buffer = oldest === undefined ? new ArrayBuffer(Math.min(this.sizeBytes, CHUNK_BYTES)) : oldest[1].buffer;
    const plain = new Uint8Array(buffer, 0, sealed.length - TAG_BYTES);
    this.#unseal(number, sealed, plain);
    if (oldest !== undefined) this.#kept.delete(oldest[0]);
    this.#remember(number, plain);
    return plain;
  }

  #remember(number: number, plain: Uint8Array<ArrayBuffer>): void {
    this.#kept.delete(number);
    this.#kept.set(number, plain);
  }
}
