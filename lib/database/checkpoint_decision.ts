/** Whether a checkpoint of ours is due. PURE. */
import { limits } from "../base/limits.ts";

export interface CheckpointFacts {
  /** Frames in the present life, and how many of them stand in the database file. */
  readonly frames: number;
  readonly backfilled: number;
  /** Frames at the end of the last complete checkpoint of this life; undefined when there was none. */
  readonly completeAt: number | undefined;
  readonly msSinceLastTry: number;
  readonly msSinceLastComplete: number;
  readonly retryMs: number;
  /** Since writers were last held up for a checkpoint of ours. */
  readonly msSincePause: number;
  /** A replicator is making the generation's first snapshot. */
  readonly snapshotting: boolean;
  readonly minPages: number;
  readonly maxPages: number;
  /** 0: never because of age. */
  readonly intervalMs: number;
}

export type CheckpointDecision =
  | { readonly kind: "none" }
  | { readonly kind: "checkpoint"; readonly mayPause: boolean; readonly reason: string };

export function decideCheckpoint(facts: CheckpointFacts): CheckpointDecision {
  if (facts.frames === 0 || facts.msSinceLastTry < facts.retryMs) return { kind: "none" };
  const since = facts.frames - (facts.completeAt ?? 0);
  const threshold = facts.snapshotting ? facts.maxPages : facts.minPages;
  // After a complete checkpoint none is tried until the restart was seen, or until as much again has been written
  // (another reader keeps the WAL from being restarted).
  if (since >= threshold) {
    // Who fills the WAL without a pause would be held up for each 700 frames.
    if (facts.msSincePause < limits.writersUndisturbedMs && since < facts.maxPages) return { kind: "none" };
    return { kind: "checkpoint", mayPause: true, reason: `${facts.frames} frames in the WAL` };
  }
  if (facts.snapshotting || facts.backfilled === facts.frames) return { kind: "none" };
  if (facts.intervalMs > 0 && facts.msSinceLastComplete >= facts.intervalMs) {
    return { kind: "checkpoint", mayPause: false, reason: "the interval has passed" };
  }
  return { kind: "none" };
}
