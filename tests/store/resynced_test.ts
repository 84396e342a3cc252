import { asIndex, asOffset } from "../../lib/position/position.ts";
import type { CommitRecord, CommitRecordKind } from "../../lib/store/commit_record.ts";
import { endOf, followsResync } from "../../lib/store/resynced.ts";
import { assertEquals } from "../support/assert.ts";

function entry(index: number, kind: CommitRecordKind | undefined) {
  const record: CommitRecord = {
    kind: kind ?? "sync",
    pageSize: 4_096,
    start: asOffset(4_152),
    end: asOffset(4_152),
    capturedAtMs: 1,
    databasePages: 1,
    capturedLate: false,
    indexClosed: true,
  };
  return { index: asIndex(index), ...(kind === undefined ? {} : { lastRecord: record }) };
}

Deno.test("followsResync() goes by the last record of the very index before", () => {
  const follows = (...wals: ReturnType<typeof entry>[]) => followsResync(wals, asIndex(5));
  assertEquals(follows(entry(3, "sync"), entry(4, "resync"), entry(5, undefined)), true);
  assertEquals(follows(entry(4, "resync")), true);
  assertEquals(follows(entry(3, "resync"), entry(4, "sync"), entry(5, "resync")), false);
  assertEquals(follows(entry(3, "resync"), entry(5, "sync")), false);
  assertEquals(follows(entry(4, undefined)), false);
  assertEquals(follows(), false);
});

Deno.test("endOf() says when a resync is the last thing that an index holds", () => {
  const { lastRecord } = entry(4, "resync");
  assertEquals(lastRecord && endOf(asIndex(4), lastRecord), {
    index: asIndex(4),
    offset: asOffset(4_152),
    closed: true,
    endsInResync: true,
  });
});
