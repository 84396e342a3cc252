import { type Loss, lossesOf, sparedSnapshots } from "../../lib/restore/losses.ts";
import { type IndexRecords, rangesOf } from "../../lib/restore/ranges.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import { asOffset, type Index } from "../../lib/position/position.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { after, type GenerationSpec, someFacts } from "../support/catalog_builder.ts";

const WHOLE: GenerationSpec = {
  snapshots: [{ index: 0, atMs: 100 }],
  wals: [
    { index: 0, records: [[1, 110], [2, 120]], closedMs: 130 },
    { index: 1, records: [[1, 140]], closedMs: 150 },
    { index: 2, records: [[1, 160], [3, 170]] },
  ],
};

function losses(spec: GenerationSpec): Loss[] {
  const { facts, known } = readFacts(spec);
  return lossesOf(facts, known, rangesOf(facts, known));
}

/** How far each range goes, with the damaged snapshots that it does without. */
function ranges(spec: GenerationSpec): unknown[] {
  const { facts, known } = readFacts(spec);
  return rangesOf(facts, known).map((range) => [
    `${range.first.index}:${range.first.offset}`,
    `${range.last.index}:${range.last.offset}`,
    ...sparedSnapshots(facts, range).map(({ name }) => name),
  ]);
}

function readFacts(spec: GenerationSpec) {
  const facts = someFacts(spec);
  const records = new Map<Index, readonly CommitRecord[]>();
  for (const { index } of facts.catalog.wals) {
    const { lastRecord } = facts.catalog.wals.find((entry) => entry.index === index) ?? {};
    records.set(index, lastRecord === undefined ? [] : [lastRecord]);
  }
  const known: IndexRecords = records;
  return { facts, known };
}

function brief({ kind, first, last, bytes }: Loss): unknown[] {
  return [kind, `${first.index}:${first.offset}`, `${last.index}:${last.offset}`, last.capturedAtMs, bytes];
}

const WALS = WHOLE.wals ?? [];

Deno.test("lossesOf() finds none in a whole history, nor in one that begins later, nor where something is being made", () => {
  assertEquals(losses(WHOLE), []);
  assertEquals(losses({ ...WHOLE, snapshots: [{ index: 1, atMs: 135 }] }), [], "what is before it was being removed");
  assertEquals(losses({ ...WHOLE, snapshots: [], unfinishedAtMs: 1 }), []);
  assertEquals(losses({ snapshots: [] }), []);
});

Deno.test("lossesOf() tells of WAL that is shorter than its records say", () => {
  const shorter = { promisedEnd: asOffset(after(7)), sizeBytes: after(3) };
  const [lost, ...more] = losses({ ...WHOLE, wals: [...WALS.slice(0, 2), { ...WALS[2], index: 2, entry: shorter }] });
  assertEquals(more, []);
  assertEquals(lost === undefined ? [] : brief(lost).slice(0, 3), ["lost", `2:${after(3)}`, `2:${after(7)}`]);
  assertEquals(lost?.bytes, after(7) - after(3));
  assertMatch(lost?.problem ?? "", /wal\/0+2\.wal ends at byte/);
});

Deno.test("lossesOf() tells of WAL behind an index that is missing, and of all WAL without any snapshot", () => {
  const [behind, ...more] = losses({ ...WHOLE, wals: [WALS[0], WALS[2]].flatMap((wal) => wal ?? []) });
  assertEquals(more, []);
  assertEquals(behind === undefined ? [] : brief(behind).slice(0, 4), ["unusable", "2:0", `2:${after(3)}`, 170]);
  assertMatch(behind?.problem ?? "", /nothing leads to generations\/0+aa\/wal\/0+2\.wal/);
  const [all] = losses({ ...WHOLE, snapshots: [] });
  assertEquals(all === undefined ? [] : brief(all).slice(0, 4), ["unusable", "0:0", `2:${after(3)}`, 170]);
  assertEquals((all?.bytes ?? 0) > after(6), true, "all of it is counted");
  assertMatch(all?.problem ?? "", /snapshots\/0+\.snapshot is missing/);
});

