/**
 * Content of a gzip file, which can only be decoded from its start: going back begins anew. What is decoded is never more than
 * the file says at its end, and in memory are only the bytes that one small piece of the file stands for.
 */
import type { ByteSource, StoredBytes } from "../base/byte_source.ts";
import { viewOf } from "../base/bytes.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";

/** Read at once; and decoded at once, with all that it stands for. */
const READ_BYTES = 256 << 10;
const PIECE_BYTES = 4 << 10;
/** As many bytes as one stored byte can stand for. */
const EXPANSION_MAX = 1_032;
/** The file ends with the size of its content, modulo 2^32. */
const SIZE_BYTES = 4;
const WORD = 2 ** 32;

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
  #mostBytes: number | undefined;

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
    const mostBytes = this.#mostBytes ??= await this.#claimedBytes();
    try {
      const piece = await decoding.next();
      this.#before += this.#piece.length;
      this.#piece = piece ?? new Uint8Array(0);
      if (this.#before + this.#piece.length > mostBytes) {
        const problem = `it holds more than the ${mostBytes} bytes that its end claims`;
        throw new ReplicationError("corrupt", `Cannot read ${this.#name}: ${problem}`);
      }
      if (piece === undefined) this.#sizeBytes = this.#before;
      return piece !== undefined;
    } catch (error) {
      this.#restart(); // A piece may have been lost.
      if (error instanceof ReplicationError) throw error;
      throw new ReplicationError("corrupt", `Cannot read ${this.#name}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** The largest size that the end of the file can mean. */
  async #claimedBytes(): Promise<number> {
    const { sizeBytes } = this.#stored;
    if (sizeBytes < SIZE_BYTES) return 0;
    const end = new Uint8Array(SIZE_BYTES);
    if (await this.#stored.read(sizeBytes - SIZE_BYTES, end) < SIZE_BYTES) return 0;
    const claimed = viewOf(end).getUint32(0, true);
    return claimed + Math.floor(Math.max(0, sizeBytes * EXPANSION_MAX - claimed) / WORD) * WORD;
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
  /** Read and not yet fed. */
  #rest = new Uint8Array(0);
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
    if (this.#rest.length === 0) {
      const buffer = new Uint8Array(Math.min(READ_BYTES, Math.max(1, this.#stored.sizeBytes - this.#at)));
      this.#rest = buffer.subarray(0, await this.#stored.read(this.#at, buffer));
      this.#at += this.#rest.length;
    }
    const piece = this.#rest.subarray(0, PIECE_BYTES);
    this.#rest = this.#rest.subarray(piece.length);
    this.#isAllFed = piece.length === 0;
    (piece.length > 0 ? this.#fed.write(piece) : this.#fed.close()).catch(() => {}); // The next piece tells.
  }
}
