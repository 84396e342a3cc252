/** What a database is, page by page: its file with its WAL applied by SQLite itself, on a copy. */
import { DatabaseSync } from "node:sqlite";
import { DatabaseChecksum, lockPage } from "../../lib/pages/database_checksum.ts";
import { pageHasher } from "../../lib/pages/page_hasher.ts";

/** The bytes that a complete checkpoint would leave. The database is only read. */
export function databaseImage(path: string, scratch: string): Uint8Array {
  Deno.mkdirSync(scratch, { recursive: true });
  const copy = `${scratch}/image.db`;
  for (const suffix of ["", "-wal", "-shm"]) removeIfThere(`${copy}${suffix}`);
  Deno.writeFileSync(copy, Deno.readFileSync(path));
  try {
    Deno.writeFileSync(`${copy}-wal`, Deno.readFileSync(`${path}-wal`));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const connection = new DatabaseSync(copy);
  connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  connection.close();
  return Deno.readFileSync(copy);
}

/** The checksum of the database that an image is. */
export function checksumOf(image: Uint8Array, pageSize: number): Uint8Array {
  const values = new Uint32Array(image.length / pageSize * 2);
  pageHasher().hashPages(image, pageSize, 1, values);
  const lock = lockPage(pageSize) * 2;
  const sum = new DatabaseChecksum();
  sum.addAll(values.length < lock ? values : values.filter((_, word) => word !== lock - 2 && word !== lock - 1));
  return sum.bytes();
}

export interface Comparison {
  readonly pages: number;
  /** Page numbers that differ, or are there on one side only. */
  readonly different: readonly number[];
}

export function comparePages(a: Uint8Array, b: Uint8Array): Comparison {
  const stored = new DataView(a.buffer, a.byteOffset).getUint16(16);
  const pageSize = stored === 1 ? 65_536 : stored;
  const pages = Math.max(a.length, b.length) / pageSize;
  const different: number[] = [];
  for (let page = 1; page <= pages; page++) {
    const from = (page - 1) * pageSize;
    if (!equal(a.subarray(from, from + pageSize), b.subarray(from, from + pageSize))) different.push(page);
  }
  return { pages, different };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
