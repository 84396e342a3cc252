import { asIndex, asOffset } from "../../lib/position/position.ts";
import {
  COMMIT_RECORD_SIZE,
  type CommitRecord,
  formatCommitRecord,
  parseCommitRecord,
} from "../../lib/store/commit_record.ts";
import { CommitRecordList } from "../../lib/store/commit_records.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";

const HOME = { generation: asGeneration("00000000000000aa"), index: asIndex(3) };

/** Of all versions and kinds, with gaps, and every field present, absent, the same again and another one. */
function someRecords(count: number): { readonly bytes: Uint8Array; readonly record: CommitRecord }[] {
  return Array.from({ length: count }, (_, slot) => {
    const start = slot * 1_000 + (slot % 5 === 0 ? 7 : 0);
    const bytes = formatCommitRecord({
      kind: slot % 7 === 0 ? "resync" : "sync",
      pageSize: slot % 50 < 40 ? 4096 : 512,
      start: asOffset(start),
      end: asOffset((slot + 1) * 1_000),
      capturedAtMs: 1_000_000 + Math.floor(slot / 3) * 2 ** 33,
      databasePages: 2 + Math.floor(slot / 4),
      ...(slot % 3 === 0 ? {} : { checksum: new Uint8Array(8).fill(slot >> 1) }),
      ...(slot % 4 === 0 ? {} : { confirmedAt: { index: asIndex(slot >> 3), offset: asOffset(2 ** 40 + slot) } }),
      capturedLate: slot % 11 === 0,
      indexClosed: false,
    }, slot % 100 < 80 ? HOME : undefined);
    const parsed = parseCommitRecord(bytes, HOME);
    assert(parsed.ok);
    return { bytes, record: parsed.record };
  });
}

Deno.test("CommitRecordList gives every record back as it was read, of all versions and wherever it stands", () => {
  const some = someRecords(5_000);
  for (const count of [0, 1, 2, 5, 5_000]) {
    const list = new CommitRecordList();
    const buffer = new Uint8Array(COMMIT_RECORD_SIZE); // Used again.
    for (const { bytes } of some.slice(0, count)) {
      buffer.set(bytes);
      list.pushStored(buffer);
    }
    const records = some.slice(0, count).map(({ record }) => record);
    assertEquals([list.length, [...list]], [count, records]);
    for (const slot of [-1, 0, 1, 4, 4_999, 5_000, -5_000, -5_001]) assertEquals(list.at(slot), records.at(slot));
    for (const end of [0, 1_000, 5_000, 2_500_000]) {
      const isIt = (record: CommitRecord) => record.end <= end;
      assertEquals([list.find(isIt), list.findLast(isIt), list.some(isIt)], [
        records.find(isIt),
        records.findLast(isIt),
        records.some(isIt),
      ]);
    }
  }
});

Deno.test("CommitRecordList goes on behind lists and arrays that were appended", () => {
  const some = someRecords(40);
  const [joined, first, second] = [new CommitRecordList(), new CommitRecordList(), new CommitRecordList()];
  for (const { bytes } of some.slice(0, 10)) first.pushStored(bytes);
  for (const { bytes } of some.slice(20, 30)) second.pushStored(bytes);
  joined.append(first);
  joined.append(some.slice(10, 20).map(({ record }) => record));
  joined.append(second);
  joined.append(new CommitRecordList());
  for (const { bytes } of some.slice(30)) joined.pushStored(bytes);
  assertEquals([...joined], some.map(({ record }) => record));
  assertEquals([first.length, second.length, joined.at(-1)], [10, 10, some.at(-1)?.record]);
});
