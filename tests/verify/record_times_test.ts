import { parseGeneration } from "../../lib/position/generation.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationCatalog, WalEntry } from "../../lib/store/generation_store.ts";
import { RecordTimes } from "../../lib/verify/record_times.ts";
import { assert, assertEquals } from "../support/assert.ts";

const MINUTE_MS = 60_000;

function aRecord(end: number, capturedAtMs: number, extra: Partial<CommitRecord> = {}): CommitRecord {
  const basis = { kind: "sync", pageSize: 4096, databasePages: 1, capturedLate: false, indexClosed: false } as const;
  return { ...basis, start: asOffset(end - 10), end: asOffset(end), capturedAtMs, ...extra };
}

/** What is told of indexes, each given by its records, with a snapshot at an offset of the first of them. */
function told(indexes: readonly (readonly CommitRecord[])[], snapshot?: CommitRecord, isPeers = false): string[] {
  const generation = parseGeneration("00000000000000aa");
  assert(generation !== undefined);
  const basis = { index: asIndex(0), sizeBytes: 0, createdAtMs: 0 };
  const snapshots = snapshot === undefined ? [] : [{ ...basis, record: snapshot }];
  const catalog: GenerationCatalog = { layout: "raw", generation, snapshots, wals: [] };
  const problems: string[] = [];
  const times = new RecordTimes(catalog, (problem) => void problems.push(problem));
  indexes.forEach((records, slot) => {
    const entry: WalEntry = {
      ...basis,
      index: asIndex(slot),
      recordCount: records.length,
      ...(isPeers ? { isPeers } : {}),
    };
    times.take(entry, records);
  });
  return problems.map((problem) => problem.split(" (")[0] ?? "");
}

const WAL = "generations/00000000000000aa/wal";

Deno.test("RecordTimes tells a time that is earlier than the one before, in its index or at the end of the one before", () => {
  assertEquals(told([[aRecord(10, 5), aRecord(20, 5), aRecord(30, 6)]]), []);
  const second = [aRecord(10, 4)];
  assertEquals(told([[aRecord(10, 5), aRecord(20, 4)], second]), [
    `${WAL}/0000000000000000.commits: the record that ends at 20 is of 1970-01-01T00:00:00.004Z`,
  ]);
  assertEquals(told([[aRecord(10, 5)], second]), [
    `${WAL}/0000000000000001.commits: the record that ends at 10 is of 1970-01-01T00:00:00.004Z`,
  ]);
});

Deno.test("RecordTimes passes times that go back where the record says so, and times of files", () => {
  const ahead = 30 * MINUTE_MS;
  assertEquals(told([[aRecord(10, ahead), aRecord(20, 5, { capturedLate: true }), aRecord(30, 6)]]), []);
  assertEquals(told([[aRecord(10, ahead), aRecord(20, 5)]], undefined, true), []);
});

Deno.test("RecordTimes tells a time beyond all calendars once, and shows it as a number", () => {
  const [problem, ...others] = told([[aRecord(10, Number.MAX_SAFE_INTEGER), aRecord(20, 5)]]);
  assertEquals(problem?.endsWith(`says a time ${Number.MAX_SAFE_INTEGER} ms after 1970`), true);
  assertEquals(others, []);
});

Deno.test("RecordTimes tells a snapshot's time before that of its state, or more than a minute behind the next one", () => {
  const records = [aRecord(10, 5 * MINUTE_MS), aRecord(20, 6 * MINUTE_MS)];
  const at = (atMs: number, extra: Partial<CommitRecord> = {}) => {
    return told([records], aRecord(10, atMs, { kind: "snapshot", ...extra })).length;
  };
  assertEquals([at(5 * MINUTE_MS - 1), at(5 * MINUTE_MS), at(7 * MINUTE_MS), at(7 * MINUTE_MS + 1)], [1, 0, 0, 1]);
  assertEquals(at(1, { capturedLate: true }), 0);
});

Deno.test("RecordTimes says nothing of a snapshot of a state that a replica was brought over by a resync", () => {
  const snapshot = aRecord(10, 1, { kind: "snapshot" });
  assertEquals(told([[aRecord(10, 5 * MINUTE_MS, { kind: "resync" })]], snapshot), []);
});
