import { ReplicationError } from "../../lib/base/errors.ts";
import { openPageWriter, type PagesToWrite } from "../../lib/platform/page_writer.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { pageOf } from "../support/wal_builder.ts";

const PAGE_SIZE = 512;
const SLOTS_MAX = 65_536;

function batchOf(pages: readonly number[]): PagesToWrite {
  const batch = {
    pages: new Uint8Array(new SharedArrayBuffer(pages.length * PAGE_SIZE)),
    keys: new Float64Array(new SharedArrayBuffer(pages.length * 8)),
    count: pages.length,
    pageSize: PAGE_SIZE,
    slotsMax: SLOTS_MAX,
  };
  pages.forEach((page, slot) => {
    batch.pages.set(pageOf(PAGE_SIZE, page), slot * PAGE_SIZE);
    batch.keys[slot] = page * SLOTS_MAX + slot;
  });
  batch.keys.sort();
  return batch;
}

Deno.test("PageWriter.write() puts each page in its place, in runs longer than its staging memory too", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/draft`;
    Deno.writeFileSync(path, new Uint8Array(0));
    const random = seededRandom(7);
    const apart = [...new Set(Array.from({ length: 300 }, () => 2_000 + randomInteger(random, 900)))];
    const inARow = Array.from({ length: 1_500 }, (_, slot) => slot + 1);
    const writer = openPageWriter(path);
    await writer.write(batchOf(apart));
    await writer.write(batchOf(inARow.toReversed()));
    await writer.write(batchOf([]));
    await writer.close();
    const written = Deno.readFileSync(path);
    for (const page of [...apart, ...inARow]) {
      const at = (page - 1) * PAGE_SIZE;
      assertEquals(written.subarray(at, at + PAGE_SIZE), pageOf(PAGE_SIZE, page), `page ${page}`);
    }
    assertEquals(written.length, Math.max(...apart) * PAGE_SIZE);
  }));

for (
  const [path, code, said] of [
    ["/dev/full", "no-space", "no space left on the device"],
    ["/nowhere/draft", "not-found", "there is nothing at that path"],
  ] as const
) {
  Deno.test(`PageWriter.write() to ${path} fails with ${code}, and can be closed`, async () => {
    const writer = openPageWriter(path);
    const error = await assertRejects(() => writer.write(batchOf([1])), ReplicationError);
    assertEquals(error.code, code);
    assertStringIncludes(error.message, said);
    await writer.close().catch(() => {}); // What could not be opened need not be closed.
  });
}
