/**
 * A transaction that no application wrote: pages that differ, the database's size on the last frame. In a WAL of its own,
 * with sequence 0, random salts and checksums of little-endian words, or behind the frames of another; every SQLite replays
 * it. A page may come more than once: the last one counts.
 */
import { viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { type Checksum, RunningChecksum } from "./checksum.ts";
import {
  COMMIT_SIZE_AT,
  FRAME_CHECKSUM_AT,
  FRAME_HEADER_SIZE,
  FRAME_SALT_AT,
  frameSize,
  PAGE_NUMBER_AT,
  SUMMED_HEADER_SIZE,
} from "./frame.ts";
import { formatWalHeader, parseWalHeader, type WalHeader } from "./header.ts";

/** The header of a WAL of its own, by 8 random bytes. */
export function syntheticHeader(pageSize: number, salts: Uint8Array): WalHeader {
  const view = viewOf(salts);
  const salt = { salt1: view.getUint32(0), salt2: view.getUint32(4) };
  const parsed = parseWalHeader(formatWalHeader({ pageSize, littleEndian: true, sequence: 0, salt }));
  if (!parsed.ok) throw new Error(`A header of ours is none: ${parsed.reason}`);
  return parsed.header;
}

export class SyntheticWal {
  readonly header: WalHeader;
  readonly #pageSize: number;
  readonly #write: (afterFrames: number, frames: Uint8Array) => void;
  readonly #buffer: Uint8Array;
  readonly #view: DataView;
  readonly #chain = new RunningChecksum();
  #written = 0;
  #waiting = 0;

  /** `write` is given whole frames in order, after so many others of this transaction; the bytes are reused after it. */
  constructor(
    header: WalHeader,
    chain: Checksum,
    write: (afterFrames: number, frames: Uint8Array) => void,
  ) {
    const { pageSize } = header;
    this.header = header;
    this.#pageSize = pageSize;
    this.#write = write;
    this.#buffer = new Uint8Array(
      Math.max(1, Math.floor(limits.transferBytes / frameSize(pageSize))) * frameSize(pageSize),
    );
    this.#view = viewOf(this.#buffer);
    this.#chain.set(chain);
  }

  get frames(): number {
    return this.#written + this.#waiting;
  }

  /** The bytes of a page; they are copied. */
  add(page: number, content: Uint8Array): void {
    const size = frameSize(this.#pageSize);
    if ((this.#waiting + 1) * size > this.#buffer.length) this.#flush(0);
    const at = this.#waiting++ * size;
    this.#view.setUint32(at + PAGE_NUMBER_AT, page);
    this.#buffer.set(content, at + FRAME_HEADER_SIZE);
  }

  /** Ends the transaction; what the chain's sums are after it. At least one page was added. */
  finish(
    databasePages: number,
  ): { readonly frames: number; readonly checksum: Checksum; readonly databasePages: number } {
    this.#flush(databasePages);
    return { frames: this.#written, checksum: this.#chain.value(), databasePages };
  }

  #flush(commitSize: number): void {
    const size = frameSize(this.#pageSize);
    const end = this.#waiting * size;
    for (let at = 0; at < end; at += size) {
      this.#view.setUint32(at + COMMIT_SIZE_AT, at + size === end ? commitSize : 0);
      this.#view.setUint32(at + FRAME_SALT_AT, this.header.salt.salt1);
      this.#view.setUint32(at + FRAME_SALT_AT + 4, this.header.salt.salt2);
      this.#chain.update(this.#view, at, SUMMED_HEADER_SIZE, this.header.littleEndian);
      this.#chain.update(this.#view, at + FRAME_HEADER_SIZE, this.#pageSize, this.header.littleEndian);
      const { s0, s1 } = this.#chain.value();
      this.#view.setUint32(at + FRAME_CHECKSUM_AT, s0);
      this.#view.setUint32(at + FRAME_CHECKSUM_AT + 4, s1);
    }
    this.#write(this.#written, this.#buffer.subarray(0, end));
    this.#written += this.#waiting;
    this.#waiting = 0;
  }
}
