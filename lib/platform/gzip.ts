/** Content of a gzip file, which can only be decoded from its start: going back begins anew. */
import type { ByteSource, StoredBytes } from "../base/byte_source.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";

const PIECE_BYTES = 256 << 10;

export interface GzipContent extends ByteSource {
  size(): Promise<number>;
  verify(): Promise<void>;
  close(): void;
}

export function openGzip(stored: StoredBytes, name: string): GzipContent {
  return new GzipReader(stored, name);
}

class GzipReader implements GzipContent {
  readonly #stored: StoredBytes;
  readonly #name: string;
  #decoding: Decoding | undefined;
  /** Decoded bytes that stand before `#piece`, and the piece that was decoded last. */
  #before = 0;
  #piece: Uint8Array = new Uint8Array(0);
  #sizeBytes: number | undefined;

  constructor(stored: StoredBytes, name: string) {
    this.#stored = stored;
    this.#name = name;
  }

  async read(at: number, into: Uint8Array): Promise<number> {
    if (at < this.#before) this.#restart();
    let filled = 0;
    while (filled < into.length) {
      const wanted = at + filled;
      const inPiece = wanted - this.#before;
      if (inPiece < this.#piece.length) {
        const bytes = this.#piece.subarray(inPiece, inPiece + into.length - filled);
        into.set(bytes, filled);
        filled += bytes.length;
      } else if (!await this.#advance()) break;
    }
    return filled;
  }

  async size(): Promise<number> {
    while (this.#sizeBytes === undefined) await this.#advance();
    return this.#sizeBytes;
  }

  /** The sum at the end is checked by whoever reaches it. */
  async verify(): Promise<void> {
    await this.size();
  }

  close(): void {
    this.#decoding?.end();
  }

  async #advance(): Promise<boolean> {
    const decoding = this.#decoding ??= new Decoding(this.#stored);
    try {
      const piece = await decoding.next();
      this.#before += this.#piece.length;
      this.#piece = piece ?? new Uint8Array(0);
      if (piece === undefined) this.#sizeBytes = this.#before;
      return piece !== undefined;
    } catch (error) {
      this.#restart(); // A piece may have been lost.
      if (error instanceof ReplicationError) throw error;
      throw new ReplicationError("corrupt", `Cannot read ${this.#name}: ${messageOf(error)}`, { cause: error });
    }
  }

  #restart(): void {
    this.#decoding?.end();
    this.#decoding = undefined;
    this.#before = 0;
    this.#piece = new Uint8Array(0);
  }
}

/** Reads only while it is asked for the next piece, so that nothing is under way when its file is closed. */
class Decoding {
  readonly #stored: StoredBytes;
  readonly #pieces: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #fed: WritableStreamDefaultWriter<BufferSource>;
  #at = 0;
  #isAllFed = false;

  constructor(stored: StoredBytes) {
    const stream = new DecompressionStream("gzip");
    this.#stored = stored;
    this.#pieces = stream.readable.getReader();
    this.#fed = stream.writable.getWriter();
    this.#fed.closed.catch(() => {}); // Whoever asks for the next piece hears of it.
  }

  /** Undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    let isDecoded = false;
    const piece = this.#pieces.read().finally(() => isDecoded = true);
    piece.catch(() => {}); // It is awaited below, unless nothing can be fed.
    while (!isDecoded && !this.#isAllFed) {
      await Promise.race([piece, this.#fed.ready]);
      if (!isDecoded) await this.#feed();
    }
    return (await piece).value;
  }

  end(): void {
    this.#pieces.cancel().catch(() => {}); // Nobody reads on; what stops it is of no interest.
  }

  async #feed(): Promise<void> {
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, Math.max(1, this.#stored.sizeBytes - this.#at)));
    const got = await this.#stored.read(this.#at, buffer);
    this.#at += got;
    this.#isAllFed = got === 0;
    (got > 0 ? this.#fed.write(buffer.subarray(0, got)) : this.#fed.close()).catch(() => {}); // The next piece tells.
  }
}
