import { viewOf } from "../../lib/base/bytes.ts";
import { DatabaseChecksum } from "../../lib/pages/database_checksum.ts";
import { pageHasher } from "../../lib/pages/page_hasher.ts";
import { PageLedger } from "../../lib/pages/page_ledger.ts";
import { HEADER_SLOT_SIZE, PAGE_TABLE_HEADER_SIZE } from "../../lib/pages/page_table_header.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { FRAME_HEADER_SIZE, frameSize } from "../../lib/wal/frame.ts";
import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";

const FILES = unsyncedFiles();
const GENERATION = "0123456789abcdef" as Generation;
const START = { index: asIndex(0), offset: asOffset(0) };

/** Frames of one transaction: page numbers and what they are filled with. */
function frames(pageSize: number, databasePages: number, ...pages: readonly (readonly [page: number, fill: number])[]) {
  const size = frameSize(pageSize);
  const bytes = new Uint8Array(pages.length * size);
  const view = viewOf(bytes);
  for (const [slot, [page, fill]] of pages.entries()) {
    view.setUint32(slot * size, page);
    view.setUint32(slot * size + 4, slot === pages.length - 1 ? databasePages : 0);
    bytes.fill(fill, slot * size + FRAME_HEADER_SIZE, (slot + 1) * size);
  }
  return bytes;
}

/** From scratch, of a database in which the given pages are filled so and all others are of zeros. */
function expected(pageSize: number, databasePages: number, fills: ReadonlyMap<number, number>, without?: number) {
  const sum = new DatabaseChecksum();
  const value = new Uint32Array(2);
  const page = new Uint8Array(pageSize);
  for (let number = 1; number <= databasePages; number++) {
    if (number === without) continue;
    page.fill(fills.get(number) ?? 0);
    pageHasher().hashPages(page, pageSize, number, value);
    sum.addAll(value);
  }
  return sum.bytes();
}

/** The ledger of a database whose pages are filled with their numbers, all of which it has seen. */
function aLedger(folder: string, pageSize: number, pages: number): PageLedger {
  const ledger = PageLedger.create(FILES, `${folder}/pages`, pageSize, pages);
  ledger.beginPass(START);
  ledger.see(1, imageOf(pageSize, pages));
  assert(ledger.isUsable);
  return ledger;
}

function imageOf(pageSize: number, pages: number): Uint8Array {
  const image = new Uint8Array(pageSize * pages);
  for (let page = 1; page <= pages; page++) image.fill(page, (page - 1) * pageSize, page * pageSize);
  return image;
}

function ownFills(pages: number): Map<number, number> {
  return new Map(Array.from({ length: pages }, (_, slot) => [slot + 1, slot + 1]));
}

Deno.test("PageLedger leaves out the page at 1 GiB that SQLite locks, and counts pages that nobody wrote as zeros", () =>
  withTemporaryFolder((folder) => {
    const ledger = aLedger(folder, 65_536, 2);
    const pages = 16_390;
    ledger.addFrames(frames(65_536, pages, [2, 7], [16_384, 1], [16_386, 2], [pages, 3]));
    const after = ledger.checksumAfter(pages);
    const fills = new Map([[1, 1], [2, 7], [16_384, 1], [16_386, 2], [pages, 3]]);
    assertEquals(after, expected(65_536, pages, fills, 16_385));
    ledger.apply();
    ledger.addFrames(frames(65_536, 16_384, [1, 9]));
    assertEquals(ledger.checksumAfter(16_384), expected(65_536, 16_384, new Map([...fills, [1, 9]])));
    ledger.close();
  }));

Deno.test("PageLedger follows a transaction that is larger than what waits in memory, page after page twice", () =>
  withTemporaryFolder((folder) => {
    const ledger = aLedger(folder, 512, 10);
    const pages = 20_000;
    const all = Array.from({ length: pages }, (_, slot) => [slot + 1, (slot * 7 + 1) & 255] as const);
    ledger.addFrames(frames(512, 0, ...all.map(([page]) => [page, 200] as const)));
    ledger.addFrames(frames(512, pages, ...all.toReversed()));
    assertEquals(ledger.checksumAfter(pages), expected(512, pages, new Map(all)));
    ledger.apply();
    ledger.addFrames(frames(512, 5, [3, 1]));
    ledger.checksumAfter(5);
    ledger.apply();
    assertEquals(ledger.checksum, expected(512, 5, new Map([...all, [3, 1]])));
    ledger.close();
  }));

Deno.test("PageLedger no longer claims a checksum after part of a transaction in the table was taken back", () =>
  withTemporaryFolder((folder) => {
    const small = aLedger(folder, 512, 10);
    const before = small.checksum;
    small.addFrames(frames(512, 0, [3, 99]));
    small.forget();
    assertEquals(small.checksum, before);
    const pages = Array.from({ length: 20_000 }, (_, slot) => [slot + 1, 5] as const);
    small.addFrames(frames(512, 0, ...pages));
    small.forget();
    assertEquals([small.checksum, small.isUsable], [undefined, false]);
    small.close();
  }));

