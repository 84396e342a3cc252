import {
  abandonedBeforeMs,
  planRetention,
  type RetentionFacts,
  type RetentionPlan,
} from "../../lib/replica/retention_plan.ts";
import { restorabilityOf } from "../../lib/restore/restorable.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { asGeneration, type GenerationSpec, someFacts } from "../support/catalog_builder.ts";
import { afterDeletions, type Spec } from "../support/retention_history.ts";

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;
const OURS = "00000000000000aa";

function ago(hours: number): number {
  return NOW - hours * HOUR;
}

function plan(specs: readonly GenerationSpec[], overrides: Partial<RetentionFacts> = {}): RetentionPlan {
  return planRetention({
    generations: specs.map((spec) => ({
      catalog: someFacts(spec).catalog,
      restorable: restorabilityOf(someFacts(spec)),
    })),
    own: asGeneration(OURS),
    nowMs: NOW,
    policy: { retentionMs: 24 * HOUR },
    ...overrides,
  });
}

/** `snapshot 0`, `wal 0`, `generation bb`, in the plan's order. */
function deletions(made: RetentionPlan): string[] {
  return made.deletions.map((one) =>
    one.kind === "generation" ? `generation ${one.generation.slice(-2)}` : `${one.kind} ${one.index}`
  );
}

function reasonFor(made: RetentionPlan, kind: "snapshot" | "wal" | "generation", which: number | string): string {
  const found = made.kept.find((one) =>
    one.kind === kind && (one.kind === "generation" ? one.generation.endsWith(String(which)) : one.first === which)
  );
  return found?.reason ?? "not kept";
}

/** An index for each time, closed but for the last, each captured at that time. */
function wals(...hoursAgo: readonly number[]): NonNullable<GenerationSpec["wals"]> {
  return hoursAgo.map((hours, index) => {
    const isLast = index === hoursAgo.length - 1;
    return { index, records: [[2, ago(hours)]], ...(isLast ? {} : { closedMs: ago(hours) }) };
  });
}

function snapshotsAt(...pairs: readonly (readonly [index: number, hoursAgo: number])[]): GenerationSpec["snapshots"] {
  return pairs.map(([index, hours]) => ({ index, atMs: ago(hours) }));
}

/** A foreign generation whose newest record is so old. */
function other(id: string, hoursAgo: number, overrides: Partial<GenerationSpec> = {}): Spec {
  return {
    generation: `00000000000000${id}`,
    snapshots: [{ index: 0, atMs: ago(hoursAgo + 1) }],
    wals: [{ index: 0, records: [[1, ago(hoursAgo)]] }],
    ...overrides,
  };
}

Deno.test("planRetention() lets go what lies before the snapshot that the oldest retained moment needs", () => {
  const made = plan([{
    snapshots: snapshotsAt([0, 80], [2, 50], [4, 26], [6, 10], [8, 1]),
    wals: wals(80, 60, 50, 40, 26, 20, 10, 5, 1),
  }]);
  assertEquals(deletions(made), ["snapshot 0", "wal 0", "wal 1", "snapshot 2", "wal 2", "wal 3"]);
  assertStringIncludes(
    made.deletions[0]?.reason ?? "",
    "before snapshot 0000000000000004, from which every moment since",
  );
  assertEquals(
    reasonFor(made, "snapshot", 4),
    `every moment since ${new Date(ago(24)).toISOString()} is restored from it or a later one`,
  );
  assertEquals(reasonFor(made, "snapshot", 6), `not older than ${new Date(ago(24)).toISOString()}`);
  const [range] = made.kept.filter(({ kind }) => kind === "wal");
  assert(range?.kind === "wal");
  assertEquals([range.first, range.last, range.count].map(Number), [4, 8, 5]);
  assertEquals(made.snapshotDue, undefined);
});

Deno.test("planRetention() keeps a snapshot that is exactly as old as retention says, without one before it", () => {
  const made = plan([{ snapshots: snapshotsAt([0, 24], [1, 2]), wals: wals(24, 2) }]);
  assertEquals(deletions(made), []);
});

