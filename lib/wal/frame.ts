/**
 * After the WAL header come frames: a frame header of 24 bytes, big-endian, then one page.
 *
 *    0  page number, from 1
 *    4  database size in pages if this frame ends a transaction (a commit frame), else 0
 *    8  salt 1         12  salt 2, those of the WAL header
 *   16  checksum s0    20  checksum s1, of bytes 0 to 7 and the page, continuing from the frame before
 */
import { assert } from "../base/assert.ts";
import { asOffset, type Offset } from "../position/position.ts";
import type { Checksum } from "./checksum.ts";
import { WAL_HEADER_SIZE } from "./header.ts";

export const FRAME_HEADER_SIZE = 24;
export const PAGE_NUMBER_AT = 0;
export const COMMIT_SIZE_AT = 4;
export const FRAME_SALT_AT = 8;
export const FRAME_CHECKSUM_AT = 16;
/** How much of the frame header its checksum covers. */
export const SUMMED_HEADER_SIZE = 8;

export function frameSize(pageSize: number): number {
  return FRAME_HEADER_SIZE + pageSize;
}

/** Where the given number of frames ends; 0 frames end at offset 0, since an index without frames has no header yet. */
export function offsetAfter(frames: number, pageSize: number): Offset {
  return asOffset(frames === 0 ? 0 : WAL_HEADER_SIZE + frames * frameSize(pageSize));
}

/** The number of frames before a frame-aligned offset. */
export function framesBefore(offset: Offset, pageSize: number): number {
  assertFrameAligned(offset, pageSize);
  return offset === 0 ? 0 : (offset - WAL_HEADER_SIZE) / frameSize(pageSize);
}

export function assertFrameAligned(offset: Offset, pageSize: number): void {
  assert(Number.isSafeInteger(offset), "offset is an integer");
  if (offset === 0) return;
  assert(offset >= WAL_HEADER_SIZE, "offset lies after the WAL header");
  assert((offset - WAL_HEADER_SIZE) % frameSize(pageSize) === 0, "offset is frame aligned");
}

/** The chain's sums after the frame whose header stands at `at`, as stored there. */
export function storedChecksum(view: DataView, at: number): Checksum {
  return { s0: view.getUint32(at + FRAME_CHECKSUM_AT), s1: view.getUint32(at + FRAME_CHECKSUM_AT + 4) };
}
