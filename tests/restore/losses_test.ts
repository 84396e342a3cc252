import { type Loss, lossesOf } from "../../lib/restore/losses.ts";
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
  const facts = someFacts(spec);
  const records = new Map<Index, readonly CommitRecord[]>();
  for (const { index } of facts.catalog.wals) {
    const { lastRecord } = facts.catalog.wals.find((entry) => entry.index === index) ?? {};
    records.set(index, lastRecord === undefined ? [] : [lastRecord]);
  }
  const known: IndexRecords = records;
  return lossesOf(facts, known, rangesOf(facts, known));
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