Deno.test("planRetention() keeps the newest whole snapshot when all are old, and asks for a new one", () => {
  const made = plan([{ snapshots: snapshotsAt([0, 90], [1, 50]), wals: wals(90, 50, 1) }]);
  assertEquals(deletions(made), ["snapshot 0", "wal 0"]);
  assertMatch(
    made.snapshotDue?.reason ?? "",
    /^the newest whole snapshot is of \S+Z, and none is within the retention$/,
  );
});

Deno.test("planRetention() passes over snapshots that are not whole, and lets them go with the others", () => {
  const made = plan([{
    snapshots: [
      { index: 0, atMs: ago(90) },
      { index: 1, atMs: ago(60), damage: "its record is damaged" },
      { index: 2, atMs: ago(50) },
      { index: 3, atMs: ago(30), isIncomplete: true },
      { index: 4, atMs: ago(10), damage: "its record is damaged" },
    ],
    wals: wals(90, 60, 50, 30, 10),
  }]);
  assertEquals(deletions(made), ["snapshot 0", "wal 0", "snapshot 1", "wal 1"]);
  assertMatch(reasonFor(made, "snapshot", 3), /^incomplete, and counts for nothing/);
  assertMatch(reasonFor(made, "snapshot", 4), /^corrupt, and counts for nothing/);
  assert(made.snapshotDue !== undefined);
});

Deno.test("planRetention() goes by the file's time of an encrypted snapshot, which nobody here can read", () => {
  const unread = (index: number, hours: number) => {
    const record = undefined as never;
    return { index, atMs: ago(hours), entry: { record, recordProblem: "it is encrypted", isUnread: true } };
  };
  const made = plan([{ snapshots: [unread(0, 90), unread(1, 50), unread(2, 3)], wals: wals(90, 50, 3) }]);
  assertEquals([deletions(made), made.snapshotDue], [["snapshot 0", "wal 0"], undefined]);
});

Deno.test("planRetention() removes nothing of a generation without a whole snapshot, and asks for one", () => {
  const made = plan([{ snapshots: [{ index: 3, atMs: ago(90), isIncomplete: true }], wals: wals(99, 98, 97) }]);
  assertEquals(deletions(made), []);
  assertEquals(made.snapshotDue?.reason, "there is no whole snapshot of this generation");
  assertEquals(plan([]).snapshotDue?.reason, "there is no whole snapshot of this generation");
  assertEquals(plan([], { own: undefined }).snapshotDue, undefined);
});

Deno.test("planRetention() keeps the last index of our generation, from which a restart knows where to go on", () => {
  const made = plan([{ snapshots: snapshotsAt([0, 90], [3, 50], [4, 2]), wals: wals(90, 80, 70) }]);
  assertEquals(deletions(made), ["snapshot 0", "wal 0", "wal 1"]);
  assertMatch(reasonFor(made, "wal", 2), /^the last index/);
});

Deno.test("planRetention() sweeps WAL that an interrupted removal left", () => {
  const made = plan([{ snapshots: snapshotsAt([3, 2]), wals: wals(90, 80, 70, 2) }]);
  assertEquals(deletions(made), ["wal 0", "wal 1", "wal 2"]);
});

Deno.test("planRetention() with retention 0 removes nothing and asks for nothing", () => {
  const made = plan([other("bb", 900), { snapshots: snapshotsAt([0, 900], [1, 800]), wals: wals(900, 800) }], {
    policy: { retentionMs: 0 },
  });
  assertEquals([made.deletions, made.snapshotDue], [[], undefined]);
  assertEquals(made.kept.map(({ reason }) => reason), ["retention is off", "retention is off"]);
});

Deno.test("planRetention() takes a time in the future for no age", () => {
  const made = plan([{
    snapshots: snapshotsAt([0, 90], [1, -500], [2, 50], [3, 1]),
    wals: wals(90, -500, 50, 1),
  }]);
  assertEquals(deletions(made), []);
  const setBack = plan([{ snapshots: snapshotsAt([0, -100], [1, -80]), wals: wals(-100, -80) }, other("bb", -400)]);
  assertEquals(deletions(setBack), []);
  assertMatch(setBack.snapshotDue?.reason ?? "", /none is within the retention$/);
});

