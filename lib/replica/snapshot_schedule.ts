/** Whether a generation gets another snapshot on its replica now. PURE. */
import { formatIndex, type Index, type Offset } from "../position/position.ts";

export interface SnapshotScheduleFacts {
  /** The newest whole snapshot of the generation on this replica, by the place of its state (`stateIndex` where it has one). */
  readonly newest:
    | { readonly index: Index; readonly offset: Offset; readonly capturedAtMs: number }
    | undefined;
  /** The end of what is captured: a snapshot that is made now would be of this index. */
  readonly captured: { readonly index: Index; readonly offset: Offset };
  /** Whether the replica holds a snapshot of the captured index that may not be made again, whole or damaged. */
  readonly capturedIndexIsTaken: boolean;
  readonly nowMs: number;
  /** 0: none because of age. */
  readonly snapshotIntervalMs: number;
  /** Why retention wants one; undefined when it does not. */
  readonly wish?: string | undefined;
}

export type SnapshotScheduleDecision =
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "snapshot"; readonly reason: string }
  /** One is due, and is made as soon as the reason is gone. */
  | { readonly kind: "postponed"; readonly reason: string };

export function decideSnapshot(facts: SnapshotScheduleFacts): SnapshotScheduleDecision {
  const { newest, captured } = facts;
  const wanted = whyWanted(facts);
  if (wanted === undefined) return { kind: "none", reason: "none is due" };
  const isNewest = newest !== undefined &&
    (newest.index - captured.index || newest.offset - captured.offset) >= 0;
  if (isNewest) return { kind: "none", reason: "nothing was written since the newest, so it is the newest state" };
  if (facts.capturedIndexIsTaken) {
    const index = formatIndex(captured.index);
    return { kind: "postponed", reason: `index ${index} holds one already; the next index will get it` };
  }
  return { kind: "snapshot", reason: wanted };
}

function whyWanted({ newest, nowMs, snapshotIntervalMs, wish }: SnapshotScheduleFacts): string | undefined {
  if (newest === undefined) return wish ?? "there is no whole snapshot of this generation";
  if (wish !== undefined) return wish;
  if (snapshotIntervalMs <= 0) return undefined;
  // After the clock was set back an age is negative; one that is too large either way tells that it is time.
  const ageMs = Math.abs(nowMs - newest.capturedAtMs);
  if (ageMs < snapshotIntervalMs) return undefined;
  return `the newest is of ${new Date(newest.capturedAtMs).toISOString()}, as long ago as snapshot-interval says`;
}
