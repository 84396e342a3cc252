import { asIndex, asOffset } from "../../lib/position/position.ts";
import { newestMs, type SnapshotMoment } from "../../lib/restore/history.ts";
import { planRestore, type RefusedPlan, type RestorePlan } from "../../lib/restore/plan.ts";
import { rivalsOf } from "../../lib/restore/rivals.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { after, asGeneration, type GenerationSpec, PAGE_SIZE, someFacts } from "../support/catalog_builder.ts";

const GENERATION = asGeneration("00000000000000aa");
const LATEST: RestoreTarget = { kind: "latest" };

function at(atMs: number): RestoreTarget {
  return { kind: "time", atMs };
}

function endOf(index: number): RestoreTarget {
  return { kind: "index", index: asIndex(index) };
}

function positionAt(index: number, offset: number): RestoreTarget {
  const position = { generation: GENERATION, index: asIndex(index), offset: asOffset(offset) };
  return { kind: "position", position, generation: GENERATION };
}

function plan(target: RestoreTarget, ...generations: readonly GenerationSpec[]): RestorePlan {
  const made = planRestore(generations.map((spec) => someFacts(spec, target)), target);
  if (made.kind === "refused") throw new Error(`Refused: ${made.problem}`);
  return made;
}

function refusal(target: RestoreTarget, ...generations: readonly GenerationSpec[]): RefusedPlan {
  const made = planRestore(generations.map((spec) => someFacts(spec, target)), target);
  assert(made.kind === "refused", "a refusal was expected");
  return made;
}

function reach({ reachable }: RefusedPlan): readonly [number, number] | undefined {
  return reachable && [reachable.point.index, reachable.point.offset];
}

function steps({ steps }: RestorePlan): readonly (readonly [number, number, number])[] {
  return steps.map(({ index, from, to }) => [index, from, to]);
}

/** A snapshot, then three indexes of which the last is open. */
const WHOLE: GenerationSpec = {
  snapshots: [{ index: 0, atMs: 100 }],
  wals: [
    { index: 0, records: [[1, 110], [3, 120]], closedMs: 130 },
    { index: 1, records: [[2, 140]], closedMs: 150 },
    { index: 2, records: [[1, 160], [2, 170], [5, 180]] },
  ],
};

function without(index: number): GenerationSpec {
  return { ...WHOLE, wals: WHOLE.wals?.filter((wal) => wal.index !== index) ?? [] };
}

function withWal(index: number, change: Partial<NonNullable<GenerationSpec["wals"]>[number]>): GenerationSpec {
  return { ...WHOLE, wals: WHOLE.wals?.map((wal) => wal.index === index ? { ...wal, ...change } : wal) ?? [] };
}

Deno.test("planRestore() takes the snapshot and every index up to the newest record", () => {
  const made = plan(LATEST, WHOLE);
  assertEquals(steps(made), [[0, 0, after(3)], [1, 0, after(2)], [2, 0, after(5)]]);
  assertEquals([made.end.index, made.end.offset, made.end.capturedAtMs], [2, after(5), 180]);
  assertEquals(made.databaseBytes, 9 * PAGE_SIZE);
  assertEquals(made.plannedBytes, after(3) + after(2) + after(5) + 4 * PAGE_SIZE);
  assertEquals(made.notices, []);
});

Deno.test("planRestore() begins at the newest snapshot, in the middle of its index", () => {
  const spec = { ...WHOLE, snapshots: [...WHOLE.snapshots, { index: 1, frames: 1, atMs: 145 }] };
  assertEquals(steps(plan(LATEST, spec)), [[1, after(1), after(2)], [2, 0, after(5)]]);
});

Deno.test("planRestore() uses a snapshot only for targets at or after its position", () => {
  const spec = { ...WHOLE, snapshots: [...WHOLE.snapshots, { index: 2, frames: 2, atMs: 175 }] };
  assertEquals(plan(positionAt(2, after(1)), spec).snapshot.index, 0);
  assertEquals(plan(positionAt(2, after(2)), spec).snapshot.index, 2);
  assertEquals(steps(plan(positionAt(2, after(2)), spec)), []);
  assertEquals(steps(plan(positionAt(2, after(5)), spec)), [[2, after(2), after(5)]]);
});

