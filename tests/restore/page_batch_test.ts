import { SystemClock } from "../../lib/platform/clock.ts";
import { EarlySync } from "../../lib/platform/early_sync.ts";
import type { FileHandle } from "../../lib/platform/file_system.ts";
import { PageBatch } from "../../lib/restore/page_batch.ts";
import { assertEquals } from "../support/assert.ts";
import { pageOf } from "../support/wal_builder.ts";

const PAGE_SIZE = 512;

function notedHandle(writes: (readonly [page: number, pages: number])[], image: Uint8Array): FileHandle {
  const handle = {} as FileHandle;
  handle.writeAt = (bytes, position) => {
    writes.push([position / PAGE_SIZE + 1, bytes.length / PAGE_SIZE]);
    image.set(bytes, position);
  };
  return handle;
}

function batchFor(draft: FileHandle, databaseBytes: number): PageBatch {
  const tools = { clock: new SystemClock(), early: new EarlySync(draft, true) };
  return new PageBatch(draft, { pageSize: PAGE_SIZE, databaseBytes }, tools);
}

Deno.test("flush() writes in page order, neighbours in one write, and empties the batch", async () => {
  const writes: (readonly [number, number])[] = [];
  const image = new Uint8Array(20 * PAGE_SIZE);
  const batch = batchFor(notedHandle(writes, image), image.length);
  const bytes = new Uint8Array(3 + PAGE_SIZE);
  for (const page of [9, 2, 20, 3, 10, 1, 7]) {
    bytes.set(pageOf(PAGE_SIZE, page), 3);
    batch.add(page, bytes, 3);
  }
  await batch.flush();
  assertEquals(writes, [[1, 3], [7, 1], [9, 2], [20, 1]]);
  for (const page of [1, 2, 3, 7, 9, 10, 20]) {
    assertEquals(image.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE), pageOf(PAGE_SIZE, page), `page ${page}`);
  }
  await batch.flush();
  assertEquals(writes.length, 4);
});

Deno.test("isFull says when a batch has room no more, which is never more than the database has pages", async () => {
  const batch = batchFor(notedHandle([], new Uint8Array(3 * PAGE_SIZE)), 3 * PAGE_SIZE);
  const page = pageOf(PAGE_SIZE, 1);
  const full = [1, 2, 3].map((number) => (batch.add(number, page, 0), batch.isFull));
  assertEquals(full, [false, false, true]);
  await batch.flush();
  assertEquals(batch.isFull, false);
});
