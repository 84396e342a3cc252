/** Bytes to one LZ4 frame, as Litestream 0.3 writes it, with what belongs to it in a skippable frame behind. */
import { assert } from "../base/assert.ts";
import type { NextBytes } from "../base/byte_source.ts";
import { viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import {
  BLOCK_HEADER_BYTES,
  CHECKSUM_BYTES,
  OUR_BLOCK_BYTES,
  OUR_FRAME_HEADER,
  SKIPPABLE_HEADER_BYTES,
  skippableHeader,
  STORED_BIT,
} from "./frame_format.ts";
import { giveBackKernel, type Kernel, takeKernel, WINDOWS_AT } from "./kernel.ts";
import { TRAILER_MAGIC } from "./trailer.ts";

/** Room before each window for a frame's and a block's header, behind it for end mark, checksum and a small trailer. */
const BEFORE_BYTES = 64;
const BEHIND_BYTES = 64 << 10;
const WINDOW_BYTES = BEFORE_BYTES + OUR_BLOCK_BYTES + BEHIND_BYTES;
/** Content is put here, and stays here when it is stored as it is. */
const INPUT_AT = WINDOWS_AT + BEFORE_BYTES;
const OUTPUT_AT = INPUT_AT + WINDOW_BYTES;
const END_BYTES = BLOCK_HEADER_BYTES + CHECKSUM_BYTES;

const NOTHING: Uint8Array = new Uint8Array(0);

/** Puts the next bytes of a stream into the array; returns how many, at least one, and 0 only at the end. */
export type FillBytes = (into: Uint8Array<ArrayBuffer>) => Promise<number>;

export interface EncodedFrame {
  /** The next bytes of the object; the array is reused by the next call. */
  readonly next: NextBytes;
  /** The bytes of the content that were taken until now. */
  readonly contentBytes: number;
  /** For who does not ask to the end. */
  close(): void;
}

/** The trailer is asked for when all of the content was taken; it becomes the payload of a skippable frame. */
export function encodeFrame(next: NextBytes, trailer?: () => Uint8Array): EncodedFrame {
  return new FrameEncoder(fillFrom(next), trailer);
}

/** The same for content that can be read directly to where it is compressed. */
export function encodeFilledFrame(fill: FillBytes, trailer?: () => Uint8Array): EncodedFrame {
  return new FrameEncoder(fill, trailer);
}

function fillFrom(next: NextBytes): FillBytes {
  let rest: Uint8Array = NOTHING;
  return async (into) => {
    if (rest.length === 0) rest = await next();
    const count = Math.min(rest.length, into.length);
    into.set(rest.subarray(0, count));
    rest = rest.subarray(count);
    return count;
  };
}

class FrameEncoder implements EncodedFrame {
  readonly next: NextBytes = () => this.#next();
  readonly #fill: FillBytes;
  readonly #trailer: (() => Uint8Array) | undefined;
  /** Parts that were too large to go out with the last block. */
  readonly #parts: Uint8Array[] = [];
  #kernel: Kernel | undefined;
  #contentBytes = 0;
  #isBegun = false;
  #isEnded = false;
  #isBusy = false;

  constructor(fill: FillBytes, trailer: (() => Uint8Array) | undefined) {
    this.#fill = fill;
    this.#trailer = trailer;
  }

  get contentBytes(): number {
    return this.#contentBytes;
  }

  close(): void {
    this.#isEnded = true;
    this.#parts.length = 0;
    // A kernel into which somebody may still be reading is left to the garbage collector.
    if (this.#kernel !== undefined && !this.#isBusy) giveBackKernel(this.#kernel);
    this.#kernel = undefined;
  }

  async #next(): Promise<Uint8Array> {
    assert(!this.#isBusy, "one call at a time");
    if (this.#isEnded) {
      const part = this.#parts.shift();
      if (part === undefined) this.close();
      return part ?? NOTHING;
    }
    const kernel = this.#kernel ??= takeKernel(2 * WINDOW_BYTES);
    this.#isBusy = true;
    let length: number;
    try {
      length = await this.#fillBlock(kernel);
    } finally {
      this.#isBusy = false;
    }
    return this.#isEnded ? NOTHING : this.#encodeBlock(kernel, length);
  }

  async #fillBlock(kernel: Kernel): Promise<number> {
    let length = 0;
    while (length < OUR_BLOCK_BYTES) {
      const count = await this.#fill(kernel.view(INPUT_AT + length, OUR_BLOCK_BYTES - length));
      if (count === 0) break;
      length += count;
    }
    this.#contentBytes += length;
    return length;
  }

  /** The block with what stands before and behind it, all in one array. */
  #encodeBlock(kernel: Kernel, length: number): Uint8Array {
    if (!this.#isBegun) kernel.beginContentHash();
    let start = INPUT_AT;
    let end = INPUT_AT;
    if (length > 0) {
      kernel.addToContentHash(INPUT_AT, length);
      const source = { at: INPUT_AT, length };
      const compressed = kernel.compress(source, { at: OUTPUT_AT, length: length - 1 });
      const at = compressed === 0 ? INPUT_AT : OUTPUT_AT;
      const size = compressed === 0 ? length : compressed;
      start = at - BLOCK_HEADER_BYTES;
      end = at + size;
      viewOf(kernel.bytes).setUint32(start, compressed === 0 ? (size | STORED_BIT) >>> 0 : size, true);
    }
    if (!this.#isBegun) {
      start -= OUR_FRAME_HEADER.length;
      kernel.bytes.set(OUR_FRAME_HEADER, start);
      this.#isBegun = true;
    }
    if (length < OUR_BLOCK_BYTES) end = this.#putEnd(kernel, end);
    return kernel.view(start, end - start);
  }

  /** Writes all that comes behind the last block, or keeps it for the next call; returns the place behind. */
  #putEnd(kernel: Kernel, at: number): number {
    const view = viewOf(kernel.bytes);
    view.setUint32(at, 0, true);
    view.setUint32(at + BLOCK_HEADER_BYTES, kernel.contentHash, true);
    let end = at + END_BYTES;
    this.#isEnded = true;
    const payload = this.#trailer?.();
    if (payload === undefined) return end;
    assert(payload.length <= limits.lz4TrailerMaxBytes, "the trailer is within its limit");
    const parts = [skippableHeader(TRAILER_MAGIC, payload.length), payload];
    if (SKIPPABLE_HEADER_BYTES + payload.length > BEHIND_BYTES - END_BYTES) {
      this.#parts.push(...parts);
      return end;
    }
    for (const part of parts) {
      kernel.bytes.set(part, end);
      end += part.length;
    }
    return end;
  }
}
