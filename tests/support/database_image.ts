/** What a database is, page by page: its file with its WAL applied by SQLite itself, on a copy. */
import { DatabaseSync } from "node:sqlite";

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