Deno.test("planRestore() restores a snapshot without any WAL by itself", () => {
  const made = plan(LATEST, { snapshots: [{ index: 3, frames: 7, atMs: 100, pages: 6 }] });
  assertEquals([made.end.index, made.end.offset, made.databaseBytes], [3, after(7), 6 * PAGE_SIZE]);
  assertEquals(made.steps, []);
  const empty = plan(LATEST, {
    snapshots: [{ index: 0, atMs: 100, pages: 0, entry: { sizeBytes: 0 } }],
  });
  assertEquals([empty.databaseBytes, empty.plannedBytes], [0, 0]);
});

Deno.test("planRestore() has the checksum of a snapshot for what was captured without one, at that very position only", () => {
  const checksum = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const snapshots = [{ index: 0, frames: 3, atMs: 130, checksum }];
  const wals = [{ index: 0, records: [[1, 110], [3, 120], [4, 140]] as const }];
  assertEquals(plan(at(125), { snapshots, wals }).end.checksum, checksum);
  assertEquals(plan(LATEST, { snapshots, wals }).end.checksum, undefined);
});

Deno.test("planRestore() takes a snapshot that is ahead of the WAL for the newest point", () => {
  const ahead = { ...WHOLE, snapshots: [...WHOLE.snapshots, { index: 2, frames: 8, atMs: 190 }] };
  const made = plan(LATEST, ahead);
  assertEquals([made.end.offset, made.steps], [after(8), []]);
  const nextIndex = { ...WHOLE, snapshots: [...WHOLE.snapshots, { index: 3, atMs: 190 }] };
  assertEquals(plan(LATEST, nextIndex).end.index, 3);
});

Deno.test("planRestore() needs no older WAL than its snapshot's", () => {
  const spec: GenerationSpec = {
    snapshots: [{ index: 0, atMs: 100 }, { index: 5, atMs: 200 }],
    wals: [{ index: 0, records: [[1, 110]] }, { index: 5, records: [[2, 210]] }],
  };
  assertEquals(steps(plan(LATEST, spec)), [[5, 0, after(2)]]);
});

Deno.test("planRestore() refuses a missing index and names it and the newest position before it", () => {
  const first = refusal(LATEST, without(0));
  assertEquals(first.code, "gap");
  assertStringIncludes(first.problem, "generations/00000000000000aa/wal/0000000000000000.wal is missing");
  assertEquals(reach(first), [0, 0]);
  const second = refusal(LATEST, without(1));
  assertStringIncludes(second.problem, "0000000000000001.wal is missing (expected every index from");
  assertEquals(reach(second), [0, after(3)]);
  assertEquals(plan(endOf(0), without(1)).end.offset, after(3));
});

Deno.test("planRestore() refuses an index that is not the last and has no closing record", () => {
  const wal = { index: 1, records: [[2, 140]] as const };
  const spec = { ...WHOLE, wals: WHOLE.wals?.map((one) => one.index === 1 ? wal : one) ?? [] };
  for (const target of [LATEST, endOf(2), endOf(1)]) {
    const refused = refusal(target, spec);
    assertEquals(refused.code, "gap");
    assertStringIncludes(refused.problem, "0000000000000001.commits has no closing record");
    assertEquals(reach(refused), [1, after(2)]);
  }
});

Deno.test("planRestore() refuses an index in the middle whose records are all gone", () => {
  const refused = refusal(LATEST, {
    ...WHOLE,
    wals: WHOLE.wals?.map((wal) => wal.index === 1 ? { index: 1, entry: { sizeBytes: after(2) } } : wal) ?? [],
  });
  assertEquals([refused.code, ...reach(refused) ?? []], ["gap", 0, after(3)]);
});

Deno.test("planRestore() refuses a WAL that is shorter than its closing record says", () => {
  const damaged = {
    index: 1,
    records: [[1, 135]] as const,
    entry: {
      promisedEnd: asOffset(after(2)),
      recordProblem: "x.wal has 600 bytes, its last commit record ends at 1104",
    },
  };
  const refused = refusal(LATEST, {
    ...WHOLE,
    wals: WHOLE.wals?.map((wal) => wal.index === 1 ? damaged : wal) ?? [],
  });
  assertEquals([refused.code, ...reach(refused) ?? []], ["corrupt", 1, after(1)]);
  assertStringIncludes(refused.problem, "x.wal has 600 bytes");
});

