import { parseGeneration } from "../../lib/position/generation.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationCatalog, WalEntry } from "../../lib/store/generation_store.ts";
import { RecordTimes } from "../../lib/verify/record_times.ts";
import { assert, assertEquals } from "../support/assert.ts";

const MINUTE_MS = 60_000;

function aRecord(end: number, capturedAtMs: number, extra: Partial<CommitRecord> = {}): CommitRecord {
  return { ...ofVersion1(end, capturedAtMs), isAtHome: true, ...extra };
}

function ofVersion1(end: number, capturedAtMs: number, extra: Partial<CommitRecord> = {}): CommitRecord {
  const basis = { kind: "sync", pageSize: 4096, databasePages: 1, capturedLate: false, indexClosed: false } as const;
  return { ...basis, start: asOffset(end - 10), end: asOffset(end), capturedAtMs, ...extra };
}

/** What is wrong of indexes, each given by its records, with a snapshot at an offset of the first of them; nothing is odd. */
function told(indexes: readonly (readonly CommitRecord[])[], snapshot?: CommitRecord, isPeers = false): string[] {
  const { wrong, odd } = allTold(indexes, snapshot, isPeers);
  assertEquals(odd, []);
  return wrong;
}

function allTold(indexes: readonly (readonly CommitRecord[])[], snapshot?: CommitRecord, isPeers = false) {
  const generation = parseGeneration("00000000000000aa");
  assert(generation !== undefined);
  const basis = { index: asIndex(0), sizeBytes: 0, createdAtMs: 0 };
  const snapshots = snapshot === undefined ? [] : [{ ...basis, record: snapshot }];
  const catalog: GenerationCatalog = { layout: "raw", generation, snapshots, wals: [] };
  const found = { wrong: [] as string[], odd: [] as string[] };
  const shown = (problem: string) => problem.split(" (")[0] ?? "";
  const times = new RecordTimes(catalog, {
    wrong: (problem) => void found.wrong.push(shown(problem)),
    odd: (problem) => void found.odd.push(shown(problem)),
  });
  indexes.forEach((records, slot) => {
    const entry: WalEntry = {
      ...basis,
      index: asIndex(slot),
      recordCount: records.length,
      ...(isPeers ? { isPeers } : {}),
    };
    times.take(entry, records);
  });
  return found;
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

Deno.test("RecordTimes tells a snapshot's time at the end of its index by the first commit of the next one", () => {
  const closing = aRecord(10, 5 * MINUTE_MS, { start: asOffset(10), indexClosed: true });
  const next = aRecord(10, 6 * MINUTE_MS);
  const at = (atMs: number, others: readonly (readonly CommitRecord[])[], last = closing) => {
    const snapshot = aRecord(10, atMs, { kind: "snapshot" });
    return told([[aRecord(10, 5 * MINUTE_MS), last], ...others], snapshot);
  };
  assertEquals(at(7 * MINUTE_MS, [[next]]), []);
  assertEquals(at(7 * MINUTE_MS + 1, [[next]]), [
    "generations/00000000000000aa/snapshots/0000000000000000.record is of 1970-01-01T00:07:00.001Z",
  ]);
  assertEquals(at(8 * MINUTE_MS, []), [], "no commit follows");
  assertEquals(at(8 * MINUTE_MS, [[{ ...next, capturedLate: true }]]), []);
  assertEquals(
    at(8 * MINUTE_MS, [[next]], { ...closing, capturedLate: true }),
    [],
    "that says of the clock what is to say",
  );
  assertEquals(at(8 * MINUTE_MS, [[{ ...next, kind: "resync" }]]), []);
});

Deno.test("RecordTimes says nothing of a snapshot of a state that a replica was brought over by a resync", () => {
  const snapshot = aRecord(10, 1, { kind: "snapshot" });
  assertEquals(told([[aRecord(10, 5 * MINUTE_MS, { kind: "resync" })]], snapshot), []);
});

Deno.test("RecordTimes finds odd what goes back in records of version 1, whose writers did not say why, and fails nothing", () => {
  const key = `${WAL}/0000000000000000.commits`;
  const odd = [`${key}: the record that ends at 20 is of 1970-01-01T00:00:00.004Z`];
  const first = [ofVersion1(10, 5), ofVersion1(20, 4), ofVersion1(30, 3)];
  assertEquals(allTold([first]), { wrong: [], odd });
  assertEquals(allTold([[...first, aRecord(40, 3)]]), { wrong: [], odd });
  const snapshot = ofVersion1(10, 4, { kind: "snapshot" });
  assertEquals(allTold([[ofVersion1(10, 5)]], snapshot).wrong, []);
  assertEquals(allTold([[ofVersion1(10, 5)]], snapshot).odd.length, 1);
  const behind = [ofVersion1(10, 5), ofVersion1(20, 6)];
  assertEquals(allTold([behind], ofVersion1(10, 2 * MINUTE_MS, { kind: "snapshot" })).odd.length, 1);
});

Deno.test("RecordTimes tells what is wrong in an index in which something is odd, too", () => {
  const wrong = [`${WAL}/0000000000000000.commits: the record that ends at 40 is of 1970-01-01T00:00:00.003Z`];
  const records = [ofVersion1(10, 5), ofVersion1(20, 4), aRecord(30, 4), aRecord(40, 3)];
  assertEquals(allTold([records]), { wrong, odd: [] });
});
