import { assert, assertEquals, assertFalse } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { type GoldenCommitRecord, readGoldenCommitRecords } from "../golden/read.ts";
import { crc32c } from "../../lib/base/crc32c.ts";
import { hex } from "../../lib/base/bytes.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import {
  COMMIT_RECORD_SIZE,
  type CommitRecord,
  formatCommitRecord,
  parseCommitRecord,
  type RecordHome,
} from "../../lib/store/commit_record.ts";

const HOME: RecordHome = { generation: asGeneration("59c6b84cb3f732e9"), index: asIndex(3) };

function aRecord(overrides: Partial<CommitRecord> = {}): CommitRecord {
  return {
    kind: "sync",
    pageSize: 4096,
    start: asOffset(0),
    end: asOffset(4152),
    capturedAtMs: 1_750_000_000_000,
    databasePages: 2,
    capturedLate: false,
    indexClosed: false,
    ...overrides,
  };
}

function fromGolden({ fields }: GoldenCommitRecord): CommitRecord {
  const { start, end, checksumHex, confirmedAt, ...rest } = fields;
  return {
    ...rest,
    start: asOffset(start),
    end: asOffset(end),
    ...(checksumHex === undefined ? {} : { checksum: Uint8Array.from(checksumHex.match(/../g) ?? [], parseHex) }),
    ...(confirmedAt === undefined
      ? {}
      : { confirmedAt: { index: asIndex(confirmedAt.index), offset: asOffset(confirmedAt.offset) } }),
  };
}

function homeOf({ home }: GoldenCommitRecord): RecordHome | undefined {
  return home && { generation: asGeneration(home.generation), index: asIndex(home.index) };
}

function parseHex(digits: string): number {
  return parseInt(digits, 16);
}

/** A record with one field overwritten and its checksum right again. */
function changed(record: CommitRecord, change: (view: DataView) => void, home?: RecordHome): Uint8Array {
  const bytes = formatCommitRecord(record, home);
  const view = new DataView(bytes.buffer);
  change(view);
  view.setUint32(60, crc32c(bytes.subarray(0, 60)), true);
  return bytes;
}

function reasonOf(bytes: Uint8Array): string {
  const parsed = parseCommitRecord(bytes);
  assertFalse(parsed.ok);
  return parsed.ok ? "" : parsed.reason;
}

for (const golden of readGoldenCommitRecords()) {
  Deno.test(`formatCommitRecord() and parseCommitRecord() agree with the golden bytes of "${golden.name}"`, () => {
    const record = fromGolden(golden);
    const home = homeOf(golden);
    assertEquals(hex(formatCommitRecord(record, home)), golden.bytes);
    const bytes = Uint8Array.from(golden.bytes.match(/../g) ?? [], parseHex);
    assertEquals(parseCommitRecord(bytes), { ok: true, record });
    assertEquals(parseCommitRecord(bytes, home), {
      ok: true,
      record: { ...record, ...(home === undefined ? {} : { isAtHome: true }) },
    });
  });
}

Deno.test("parseCommitRecord() reads the first 64 bytes and no more", () => {
  const longer = new Uint8Array(200).fill(0xee);
  longer.set(formatCommitRecord(aRecord()), 7);
  assertEquals(parseCommitRecord(longer.subarray(7)), { ok: true, record: aRecord() });
});

Deno.test("parseCommitRecord() refuses a record that is not whole", () => {
  const bytes = formatCommitRecord(aRecord());
  assertEquals(bytes.length, COMMIT_RECORD_SIZE);
  assertEquals(reasonOf(bytes.subarray(0, 63)), "a commit record has 63 of 64 bytes");
  assertEquals(reasonOf(new Uint8Array()), "a commit record has 0 of 64 bytes");
});

Deno.test("parseCommitRecord() refuses zeroes, as a file system leaves them after a crash", () => {
  assertEquals(reasonOf(new Uint8Array(64)), "a commit record's checksum does not match");
});

Deno.test("parseCommitRecord() refuses versions, kinds and flags it does not know, though their checksum is right", () => {
  assertEquals(
    reasonOf(changed(aRecord(), (view) => view.setUint8(0, 3))),
    "a commit record has the unknown version 3",
  );
  for (const kind of [0, 4, 255]) assert(reasonOf(changed(aRecord(), (view) => view.setUint8(1, kind))) !== "");
  for (let bit = 4; bit < 16; bit++) {
    assert(reasonOf(changed(aRecord(), (view) => view.setUint16(2, 1 << bit, true))) !== "", `flag ${bit}`);
  }
});