Deno.test("PageLedger names the pages of the file that are not what was captured, those of the present life once it was copied", () =>
  withTemporaryFolder((folder) => {
    const ledger = aLedger(folder, 512, 10);
    ledger.addFrames(frames(512, 10, [4, 44]));
    ledger.checksumAfter(10);
    ledger.apply();
    const file = imageOf(512, 10);
    file[7 * 512 + 100] = 1; // Page 8, behind SQLite's back. Page 4 is of an older time, rightly.
    const look = () => {
      ledger.beginPass(START);
      return ledger.see(1, file);
    };
    assertEquals(look(), [8]);
    ledger.noteCopied();
    assertEquals(look(), [4, 8]);
    file.fill(44, 3 * 512, 4 * 512);
    file.fill(8, 7 * 512, 8 * 512);
    assertEquals(look(), []);
    ledger.close();
  }));

Deno.test("PageLedger names pages that the file lacks, but for those of zeros and of the present life", () =>
  withTemporaryFolder((folder) => {
    const ledger = aLedger(folder, 512, 300);
    ledger.addFrames(frames(512, 302, [7, 77], [302, 1])); // Nobody wrote page 301.
    ledger.checksumAfter(302);
    ledger.apply();
    ledger.beginPass({ index: asIndex(1), offset: asOffset(0) });
    assertEquals(ledger.see(1, imageOf(512, 5)), []);
    const lacking = ledger.seeEnd(6);
    assertEquals([lacking[0], lacking[1], lacking.length], [6, 8, 100]);
    assertEquals([ledger.isPassUnderWay, ledger.confirmedAt], [false, START]);
    ledger.beginPass({ index: asIndex(1), offset: asOffset(0) });
    assertEquals([ledger.see(1, imageOf(512, 300)), ledger.seeEnd(301)], [[], []]);
    assertEquals(ledger.confirmedAt?.index, asIndex(1));
    ledger.close();
  }));

Deno.test("PageLedger ends a look at the whole file when the database becomes smaller than what was looked at", () =>
  withTemporaryFolder((folder) => {
    const ledger = aLedger(folder, 512, 10);
    ledger.beginPass({ index: asIndex(1), offset: asOffset(0) });
    ledger.see(1, imageOf(512, 8));
    ledger.addFrames(frames(512, 5, [1, 1]));
    ledger.checksumAfter(5);
    ledger.apply();
    assertEquals([ledger.isPassUnderWay, ledger.confirmedAt?.index], [false, asIndex(1)]);
    ledger.close();
  }));

async function stored(folder: string): Promise<Uint8Array> {
  const ledger = aLedger(folder, 512, 10);
  await ledger.store({ generation: GENERATION, index: asIndex(3), offset: asOffset(0) });
  await ledger.store({ generation: GENERATION, index: asIndex(4), offset: asOffset(0) });
  ledger.close();
  return Deno.readFileSync(`${folder}/pages`);
}

function opened(folder: string): number | undefined {
  const found = PageLedger.open(FILES, `${folder}/pages`);
  found?.ledger.close();
  return found?.header.position.index;
}

Deno.test("PageLedger.open() takes the newer of two headers, the older one where a crash has torn it, and none where both are", () =>
  withTemporaryFolder(async (folder) => {
    const bytes = await stored(folder);
    assertEquals(opened(folder), 4);
    const slotOf = (index: number) => bytes[24] === index ? 0 : HEADER_SLOT_SIZE;
    for (const [slot, wanted] of [[slotOf(4), 3], [slotOf(3), undefined]] as const) {
      bytes.fill(0, slot + 60, slot + PAGE_TABLE_HEADER_SIZE);
      Deno.writeFileSync(`${folder}/pages`, bytes);
      assertEquals(opened(folder), wanted);
    }
  }));

Deno.test("PageLedger.settle() tells a table whose values are not those of the checksum that was stored", () =>
  withTemporaryFolder(async (folder) => {
    const bytes = await stored(folder);
    const settle = () => {
      const found = PageLedger.open(FILES, `${folder}/pages`);
      const sum = found?.ledger.settle();
      found?.ledger.close();
      return sum;
    };
    assertEquals(settle(), expected(512, 10, ownFills(10)));
    bytes[4096 + 8 * 6] = (bytes[4096 + 8 * 6] ?? 0) ^ 1;
    Deno.writeFileSync(`${folder}/pages`, bytes);
    assertNotEquals(settle(), expected(512, 10, ownFills(10)));
  }));
