/** Whether a commit record says what stands in the WAL. PURE. */
import { viewOf } from "../base/bytes.ts";
import { formatIndex, type Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { COMMIT_SIZE_AT, frameSize } from "../wal/frame.ts";
import { WAL_HEADER_SIZE } from "../wal/header.ts";

/** A record ends at a commit frame of as many pages as it says; `frames` begin at the offset `at`, and hold its end. */
export function recordProblem(
  record: CommitRecord | undefined,
  frames: Uint8Array,
  at: number,
  size: number,
): string | undefined {
  if (record === undefined || record.start === record.end) return undefined;
  const { end, pageSize, databasePages } = record;
  const isBetweenFrames = frameSize(pageSize) === size && (end - WAL_HEADER_SIZE) % size === 0;
  if (!isBetweenFrames) return `the record that ends at ${end} does not end between two frames`;
  const commitSize = viewOf(frames).getUint32(end - size - at + COMMIT_SIZE_AT);
  if (commitSize === databasePages) return undefined;
  return `the record that ends at ${end} says ${databasePages} pages (expected ${commitSize}, as its last frame says)`;
}

export function describeRecord(index: Index, problem: string): string {
  return `index ${formatIndex(index)}: ${problem}`;
}