Deno.test("parseCommitRecord() refuses what no writer can mean, though its checksum is right", () => {
  const impossible: Record<string, Uint8Array> = {
    "a page size that is none": changed(aRecord(), (view) => view.setUint32(4, 4097, true)),
    "an end before the start": changed(aRecord(), (view) => view.setUint32(8, 9000, true)),
    "a start beyond 2^53": changed(aRecord(), (view) => view.setUint32(12, 0xffffffff, true)),
    "an end beyond 2^53": changed(aRecord(), (view) => view.setUint32(20, 0x00200000, true)),
    "a time beyond 2^53": changed(aRecord(), (view) => view.setUint32(28, 0xffffffff, true)),
    "a checksum said to be absent": changed(aRecord(), (view) => view.setUint8(43, 1)),
    "a confirmation said to be absent": changed(aRecord(), (view) => view.setUint8(52, 1)),
    "frames in a closing record": changed(aRecord(), (view) => view.setUint16(2, 8, true)),
    "frames in a snapshot's record": changed(aRecord(), (view) => view.setUint8(1, 2)),
    "frames without a page size": changed(aRecord(), (view) => view.setUint32(4, 0, true)),
  };
  for (const [what, bytes] of Object.entries(impossible)) {
    assertEquals(reasonOf(bytes), "a commit record has impossible contents", what);
  }
});

Deno.test("parseCommitRecord() tells a record that was written for another index or generation", () => {
  const bytes = formatCommitRecord(aRecord(), HOME);
  const elsewhere: readonly [RecordHome, string][] = [
    [{ ...HOME, index: asIndex(4) }, "index 0000000000000003, not for 0000000000000004"],
    [{ ...HOME, index: asIndex(3 + 2 ** 32) }, "index 0000000000000003, not for 0000000100000003"],
    [
      { ...HOME, generation: asGeneration("59c6b84cb3f732ea") },
      "index 0000000000000003 of generation 59c6b84cb3f732e9, not of 59c6b84cb3f732ea",
    ],
  ];
  for (const [home, where] of elsewhere) {
    const reason = `a commit record was written for ${where}`;
    assertEquals(parseCommitRecord(bytes, home), { ok: false, reason, unsupported: false, foreign: true });
  }
});

Deno.test("parseCommitRecord() takes a record of version 1 wherever it is found", () => {
  assertEquals(parseCommitRecord(formatCommitRecord(aRecord()), HOME), { ok: true, record: aRecord() });
});

Deno.test("parseCommitRecord() refuses of version 2 what no writer can mean, though its checksum is right", () => {
  const impossible: Record<string, Uint8Array> = {
    "a page size that is none": changed(aRecord(), (view) => view.setUint8(3, 17), HOME),
    "an end before the start": changed(aRecord(), (view) => view.setUint32(4, 9000, true), HOME),
    "a checksum said to be absent": changed(aRecord(), (view) => view.setUint8(33, 1), HOME),
    "a confirmation said to be absent": changed(aRecord(), (view) => view.setUint8(45, 1), HOME),
    "frames in a closing record": changed(aRecord(), (view) => view.setUint8(2, 8), HOME),
    "frames without a page size": changed(aRecord(), (view) => view.setUint8(3, 0), HOME),
  };
  for (const [what, bytes] of Object.entries(impossible)) {
    assertEquals(reasonOf(bytes), "a commit record has impossible contents", what);
  }
  for (let bit = 4; bit < 8; bit++) {
    const reason = reasonOf(changed(aRecord(), (view) => view.setUint8(2, 1 << bit), HOME));
    assertEquals(reason, "a commit record has a kind or flags that this version does not know");
  }
});

Deno.test("parseCommitRecord() takes the snapshot of a database without pages", () => {
  const record = aRecord({ kind: "snapshot", pageSize: 0, end: asOffset(0), databasePages: 0 });
  for (const home of [undefined, HOME]) {
    assertEquals(parseCommitRecord(formatCommitRecord(record, home)), { ok: true, record });
  }
});

Deno.test("parseCommitRecord() refuses a time that no date can be, and takes the last one that can", () => {
  const at = (ms: number) => formatCommitRecord(aRecord({ capturedAtMs: ms }));
  assert(parseCommitRecord(at(8.64e15)).ok);
  assertEquals(reasonOf(at(8.64e15 + 1)), "a commit record has impossible contents");
});
