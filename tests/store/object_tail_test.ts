import { asIndex, asOffset } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import { CommitRecordList } from "../../lib/store/commit_records.ts";
import { formatObjectTail, parseObjectTail } from "../../lib/store/object_tail.ts";
import { withTrailerEnding } from "../../lib/lz4/trailer.ts";
import { encodeFrame } from "../../lib/lz4/frame_encoder.ts";
import { inMemory } from "../lz4/stage.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { aStore, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

function record(start: number, end: number, indexClosed = false): CommitRecord {
  return {
    kind: "sync",
    pageSize: 512,
    start: asOffset(start),
    end: asOffset(end),
    capturedAtMs: 1_000,
    databasePages: 2,
    capturedLate: false,
    indexClosed,
  };
}

Deno.test("parseObjectTail() keeps of any number of records those that say something", async () => {
  const nothing = (at: number) => Array.from({ length: 1_000 }, () => record(at, at));
  const records = [record(0, 568), ...nothing(568), record(568, 1_104), ...nothing(1_104), record(1_104, 1_104, true)];
  const home = { generation: asGeneration("00000000000000aa"), index: asIndex(0) };
  const bytes = formatObjectTail({ records, contentBytes: 1_104, stateIndex: asIndex(0) }, home);
  const kept = new CommitRecordList();
  const parsed = await parseObjectTail(inMemory(bytes), home, kept);
  assertEquals(kept.map(({ start, end }) => [start, end]), [[0, 568], [568, 1_104], [1_104, 1_104]]);
  assert(parsed.ok);
  assertEquals([parsed.tail.first, parsed.tail.last], [kept.at(0), kept.at(-1)]);
});

Deno.test("parseObjectTail() reads a long tail piece by piece, and finds one bit that is flipped anywhere", async () => {
  const records = Array.from({ length: 20_000 }, (_, slot) => record(slot, slot + 1));
  const home = { generation: asGeneration("00000000000000aa"), index: asIndex(0) };
  const bytes = formatObjectTail({ records, contentBytes: 20_000, stateIndex: asIndex(0) }, home);
  const kept = new CommitRecordList();
  let longest = 0;
  const { sizeBytes, ...source } = inMemory(bytes);
  const read = (at: number, into: Uint8Array) => {
    longest = Math.max(longest, into.length);
    return source.read(at, into);
  };
  const parsed = await parseObjectTail({ sizeBytes, read }, home, kept);
  assert(parsed.ok);
  assertEquals([kept.length, kept.at(0)?.end, kept.at(-1)?.end, parsed.tail.last?.end], [20_000, 1, 20_000, 20_000]);
  assertEquals(longest, 1 << 20);
  for (const at of [0, 8, 30, 24 + 64 * 16_384, bytes.length - 1]) {
    const found = await parseObjectTail(inMemory(bytes.with(at, (bytes[at] ?? 0) ^ 4)), home);
    assertEquals(found.ok ? "" : found.reason, "its tail's checksum does not match");
  }
});

Deno.test("parseObjectTail() refuses records that do not follow each other", async () => {
  const home = { generation: asGeneration("00000000000000aa"), index: asIndex(0) };
  const records = [record(0, 568), record(600, 1_104)];
  const bytes = formatObjectTail({ records, contentBytes: 1_104, stateIndex: asIndex(0) }, home);
  const found = await parseObjectTail(inMemory(bytes), home);
  assertEquals(
    found.ok ? "" : found.reason,
    "in its tail, a commit record does not start where the one before ended",
  );
});

Deno.test({
  name: "LitestreamStore.records() takes more records of one segment than a call has parameters",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const count = 200_000;
      const { generation } = await new ReplicaBuilder(folder, { layout: "litestream" }).snapshot(
        0,
        0,
        imageOf(4096, 1),
      );
      const wal = new WalBuilder();
      wal.commit(1, [1, 1]);
      // Only where each begins and ends is looked at here; the WAL itself is another matter.
      const records = Array.from({ length: count }, (_, slot) => record(slot, slot + 1));
      const pieces = [wal.bytes(), new Uint8Array(0)];
      const next = () => Promise.resolve(pieces.shift() ?? new Uint8Array(0));
      const tail = () =>
        withTrailerEnding(
          formatObjectTail({ records, contentBytes: wal.bytes().length, stateIndex: asIndex(0) }, {
            generation,
            index: asIndex(0),
          }),
        );
      const frame = encodeFrame(next, tail);
      const parts: Uint8Array[] = [];
      for (let part = await frame.next(); part.length > 0; part = await frame.next()) parts.push(part.slice());
      frame.close();
      const key = `${folder}/generations/${generation}/wal/00000000_00000000.wal.lz4`;
      Deno.mkdirSync(key.slice(0, key.lastIndexOf("/")), { recursive: true });
      Deno.writeFileSync(key, new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer()));
      assertEquals((await aStore(folder, "litestream").records(generation, asIndex(0))).length, count);
    }),
});
