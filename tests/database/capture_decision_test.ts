import { type CaptureDecision, type CaptureFacts, decideCapture } from "../../lib/database/capture_decision.ts";
import { assertEquals } from "../support/assert.ts";

/** In the middle of a life, with all of it captured. */
function facts(overrides: Partial<CaptureFacts> = {}): CaptureFacts {
  return {
    lifeBegun: true,
    sameLife: true,
    captured: 10,
    committed: 10,
    sameChecksum: true,
    lifeComplete: true,
    ...overrides,
  };
}

const rows: readonly (readonly [string, Partial<CaptureFacts>, CaptureDecision])[] = [
  ["nothing new", {}, { kind: "idle" }],
  ["more frames are committed", { committed: 12, sameChecksum: false }, { kind: "append" }],
  ["more frames are committed than the hold's mark says", { committed: 12, lifeComplete: false }, { kind: "append" }],
  [
    "as many frames with another checksum",
    { sameChecksum: false },
    { kind: "doubt", reason: "the WAL holds other frames than those captured" },
  ],
  [
    "fewer frames than captured",
    { committed: 9 },
    { kind: "doubt", reason: "a captured transaction is no longer in the WAL" },
  ],
  [
    "no frames at all in the same life",
    { committed: 0 },
    { kind: "doubt", reason: "a captured transaction is no longer in the WAL" },
  ],
  ["another life after a complete one", { sameLife: false, committed: 3 }, { kind: "next-index" }],
  ["an empty WAL after a complete life", { sameLife: false, committed: 0 }, { kind: "idle" }],
  [
    "another life after one whose end is not captured",
    { sameLife: false, committed: 3, lifeComplete: false },
    { kind: "doubt", reason: "the WAL was restarted before its end was captured" },
  ],
  [
    "an empty WAL after a life whose end is not captured",
    { sameLife: false, committed: 0, lifeComplete: false },
    { kind: "doubt", reason: "the WAL was restarted before its end was captured" },
  ],
  ["no life yet, and an empty WAL", { lifeBegun: false, sameLife: false, captured: 0, committed: 0 }, { kind: "idle" }],
  [
    "no life yet, and frames",
    { lifeBegun: false, sameLife: false, captured: 0, lifeComplete: false },
    { kind: "begin" },
  ],
];

for (const [row, overrides, decision] of rows) {
  Deno.test(`decideCapture() with ${row}: ${decision.kind}`, () => {
    assertEquals(decideCapture(facts(overrides)), decision);
  });
}
