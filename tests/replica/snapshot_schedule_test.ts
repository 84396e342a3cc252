import { asIndex, asOffset } from "../../lib/position/position.ts";
import { decideSnapshot, type SnapshotScheduleFacts } from "../../lib/replica/snapshot_schedule.ts";
import { assertEquals } from "../support/assert.ts";

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;

function facts(overrides: Partial<SnapshotScheduleFacts> = {}): SnapshotScheduleFacts {
  return {
    newest: at(3, 4152, 2),
    captured: { index: asIndex(5), offset: asOffset(8272) },
    capturedIndexIsTaken: false,
    nowMs: NOW,
    snapshotIntervalMs: 0,
    ...overrides,
  };
}

function at(index: number, offset: number, hoursAgo: number) {
  return { index: asIndex(index), offset: asOffset(offset), capturedAtMs: NOW - hoursAgo * HOUR };
}

const ROWS: readonly (readonly [name: string, given: Partial<SnapshotScheduleFacts>, kind: string, reason?: string])[] =
  [
    ["nobody wants one", {}, "none", "none is due"],
    ["the interval is not over", { snapshotIntervalMs: 3 * HOUR }, "none", "none is due"],
    [
      "the interval is over",
      { snapshotIntervalMs: 2 * HOUR },
      "snapshot",
      `the newest is of ${new Date(NOW - 2 * HOUR).toISOString()}, as long ago as snapshot-interval says`,
    ],
    ["retention wants one", { wish: "none is within the retention" }, "snapshot", "none is within the retention"],
    ["there is none", { newest: undefined }, "snapshot", "there is no whole snapshot of this generation"],
    [
      "nothing was written since the newest",
      { wish: "old", newest: at(5, 8272, 90), capturedIndexIsTaken: true },
      "none",
      "nothing was written since the newest, so it is the newest state",
    ],
    [
      "the index holds one, and more was written",
      { wish: "old", newest: at(5, 4152, 90), capturedIndexIsTaken: true },
      "postponed",
      "index 0000000000000005 holds one already; the next index will get it",
    ],
    [
      "the index holds one that is damaged",
      { newest: undefined, capturedIndexIsTaken: true },
      "postponed",
      "index 0000000000000005 holds one already; the next index will get it",
    ],
    ["the clock was set back a little", { snapshotIntervalMs: 2 * HOUR, newest: at(3, 0, -1) }, "none"],
    ["the clock was set back a lot", { snapshotIntervalMs: 2 * HOUR, newest: at(3, 0, -9) }, "snapshot"],
  ];

for (const [name, given, kind, reason] of ROWS) {
  Deno.test(`decideSnapshot() when ${name}: ${kind}`, () => {
    const decision = decideSnapshot(facts(given));
    assertEquals([decision.kind, reason ?? decision.reason], [kind, decision.reason]);
  });
}