const CUT = { entry: { sizeBytes: 100 } };
const UNREADABLE = { damage: "in a.record, a checksum does not match" };
const ALL_WAL = ["unusable", "0:0", `2:${after(3)}`, 170];

Deno.test("lossesOf() tells of each damaged snapshot that costs a point, and of the WAL that it would have led to", () => {
  const size = (index: number) => ["unusable", `${index}:0`, `${index}:0`];
  const cases: readonly (readonly [string, GenerationSpec, readonly unknown[][], readonly unknown[]])[] = [
    ["cut off, alone", { snapshots: [{ index: 0, atMs: 100, ...CUT }] }, [[...size(0), 100, 100]], []],
    ["unreadable, alone", { snapshots: [{ index: 0, atMs: 100, ...UNREADABLE }] }, [[...size(0), 100, 2_048]], []],
    [
      "cut off, in the other layout",
      { layout: "litestream", snapshots: [{ index: 0, atMs: 100, ...UNREADABLE }] },
      [[...size(0), 100, 2_048]],
      [],
    ],
    ["the only one", { ...WHOLE, snapshots: [{ index: 0, atMs: 100, ...CUT }] }, [[...size(0), 100, 100], ALL_WAL], []],
    [
      "all of them",
      { ...WHOLE, snapshots: [{ index: 0, atMs: 100, ...CUT }, { index: 2, atMs: 155, ...UNREADABLE }] },
      [[...size(0), 100, 100], ALL_WAL, [...size(2), 155, 2_048]],
      [],
    ],
    [
      "the older of two",
      { ...WHOLE, snapshots: [{ index: 0, atMs: 100, ...CUT }, { index: 2, atMs: 155 }] },
      [[...size(0), 100, 100], ["unusable", "0:0", `1:${after(1)}`, 150]],
      [["2:0", `2:${after(3)}`]],
    ],
    [
      "the newer of two, whose points the older one leads to",
      { ...WHOLE, snapshots: [{ index: 0, atMs: 100 }, { index: 2, atMs: 155, ...CUT }] },
      [],
      [["0:0", `2:${after(3)}`, 2]],
    ],
    [
      "the newer of two, whose place nobody can read",
      { ...WHOLE, snapshots: [{ index: 0, atMs: 100 }, { index: 2, atMs: 155, ...UNREADABLE }] },
      [],
      [["0:0", `2:${after(3)}`, 2]],
    ],
    [
      "behind all WAL",
      { ...WHOLE, snapshots: [{ index: 0, atMs: 100 }, { index: 5, atMs: 200, ...CUT }] },
      [[...size(5), 200, 100]],
      [["0:0", `2:${after(3)}`]],
    ],
    [
      "behind a gap",
      {
        ...WHOLE,
        snapshots: [{ index: 0, atMs: 100 }, { index: 2, atMs: 155, ...CUT }],
        wals: [WALS[0], WALS[2]].flatMap((wal) => wal ?? []),
      },
      [[...size(2), 155, 100], ["unusable", "2:0", `2:${after(3)}`, 170]],
      [["0:0", `0:${after(2)}`]],
    ],
  ];
  for (const [what, spec, expected, expectedRanges] of cases) {
    const found = losses(spec);
    assertEquals(found.map(brief).map((loss, slot) => loss.slice(0, expected[slot]?.length)), expected, what);
    assertEquals(ranges(spec), expectedRanges, what);
    assertEquals(found.filter(({ mayBeLeft }) => mayBeLeft), [], what);
    for (const { problem } of found) assertMatch(problem, /\.snapshot has 100 bytes|checksum does not match/, what);
  }
});

Deno.test("lossesOf() finds none where snapshots are encrypted for others", () => {
  const unread = { entry: { isUnread: true }, damage: "it is encrypted" };
  assertEquals(losses({ layout: "litestream", snapshots: [{ index: 0, atMs: 100, ...unread }] }).map(brief), []);
});

Deno.test("rangesOf() has the one point of a snapshot of Litestream's that stands alone", () => {
  const alone: GenerationSpec = { layout: "litestream", snapshots: [{ index: 0, atMs: 100, isPeers: true }] };
  assertEquals(ranges(alone), [["0:0", "0:0"]]);
  assertEquals(losses(alone), []);
});
