/**
 * Content of a gzip file, which can only be decoded from its start: going back begins anew. What is decoded is never more than
 * the file says at its end. In memory are the bytes that one small piece of the file stands for, and, once it was gone back,
 * some more of what was decoded before them: a restore reads WAL from its end.
 */
import type { ByteSource, StoredBytes } from "../base/byte_source.ts";
import { viewOf } from "../base/bytes.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";

/** Read at once; and decoded at once, with all that it stands for. */
const READ_BYTES = 256 << 10;
const PIECE_BYTES = 4 << 10;
/** Of the content before what was decoded last, for who reads backwards. */
const BACKWARD_BYTES = 32 << 20;
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

export function openGzip(stored: StoredBytes, name: string, backwardBytes = BACKWARD_BYTES): GzipContent {
  return new GzipReader(stored, name, backwardBytes);
}

/** Decoded at once. */
interface Piece {
  /** Where it begins in the content. */
  readonly at: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

class GzipReader implements GzipContent {
  readonly #stored: StoredBytes;
  readonly #name: string;
  readonly #backwardBytes: number;
  #decoding: Decoding | undefined;
  /** What was decoded last, one behind the other. */
  #pieces: Piece[] = [];
  #decodedBytes = 0;
  /** Who goes back once most likely reads backwards. */
  #isBackward = false;
  #sizeBytes: number | undefined;
  #mostBytes: number | undefined;

  constructor(stored: StoredBytes, name: string, backwardBytes: number) {
    this.#stored = stored;
    this.#name = name;
    this.#backwardBytes = backwardBytes;
  }

  async read(at: number, into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const wanted = at + filled;
      if (wanted < (this.#pieces[0]?.at ?? 0)) this.#goBack();
      const piece = this.#pieceOf(wanted);
      if (piece !== undefined) {
        const bytes = piece.bytes.subarray(wanted - piece.at, wanted - piece.at + into.length - filled);
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
    this.#forget();
  }

  /** Undefined where nothing was decoded yet. Many are kept where each is small. */
  #pieceOf(at: number): Piece | undefined {
    if (at >= this.#decodedBytes) return undefined;
    let [first, end] = [0, this.#pieces.length];
    while (end - first > 1) {
      const middle = (first + end) >>> 1;
      if ((this.#pieces[middle]?.at ?? 0) <= at) first = middle;
      else end = middle;
    }
    return this.#pieces[first];
  }

  /** Whether there was more. */
  async #advance(): Promise<boolean> {
    const decoding = this.#decoding ??= new Decoding(this.#stored);
    const mostBytes = this.#mostBytes ??= await this.#claimedBytes();
    try {
      const bytes = await decoding.next();
      if (bytes === undefined) {
        this.#sizeBytes = this.#decodedBytes;
        return false;
      }
      this.#pieces.push({ at: this.#decodedBytes, bytes });
      this.#decodedBytes += bytes.length;
      if (this.#decodedBytes > mostBytes) {
        const problem = `it holds more than the ${mostBytes} bytes that its end claims`;
        throw new ReplicationError("corrupt", `Cannot read ${this.#name}: ${problem}`);
      }
      this.#letGo();
      return true;
    } catch (error) {
      this.#restart(); // A piece may have been lost.
      if (error instanceof ReplicationError) throw error;
      throw new ReplicationError("corrupt", `Cannot read ${this.#name}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** All but the last, and as much before it as who reads backwards comes to next. */
  #letGo(): void {
    const keptBytes = this.#isBackward ? this.#backwardBytes : 0;
    while (this.#pieces.length > 1 && this.#decodedBytes - (this.#pieces[1]?.at ?? 0) >= keptBytes) {
      free(this.#pieces.shift());
    }
  }

  #forget(): void {
    for (const piece of this.#pieces.splice(0)) free(piece);
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

  #goBack(): void {
    this.#isBackward = true;
    this.#restart();
  }

  #restart(): void {
    this.#decoding?.end();
    this.#decoding = undefined;
    this.#decodedBytes = 0;
    this.#forget();
  }
}

/** At once: a piece is far larger than the object that holds it, so the collector would let many of them gather. */
function free(piece: Piece | undefined): void {
  piece?.bytes.buffer.transfer(0);
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
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
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