Deno.test("planRestore() refuses the newest point when durable bytes of the last WAL are gone", () => {
  const spec = withWal(2, { records: [[1, 160], [2, 170]], entry: { promisedEnd: asOffset(after(5)) } });
  for (const target of [LATEST, endOf(2), at(999)]) {
    const refused = refusal(target, spec);
    assertEquals([refused.code, ...reach(refused) ?? []], ["corrupt", 2, after(2)]);
    assertMatch(refused.problem, /0000000000000002\.wal has 1104 bytes \(expected at least 2712, as its records say\)/);
  }
  assertEquals(plan(at(165), spec).end.offset, after(1));
});

Deno.test("planRestore() says when the last record is torn, and goes as far as the one before", () => {
  const spec = withWal(2, { records: [[1, 160], [2, 170]], entry: { recordProblem: "the last record of c is torn" } });
  const made = plan(LATEST, spec);
  assertEquals(made.end.offset, after(2));
  assertEquals(made.notices, ["the last record of c is torn; what it spoke of is not restored"]);
});

Deno.test("planRestore() takes the last commit frame of a last index that has no record", () => {
  const wals = [...WHOLE.wals ?? []].slice(0, 2);
  const noRecords = { index: 2, entry: { sizeBytes: after(4), createdAtMs: 165 } };
  const spec = { ...WHOLE, wals: [...wals, noRecords], unrecorded: { frames: 3 } };
  assertEquals(plan(LATEST, spec).end, {
    index: asIndex(2),
    offset: asOffset(after(3)),
    pageSize: PAGE_SIZE,
    databasePages: 9,
    capturedAtMs: 165,
  });
  // And where not even a commit frame is there, that index adds nothing.
  assertEquals(plan(LATEST, { ...WHOLE, wals: [...wals, noRecords] }).end.index, 1);
  // But the index before it must then be known to be complete.
  const refused = refusal(LATEST, { ...WHOLE, wals: [...wals, noRecords, { ...noRecords, index: 3 }] });
  assertEquals([refused.code, ...reach(refused) ?? []], ["gap", 1, after(2)]);
});

Deno.test("planRestore() takes the last record in log order that is not later than a time", () => {
  const cases: readonly (readonly [number, number, number])[] = [
    [100, 0, 0], // The snapshot itself.
    [109, 0, 0],
    [110, 0, after(1)],
    [119, 0, after(1)],
    [120, 0, after(3)],
    [139, 0, after(3)],
    [140, 1, after(2)],
    [159, 1, after(2)],
    [160, 2, after(1)],
    [179, 2, after(2)],
    [180, 2, after(5)],
  ];
  for (const [time, index, offset] of cases) {
    const { end, notices } = plan(at(time), WHOLE);
    assertEquals([end.index, end.offset, notices], [index, offset, []], `at ${time}`);
  }
});

Deno.test("planRestore() gives the newest point for a later time, and says so", () => {
  const made = plan(at(181), WHOLE);
  assertEquals(made.end.offset, after(5));
  assertMatch(
    made.notices.join(),
    /^1970-01-01T00:00:00.181Z is later than the newest point, .*:2712 of .*, which is restored$/,
  );
});

Deno.test("planRestore() refuses a time before the first point and names that point", () => {
  const refused = refusal(at(99), WHOLE);
  assertEquals(refused.code, "not-found");
  assertEquals(
    refused.problem,
    "that is before the first point, 00000000000000aa/0000000000000000:0 of 1970-01-01T00:00:00.100Z",
  );
  // WAL from before the first snapshot makes no points.
  const late = { ...WHOLE, snapshots: [{ index: 1, frames: 2, atMs: 145 }] };
  assertStringIncludes(refusal(at(120), late).problem, "before the first point, 00000000000000aa/0000000000000001:");
  assertEquals(plan(at(140), { ...WHOLE, snapshots: [{ index: 1, frames: 2, atMs: 155 }] }).end.capturedAtMs, 140);
});