Deno.test("planRetention() removes a foreign generation only as a whole, a day after retention", () => {
  const ours = { snapshots: snapshotsAt([0, 2]), wals: wals(1) };
  assertEquals(deletions(plan([ours, other("bb", 47.9), other("cc", 48.1), other("dd", 300)])), [
    "generation dd",
    "generation cc",
  ]);
  const kept = plan([ours, other("bb", 47.9, { snapshots: snapshotsAt([0, 400], [1, 300]) })]);
  assertEquals(deletions(kept), []);
  assertMatch(reasonFor(kept, "generation", "bb"), /^not ours, and written at /);
});

Deno.test("planRetention() goes by the newest time of a foreign generation: of records, files and drafts", () => {
  const ours = { snapshots: snapshotsAt([0, 2]), wals: wals(1) };
  const late = other("bb", 90, { wals: [{ index: 0, records: [[1, ago(90)]], entry: { createdAtMs: ago(3) } }] });
  assertEquals(deletions(plan([ours, late])), []);
  const catalog = { ...someFacts(other("cc", 90)).catalog, unfinishedAtMs: ago(3) };
  const made = planRetention({
    generations: [{ catalog: someFacts(ours).catalog, restorable: "whole" }, { catalog, restorable: "whole" }],
    own: asGeneration(OURS),
    nowMs: NOW,
    policy: { retentionMs: 24 * HOUR },
  });
  assertEquals(deletions(made), []);
});

Deno.test("planRetention() never removes the newest generation that can be restored", () => {
  const unfinished = { snapshots: [{ index: 0, atMs: ago(1), isIncomplete: true }] };
  const made = plan([unfinished, other("bb", 300), other("cc", 200)]);
  assertEquals([deletions(made), made.haven], [["generation bb"], asGeneration("00000000000000cc")]);
  assertEquals(reasonFor(made, "generation", "cc"), "the newest generation that can be restored");
  assertEquals(deletions(plan([other("bb", 300), other("cc", 300)], { own: undefined })), []); // Equal: both.
});

Deno.test("planRetention() keeps the newest generation without damage beside a newer one with damage", () => {
  const gap = other("bb", 100, {
    wals: [{ index: 0, records: [[1, ago(101)]], closedMs: ago(101) }, { index: 2, records: [[1, ago(100)]] }],
  });
  const made = plan([gap, other("cc", 200), other("dd", 300)], { own: undefined });
  assertEquals(deletions(made), ["generation dd"]);
});

Deno.test("planRetention() removes nothing at all where nothing can be restored", () => {
  const made = plan([other("bb", 300, { snapshots: [] })], { own: undefined });
  assertEquals(deletions(made), []);
  assertMatch(reasonFor(made, "generation", "bb"), /this may be all there is$/);
});

Deno.test("planRetention() keeps an empty generation until its folder is old", () => {
  const ours = {
    catalog: someFacts({ snapshots: snapshotsAt([0, 2]), wals: wals(1) }).catalog,
    restorable: "whole" as const,
  };
  const empty = someFacts({ generation: "00000000000000bb", snapshots: [] }).catalog;
  const made = (unfinishedAtMs?: number) =>
    deletions(planRetention({
      generations: [ours, {
        catalog: unfinishedAtMs === undefined ? empty : { ...empty, unfinishedAtMs },
        restorable: "none",
      }],
      own: asGeneration(OURS),
      nowMs: NOW,
      policy: { retentionMs: 24 * HOUR },
    }));
  assertEquals([made(), made(ago(47)), made(ago(49))], [[], [], ["generation bb"]]);
});

Deno.test("abandonedBeforeMs() is a day before what retention says", () => {
  assertEquals(abandonedBeforeMs({ retentionMs: 24 * HOUR }, NOW), ago(48));
});

Deno.test("afterDeletions() takes away what the plan names, as a store does", () => {
  const spec = { snapshots: snapshotsAt([0, 90], [1, 50]), wals: wals(90, 50, 1) };
  const left = afterDeletions([spec, other("bb", 300)], plan([spec, other("bb", 300)]).deletions);
  assertEquals(left.map(({ snapshots, wals }) => [snapshots.length, wals?.length]), [[1, 2]]);
});
