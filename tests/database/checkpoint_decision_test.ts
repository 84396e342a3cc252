import {
  type CheckpointDecision,
  type CheckpointFacts,
  decideCheckpoint,
} from "../../lib/database/checkpoint_decision.ts";
import { assertEquals } from "../support/assert.ts";

/** A life of 100 frames, none copied, in a quiet hour. */
function facts(overrides: Partial<CheckpointFacts> = {}): CheckpointFacts {
  return {
    frames: 100,
    backfilled: 0,
    completeAt: undefined,
    msSinceLastTry: Infinity,
    msSinceLastComplete: 1_000,
    retryMs: 20,
    msSincePause: Infinity,
    snapshotting: false,
    minPages: 700,
    maxPages: 10_000,
    intervalMs: 60_000,
    ...overrides,
  };
}

const none: CheckpointDecision = { kind: "none" };
const aged: CheckpointDecision = { kind: "checkpoint", mayPause: false, reason: "the interval has passed" };

function because(frames: number): CheckpointDecision {
  return { kind: "checkpoint", mayPause: true, reason: `${frames} frames in the WAL` };
}

const rows: readonly (readonly [string, Partial<CheckpointFacts>, CheckpointDecision])[] = [
  ["a short, young WAL", {}, none],
  ["an empty WAL", { frames: 0, msSinceLastComplete: 60_000 }, none],
  ["one frame too few", { frames: 699 }, none],
  ["just enough frames", { frames: 700 }, because(700)],
  ["enough frames right after a try", { frames: 5_000, msSinceLastTry: 19 }, none],
  ["enough frames after the retry pause", { frames: 5_000, msSinceLastTry: 20 }, because(5_000)],
  ["enough frames soon after writers were held up", { frames: 5_000, msSincePause: 149 }, none],
  ["enough frames a while after writers were held up", { frames: 5_000, msSincePause: 150 }, because(5_000)],
  ["too many frames soon after writers were held up", { frames: 10_000, msSincePause: 0 }, because(10_000)],
  ["an old WAL soon after writers were held up", { msSinceLastComplete: 60_000, msSincePause: 0 }, aged],
  ["enough frames while a snapshot is made", { frames: 9_999, snapshotting: true }, none],
  ["too many frames while a snapshot is made", { frames: 10_000, snapshotting: true }, because(10_000)],
  ["a WAL that is complete and not restarted", { frames: 800, backfilled: 800, completeAt: 800 }, none],
  ["a few more since the complete checkpoint", { frames: 1_499, backfilled: 800, completeAt: 800 }, none],
  ["as much again since the complete checkpoint", { frames: 1_500, backfilled: 800, completeAt: 800 }, because(1_500)],
  ["an old WAL", { msSinceLastComplete: 60_000 }, aged],
  ["an old WAL of which a part is copied", { msSinceLastComplete: 60_000, backfilled: 99 }, aged],
  ["an old WAL that is copied whole", { msSinceLastComplete: 60_000, backfilled: 100 }, none],
  ["an old WAL while a snapshot is made", { msSinceLastComplete: 60_000, snapshotting: true }, none],
  ["an old WAL, and never because of age", { msSinceLastComplete: Infinity, intervalMs: 0 }, none],
  ["enough frames, and never because of age", { frames: 700, intervalMs: 0 }, because(700)],
];

for (const [row, overrides, decision] of rows) {
  Deno.test(`decideCheckpoint() with ${row}: ${decision.kind}`, () => {
    assertEquals(decideCheckpoint(facts(overrides)), decision);
  });
}
