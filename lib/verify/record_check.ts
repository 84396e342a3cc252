/** Whether a commit record says what stands in the WAL. PURE. */
import { formatIndex, type Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { WAL_HEADER_SIZE } from "../wal/header.ts";

/** `size`: of a frame. */
export function isBetweenFrames(offset: number, size: number): boolean {
  return offset > WAL_HEADER_SIZE && (offset - WAL_HEADER_SIZE) % size === 0;
}

/** A record ends at a commit frame of as many pages as it says; `commitSize`: what the frame that ends there says. */
export function recordProblem({ end, databasePages }: CommitRecord, commitSize: number): string | undefined {
  if (commitSize === databasePages) return undefined;
  return `the record that ends at ${end} says ${databasePages} pages (expected ${commitSize}, as its last frame says)`;
}

export function describeRecord(index: Index, problem: string): string {
  return `index ${formatIndex(index)}: ${problem}`;
}
