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
  #pieces: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  /** Decoded bytes that stand before `#piece`, and the piece that was decoded last. */
  #before = 0;
  #piece: Uint8Array = new Uint8Array(0);
  #sizeBytes: number | undefined;

  constructor(stored: StoredBytes, name: string) {
    this.#stored = stored;
    this.#name = name;
  }

  async read(at: number, into: Uint8Array): Promise<number> {
    if (at < this.#before) await this.#restart();
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
    this.#pieces?.cancel().catch(() => {}); // Nobody reads on; what stops it is of no interest.
  }

  async #advance(): Promise<boolean> {
    this.#pieces ??= this.#decode().getReader();
    try {
      const { done, value } = await this.#pieces.read();
      this.#before += this.#piece.length;
      this.#piece = value ?? new Uint8Array(0);
      if (done) this.#sizeBytes = this.#before;
      return !done;
    } catch (error) {
      if (error instanceof ReplicationError) throw error;
      throw new ReplicationError("corrupt", `Cannot read ${this.#name}: ${messageOf(error)}`, { cause: error });
    }
  }

  async #restart(): Promise<void> {
    await this.#pieces?.cancel();
    this.#pieces = undefined;
    this.#before = 0;
    this.#piece = new Uint8Array(0);
  }

  #decode(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const stored = this.#stored;
    let at = 0;
    const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        const buffer = new Uint8Array(Math.min(PIECE_BYTES, Math.max(1, stored.sizeBytes - at)));
        const got = await stored.read(at, buffer);
        at += got;
        if (got > 0) controller.enqueue(buffer.subarray(0, got));
        else controller.close();
      },
    });
    return source.pipeThrough(new DecompressionStream("gzip"));
  }
}
