/**
 * Around a resync, commits are not points: an index that a resync ended leads to a state that the first frames of the next
 * one may be older than. So the next index counts only from the end of its first record on. PURE.
 */
import type { Index } from "../position/position.ts";
import type { CommitRecord } from "./commit_record.ts";
import type { ReplicaEnd, WalEntry } from "./generation_store.ts";

/** Whether the index before the given one was ended by a resync. `wals` ascend. */
export function followsResync(wals: readonly Pick<WalEntry, "index" | "lastRecord">[], index: Index): boolean {
  const before = wals.findLast((wal) => wal.index < index);
  return before?.index === index - 1 && before.lastRecord?.kind === "resync";
}

/** The end of a replica whose last record is the given one. */
export function endOf(index: Index, { end, indexClosed, kind }: CommitRecord): ReplicaEnd {
  return { index, offset: end, closed: indexClosed, ...(kind === "resync" ? { endsInResync: true } : {}) };
}