Deno.test("planRestore() refuses a time that falls into damaged records", () => {
  const spec = withWal(2, { readable: 1 });
  assertEquals(plan(at(155), spec).end.index, 1);
  for (const time of [160, 165, 175]) {
    const refused = refusal(at(time), spec);
    assertEquals([refused.code, ...reach(refused) ?? []], ["corrupt", 2, after(1)], `at ${time}`);
    assertStringIncludes(refused.problem, "0000000000000002.commits is damaged after 1 records");
  }
  assertEquals(plan(LATEST, spec).end.offset, after(5));
});

Deno.test("planRestore() refuses a time that falls into a missing index", () => {
  const refused = refusal(at(155), without(1));
  assertEquals([refused.code, ...reach(refused) ?? []], ["gap", 0, after(3)]);
});

Deno.test("planRestore() restores the end of an index", () => {
  assertEquals(plan(endOf(0), WHOLE).end.offset, after(3));
  assertEquals(plan(endOf(2), WHOLE).end.offset, after(5));
  assertEquals(plan(endOf(4), { snapshots: [{ index: 4, atMs: 100 }] }).end.index, 4);
  const refused = refusal(endOf(3), WHOLE);
  assertEquals(refused.code, "not-found");
  assertMatch(refused.problem, /^index 0000000000000003 is not there \(the nearest before it is .*0002:2712 of /);
  assertMatch(refusal(endOf(1), without(1)).problem, /the nearest before it is .*; the nearest after it is /);
});

Deno.test("planRestore() restores positions where a record ends, and no others", () => {
  for (const [index, frames] of [[0, 1], [0, 3], [1, 2], [2, 2]] as const) {
    assertEquals(plan(positionAt(index, after(frames)), WHOLE).end.offset, after(frames));
  }
  assertEquals(plan(positionAt(0, 0), WHOLE).steps, []);
  const between = refusal(positionAt(2, after(3)), WHOLE);
  assertEquals(between.code, "not-found");
  assertMatch(
    between.problem,
    /is not where a captured transaction ends \(the nearest before it is .*:1104 of .*; the nearest after it is .*:2712 of /,
  );
  assertEquals(refusal(positionAt(2, after(6)), WHOLE).code, "not-found");
  assertEquals(refusal(positionAt(7, after(1)), WHOLE).code, "not-found");
  const damaged = refusal(positionAt(2, after(2)), withWal(2, { readable: 1 }));
  assertEquals([damaged.code, ...reach(damaged) ?? []], ["corrupt", 2, after(1)]);
  const early = { ...WHOLE, snapshots: [{ index: 1, atMs: 135 }] };
  assertStringIncludes(refusal(positionAt(0, after(1)), early).problem, "before the first point");
});

Deno.test("planRestore() refuses a truncated snapshot unless an older one serves", () => {
  const cut = { index: 1, atMs: 135, entry: { sizeBytes: 4 * PAGE_SIZE - 1 } };
  const made = plan(LATEST, { ...WHOLE, snapshots: [...WHOLE.snapshots, cut] });
  assertEquals(made.snapshot.index, 0);
  assertMatch(
    made.notices.join(),
    /0001\.snapshot has 2047 bytes \(expected 2048, as its record says\); the snapshot of index 0000000000000000 serves/,
  );
  const refused = refusal(LATEST, { ...WHOLE, snapshots: [{ ...cut, index: 0 }] });
  assertEquals([refused.code, refused.reachable], ["corrupt", undefined]);
  assertStringIncludes(refused.problem, "0000000000000000.snapshot has 2047 bytes (expected 2048");
});

Deno.test("planRestore() refuses a snapshot with a damaged record, and passes over one without a record", () => {
  const spec = { ...WHOLE, snapshots: [{ index: 0, atMs: 100, damage: "x.record is damaged" }] };
  assertEquals(refusal(LATEST, spec).code, "corrupt");
  const unfinished = { ...WHOLE, snapshots: [...WHOLE.snapshots, { index: 2, atMs: 165, isIncomplete: true }] };
  const made = plan(LATEST, unfinished);
  assertEquals(made.snapshot.index, 0);
  assertStringIncludes(made.notices.join(), "its record is missing");
});

Deno.test("planRestore() says that a replica is empty, or half-made", () => {
  assertEquals(refusal(LATEST).problem, "there is no backup");
  for (const target of [LATEST, at(150), endOf(0)]) {
    for (const snapshots of [[], [{ index: 0, atMs: 1, isIncomplete: true }]]) {
      const refused = refusal(target, { snapshots });
      assertEquals(refused.code, "not-found");
      assertMatch(refused.problem, /^it holds no complete snapshot yet \(generation 00000000000000aa was begun/);
    }
  }
});

Deno.test("planRestore() calls WAL whose snapshot is gone damage, and names the snapshot and what is left", () => {
  const lost = { ...WHOLE, snapshots: [] };
  const unrecorded = { ...WHOLE, snapshots: [{ index: 0, atMs: 1, isIncomplete: true }] };
  for (const target of [LATEST, at(150), endOf(0)]) {
    const refused = refusal(target, lost);
    assertEquals(refused.code, "gap");
    assertMatch(
      refused.problem,
      /snapshots\/0{16}\.snapshot is missing \(expected the snapshot that the WAL from index 0/,
    );
    assertMatch(refusal(target, unrecorded).problem, /its record is missing.*, and WAL was replicated behind it$/);
  }
  const beside = refusal(LATEST, { ...OTHER, snapshots: [] }, WHOLE);
  assertEquals(
    [beside.code, beside.reachable?.generation],
    ["gap", GENERATION],
    "an older generation is not passed off",
  );
  assertEquals(plan(at(150), { ...OTHER, snapshots: [] }, WHOLE).generation, GENERATION, "it serves its own time");
});

const OTHER: GenerationSpec = {
  generation: "00000000000000bb",
  snapshots: [{ index: 0, atMs: 300 }],
  wals: [{ index: 0, records: [[1, 310]] }],
};

Deno.test("planRestore() takes the generation with the newest point, whatever its name", () => {
  assertEquals(plan(LATEST, WHOLE, OTHER).generation, "00000000000000bb");
  assertEquals(plan(LATEST, OTHER, WHOLE).generation, "00000000000000bb");
  assertEquals(plan({ kind: "latest", generation: GENERATION }, WHOLE, OTHER).generation, GENERATION);
  assertEquals(plan(endOf(0), WHOLE, OTHER).generation, "00000000000000bb");
  const missing = refusal({ kind: "latest", generation: asGeneration("00000000000000cc") }, WHOLE, OTHER);
  assertEquals(missing.code, "not-found");
  assertEquals(
    missing.problem,
    "there is no generation 00000000000000cc (it holds 00000000000000aa, 00000000000000bb)",
  );
});

Deno.test("planRestore() takes the generation with the last point before a time", () => {
  assertEquals(plan(at(299), WHOLE, OTHER).generation, GENERATION);
  assertMatch(plan(at(299), WHOLE, OTHER).notices.join(), /later than the newest point/);
  assertEquals(plan(at(300), WHOLE, OTHER).generation, "00000000000000bb");
  assertMatch(refusal(at(50), OTHER, WHOLE).problem, /^that is before the first point, 00000000000000aa/);
});

Deno.test("planRestore() leaves it to a person which of two histories of the same time is wanted", () => {
  const beside = { ...OTHER, snapshots: [{ index: 0, atMs: 125 }], wals: [{ index: 0, records: [[1, 128]] as const }] };
  for (const target of [LATEST, at(129), at(150), endOf(0)]) {
    const { code, problem, advice } = refusal(target, WHOLE, beside);
    assertEquals(code, "corrupt");
    assertMatch(
      problem,
      /^more than one program wrote there: beside generation 0+(aa|bb) goes on generation 0+(bb|aa) /,
    );
    assertMatch(advice ?? "", /^choose one by --generation/);
    assertEquals(plan({ ...target, generation: GENERATION }, WHOLE, beside).generation, GENERATION);
  }
  assertEquals(plan(at(124), WHOLE, beside).generation, GENERATION); // Before there were two.
});

Deno.test("rivalsOf() asks of the one that is written now for whatever ends later than it began, of records alone", () => {
  const catalogs = (...specs: readonly GenerationSpec[]) => specs.map((spec) => someFacts(spec).catalog);
  const later = { ...OTHER, snapshots: [{ index: 0, atMs: 180 }], wals: [] };
  const rivals = (which: "any" | "current", other: GenerationSpec) =>
    rivalsOf(GENERATION, catalogs(WHOLE, other), which).map(({ generation }) => String(generation));
  assertEquals([rivals("any", later), rivals("current", later)], [[], ["00000000000000bb"]]);
  const before = { ...OTHER, snapshots: [{ index: 0, atMs: 50 }], wals: [{ index: 0, records: [[1, 100]] as const }] };
  assertEquals([rivals("any", before), rivals("current", before)], [[], []]);
  const peers = {
    ...OTHER,
    layout: "litestream",
    snapshots: [{ index: 0, isPeers: true, atMs: 125 }],
    wals: [],
  } as const;
  assertEquals([rivals("any", peers), rivals("current", peers)], [[], []]);
});

Deno.test("planRestore() passes off no older state where the snapshot of the newest one is damaged", () => {
  const behind = { index: 5, atMs: 300, entry: { sizeBytes: 7 } };
  const both = { ...WHOLE, snapshots: [{ index: 0, atMs: 100 }, behind] };
  const unreadable = { ...WHOLE, snapshots: [{ index: 0, atMs: 100 }, { ...behind, damage: "it cannot be read" }] };
  const bare = { ...both, wals: [] };
  const cases: readonly (readonly [string, RestoreTarget, GenerationSpec, readonly [number, number] | "plan"])[] = [
    ["latest", LATEST, both, [2, after(5)]],
    ["without WAL", LATEST, bare, [0, 0]],
    ["its place cannot be read", LATEST, unreadable, [2, after(5)]],
    ["a time behind it", at(300), both, [2, after(5)]],
    ["a time of which nobody can tell", at(200), unreadable, [2, after(5)]],
    ["a time between", at(299), both, "plan"],
    ["a time before it", at(170), both, "plan"],
    ["a time before what cannot be read", at(170), unreadable, "plan"],
    ["a newer one is whole", LATEST, { ...both, snapshots: [...both.snapshots, { index: 6, atMs: 400 }] }, "plan"],
    ["a time between it and a newer one", at(350), {
      ...both,
      snapshots: [...both.snapshots, { index: 6, atMs: 400 }],
    }, [2, after(5)]],
    [
      "its state is in the WAL as well",
      LATEST,
      { ...WHOLE, snapshots: [{ index: 0, atMs: 100 }, { ...behind, index: 2 }] },
      "plan",
    ],
  ] as const;
  for (const [what, target, spec, expected] of cases) {
    const made = planRestore([someFacts(spec, target)], target);
    assertEquals(made.kind === "plan" ? "plan" : reach(made), expected, what);
    if (made.kind === "refused") assertEquals(made.code, "corrupt", what);
  }
});

Deno.test("planRestore() passes over a newer generation that is half-made, and says so", () => {
  const being = { ...OTHER, snapshots: [], unfinishedAtMs: 1 };
  for (const unfinished of [being, { generation: "00000000000000bb", snapshots: [] }]) {
    const made = plan(LATEST, WHOLE, unfinished);
    assertEquals(made.generation, GENERATION);
    assertEquals(made.notices, ["generation 00000000000000bb has no complete snapshot yet and cannot be restored"]);
  }
  const older = { ...OTHER, snapshots: [], wals: [{ index: 0, records: [[1, 10]] as const }] };
  assertEquals(plan(LATEST, WHOLE, older).notices, []);
});

Deno.test("planRestore() does not fall back to an older generation when the newest is damaged", () => {
  const refused = refusal(LATEST, OTHER, { ...without(1), wals: [{ index: 1, records: [[1, 500]] }] });
  assertEquals(refused.code, "gap");
  assertStringIncludes(refused.problem, "00000000000000aa");
});

Deno.test("planRestore() refuses records that disagree about the page size, or end inside a frame", () => {
  const last = someFacts(WHOLE).catalog.wals[2]?.lastRecord;
  assert(last !== undefined);
  const other = refusal(LATEST, withWal(2, { entry: { lastRecord: { ...last, pageSize: 1024 } } }));
  assertEquals(other.code, "corrupt");
  assertStringIncludes(other.problem, "the page size is 1024 (expected 512, as in the snapshot)");
  const unaligned = refusal(LATEST, withWal(2, { entry: { lastRecord: { ...last, end: asOffset(2713) } } }));
  assertEquals([unaligned.code, ...reach(unaligned) ?? []], ["corrupt", 1, after(2)]);
  const beyond = refusal(LATEST, { ...WHOLE, snapshots: [{ index: 1, frames: 4, atMs: 145 }] });
  assertEquals([beyond.code, ...reach(beyond) ?? []], ["corrupt", 1, after(4)]);
});

Deno.test("newestMs() goes by the records, since a copy of a replica has other file times", () => {
  assertEquals(newestMs(someFacts(WHOLE)), 180);
  const touched = withWal(2, { entry: { createdAtMs: 9_000 } });
  assertEquals(
    newestMs(someFacts({ ...touched, snapshots: [{ index: 0, atMs: 100, entry: { createdAtMs: 9_000 } }] })),
    180,
  );
  assertEquals(newestMs(someFacts({ snapshots: [{ index: 0, atMs: 100, damage: "it is damaged" }] })), 100);
});

const AHEAD = 9_000_000;
/** The clock was ahead from within index 1 to the end of index 2, and put right before index 3. */
const PUT_RIGHT: GenerationSpec = {
  snapshots: [{ index: 0, atMs: 100 }],
  wals: [
    { index: 0, records: [[1, 110], [3, 120]], closedMs: 130 },
    { index: 1, records: [[1, 140], [2, AHEAD]], closedMs: AHEAD + 1 },
    { index: 2, records: [[2, AHEAD + 2]], closedMs: AHEAD + 3 },
    { index: 3, records: [[1, 160], [2, 170]], closedMs: 180 },
    { index: 4, records: [[1, 190], [2, 200]] },
  ],
};

for (
  const [atMs, index, frames] of [
    [125, 0, 3],
    [145, 1, 1],
    [159, 1, 1],
    [160, 3, 1],
    [175, 3, 2],
    [195, 4, 1],
    [500, 4, 2],
    [AHEAD + 9, 4, 2],
  ] as const
) {
  Deno.test(`planRestore() of time ${atMs}, beside times of a clock that was ahead, leads to index ${index}`, () => {
    const { end } = plan(at(atMs), PUT_RIGHT);
    assertEquals([end.index, end.offset], [asIndex(index), asOffset(after(frames))]);
  });
}

Deno.test("planRestore() of a time in a generation that begins in the future and goes on with right times", () => {
  const spec: GenerationSpec = {
    snapshots: [{ index: 0, atMs: AHEAD }],
    wals: [{ index: 0, records: [[1, AHEAD + 1], [2, 150], [4, 160]] }],
  };
  for (const [atMs, frames] of [[155, 2], [165, 4]] as const) {
    assertEquals(plan(at(atMs), spec).end.offset, asOffset(after(frames)));
  }
});

Deno.test("newestMs() goes by what is newest by its place, beside times of a clock that was ahead", () => {
  assertEquals(newestMs(someFacts(PUT_RIGHT)), 200);
  assertEquals(newestMs(someFacts({ ...PUT_RIGHT, snapshots: [{ index: 4, frames: 2, atMs: 210 }] })), 210);
});

/** Two snapshots of Litestream's, all WAL of the second one's index stored after it, and what its pages tell. */
const PEERS: GenerationSpec = {
  layout: "litestream",
  snapshots: [{ index: 0, isPeers: true, atMs: 100 }, { index: 1, isPeers: true, atMs: 135 }],
  wals: [
    { index: 0, records: [[3, 120]], closedMs: 130 },
    { index: 1, records: [[2, 140], [4, 150]] },
  ],
};

function withMoment(spec: GenerationSpec, target: RestoreTarget, moment: SnapshotMoment) {
  return planRestore([{ ...someFacts(spec, target), moments: new Map([[asIndex(1), moment]]) }], target);
}

Deno.test("planRestore() takes an older snapshot where the newest of Litestream's is of a later moment, whatever its time", () => {
  const early = positionAt(1, after(2));
  const serves = { kind: "serves", from: asOffset(after(3)) } as const;
  const made = withMoment(PEERS, early, serves);
  assertEquals(made.kind === "plan" && [Number(made.snapshot.name), ...steps(made)], [0, [0, 0, after(3)], [
    1,
    0,
    after(2),
  ]]);
  const late = withMoment(PEERS, positionAt(1, after(4)), serves);
  assertEquals(late.kind === "plan" && [Number(late.snapshot.name), ...steps(late)], [1, [1, 0, after(4)]]);
  const unfit = { kind: "unfit", code: "gap", problem: "it is of a later moment" } as const;
  const latest = withMoment(PEERS, LATEST, unfit);
  assertEquals(latest.kind === "plan" && latest.snapshot.name, asIndex(0));
});

Deno.test("planRestore() refuses what the only snapshot of Litestream's is too late for; a time leads to its image alone", () => {
  const alone = { ...PEERS, snapshots: PEERS.snapshots.slice(1) };
  const serves = { kind: "serves", from: asOffset(after(3)) } as const;
  const refused = withMoment(alone, positionAt(1, after(2)), serves);
  assert(refused.kind === "refused");
  assertEquals([refused.code, ...reach(refused) ?? []], ["gap", 1, 0]);
  assertStringIncludes(
    refused.problem,
    `00000001.snapshot.lz4 is of a later moment (it serves from offset ${after(3)}`,
  );
  const timed = withMoment(alone, at(145), serves);
  assertEquals(timed.kind === "plan" && [timed.end.index, timed.end.offset, timed.steps.length], [1, 0, 0]);
});

Deno.test("A generation that cannot be listed is passed over only where what is known of it says that it is older", () => {
  const whole = (generation: string, atMs: number): GenerationSpec => ({
    generation,
    snapshots: [{ index: 0, atMs }],
    wals: [{ index: 0, records: [[1, atMs + 10], [2, atMs + 20]] }],
  });
  const good = someFacts(whole("00000000000000bb", 1_000), LATEST);
  const damaged = (knownMs?: number) => {
    const snapshots = knownMs === undefined ? [] : [{ index: 0, atMs: knownMs }];
    return { ...someFacts({ generation: "00000000000000cc", snapshots, wals: [] }, LATEST), damage: "wal is a file" };
  };
  const planned = (target: RestoreTarget, knownMs?: number) => {
    const made = planRestore([damaged(knownMs), good], target);
    return made.kind === "plan" ? [made.generation] : [made.code, made.problem, made.reachable?.generation];
  };
  const refused = ["corrupt", "wal is a file", "00000000000000bb"];
  assertEquals(planned(LATEST), refused);
  assertEquals(planned(LATEST, 2_000), refused);
  assertEquals(planned(LATEST, 500), ["00000000000000bb"]);
  assertEquals(planned({ ...LATEST, generation: asGeneration("00000000000000bb") }), ["00000000000000bb"]);
  assertEquals(planned({ ...LATEST, generation: asGeneration("00000000000000cc") }, 500), [
    "corrupt",
    "wal is a file",
    undefined,
  ]);
  for (const knownMs of [undefined, 500, 2_000]) {
    const found = [999, 1_000, 1_020, 1_021].map((atMs) =>
      planRestore([damaged(knownMs), someFacts(whole("00000000000000bb", 1_000), at(atMs))], at(atMs))
    );
    assertEquals(found.map(({ kind }) => kind), ["refused", "plan", "plan", "refused"]);
    assertEquals(found.map((made) => made.kind === "refused" ? made.problem : ""), [
      "wal is a file",
      "",
      "",
      "wal is a file",
    ]);
  }
});

Deno.test("planRestore() names the newest state that is left, however many generations cannot be told", () => {
  const stray = (generation: string) => ({ ...someFacts({ generation, snapshots: [] }), damage: "it is a link" });
  const all = [stray("00000000000000cc"), stray("00000000000000dd"), someFacts(WHOLE)];
  for (const strays of [1, 2]) {
    const made = planRestore(all.slice(-1 - strays), LATEST);
    assert(made.kind === "refused" && made.code === "corrupt");
    assertEquals([made.reachable?.generation, ...reach(made) ?? []], [GENERATION, 2, after(5)]);
  }
});
