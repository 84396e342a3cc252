/**
 * Makes the golden files: WALs written by the SQLite that is built into Deno, and commit records, each with what must be
 * read from it. What is expected is said by SQLite's own recovery and by the plain walker below, never by the program's
 * code. SQLite draws its salts by chance, so each run makes other bytes; the files in git are the ones that count.
 *
 *     deno run -A tests/golden/make.ts
 */
import { DatabaseSync } from "node:sqlite";
import { makeCommitRecords } from "./commit_records.ts";

const FOLDER = new URL("./wal", import.meta.url).pathname;

const HEADER_SIZE = 32;
const FRAME_HEADER_SIZE = 24;

/** A database and its WAL as two consistent copies. */
interface Pair {
  readonly database: Uint8Array;
  readonly wal: Uint8Array;
}

/** Runs the work on a fresh database in WAL mode and copies both files while it is open. */
function makePair(pageSize: number, work: (database: DatabaseSync) => void): Pair {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/app.db`;
  const database = new DatabaseSync(path);
  try {
    database.exec(`PRAGMA page_size=${pageSize}; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0`);
    work(database);
    return { database: Deno.readFileSync(path), wal: Deno.readFileSync(`${path}-wal`) };
  } finally {
    database.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

/** What SQLite recovers from the pair: the last committed frame, the database's size there, and the chain's sums. */
function recoverBySqlite(pair: Pair): { frames: number; pages: number; sums: number[] } {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/app.db`;
  Deno.writeFileSync(path, pair.database);
  Deno.writeFileSync(`${path}-wal`, pair.wal);
  const database = new DatabaseSync(path);
  try {
    database.prepare("SELECT count(*) FROM sqlite_schema").get();
    const shm = new DataView(Deno.readFileSync(`${path}-shm`).buffer);
    return {
      frames: shm.getUint32(16, true),
      pages: shm.getUint32(20, true),
      sums: [shm.getUint32(24, true), shm.getUint32(28, true)],
    };
  } finally {
    database.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

function sumOver(wal: Uint8Array, from: number, to: number, [s0, s1]: readonly number[], littleEndian: boolean) {
  const view = new DataView(wal.buffer, wal.byteOffset);
  let [a = 0, b = 0] = [s0, s1];
  for (let at = from; at < to; at += 8) {
    a = (a + view.getUint32(at, littleEndian) + b) % 2 ** 32;
    b = (b + view.getUint32(at + 4, littleEndian) + a) % 2 ** 32;
  }
  return [a, b];
}

interface Expected {
  pageSize: number;
  littleEndian: boolean;
  sequence: number;
  salt: { salt1: number; salt2: number };
  frames: number;
  committedFrames: number;
  commits: number;
  databasePages: number;
  checksum: { s0: number; s1: number };
  committedChecksum: { s0: number; s1: number };
  stoppedBy: string;
}

/** The plain walker: one frame after the other, as SQLite's file format document says it. */
function walk(wal: Uint8Array): Expected {
  const view = new DataView(wal.buffer, wal.byteOffset);
  const littleEndian = view.getUint32(0) === 0x377f0682;
  const pageSize = view.getUint32(8);
  const salt = { salt1: view.getUint32(16), salt2: view.getUint32(20) };
  let sums = sumOver(wal, 0, 24, [0, 0], littleEndian);
  const found = { frames: 0, committedFrames: 0, commits: 0, databasePages: 0 };
  let committedSums = sums;
  let stoppedBy = "end-of-bytes";
  for (let at = HEADER_SIZE; at + FRAME_HEADER_SIZE + pageSize <= wal.length; at += FRAME_HEADER_SIZE + pageSize) {
    if (view.getUint32(at + 8) !== salt.salt1 || view.getUint32(at + 12) !== salt.salt2) {
      stoppedBy = "salt-changed";
      break;
    }
    const afterHeader = sumOver(wal, at, at + 8, sums, littleEndian);
    const next = sumOver(wal, at + FRAME_HEADER_SIZE, at + FRAME_HEADER_SIZE + pageSize, afterHeader, littleEndian);
    if (next[0] !== view.getUint32(at + 16) || next[1] !== view.getUint32(at + 20)) {
      stoppedBy = "checksum-broken";
      break;
    }
    if (view.getUint32(at) === 0) {
      stoppedBy = "page-zero";
      break;
    }
    sums = next;
    found.frames++;
    if (view.getUint32(at + 4) !== 0) {
      found.commits++;
      found.committedFrames = found.frames;
      found.databasePages = view.getUint32(at + 4);
      committedSums = sums;
    }
  }
  const named = ([s0 = 0, s1 = 0]: readonly number[]) => ({ s0, s1 });
  return {
    pageSize,
    littleEndian,
    sequence: view.getUint32(12),
    salt,
    ...found,
    checksum: named(sums),
    committedChecksum: named(committedSums),
    stoppedBy,
  };
}

/** The same WAL as a big-endian machine would have written it: other magic, all sums anew. */
function toBigEndian(wal: Uint8Array): Uint8Array {
  const bytes = wal.slice();
  const view = new DataView(bytes.buffer);
  const pageSize = view.getUint32(8);
  const store = (at: number, [s0 = 0, s1 = 0]: readonly number[]) => {
    view.setUint32(at, s0);
    view.setUint32(at + 4, s1);
  };
  view.setUint32(0, 0x377f0683);
  let sums = sumOver(bytes, 0, 24, [0, 0], false);
  store(24, sums);
  for (let at = HEADER_SIZE; at < bytes.length; at += FRAME_HEADER_SIZE + pageSize) {
    sums = sumOver(bytes, at, at + 8, sums, false);
    sums = sumOver(bytes, at + FRAME_HEADER_SIZE, at + FRAME_HEADER_SIZE + pageSize, sums, false);
    store(at + 16, sums);
  }
  return bytes;
}

/** A frame of page 0 with right salts and sums at the end, which SQLite never writes. */
function appendPageZero(wal: Uint8Array): Uint8Array {
  const { pageSize, littleEndian, checksum, salt } = walk(wal);
  const bytes = new Uint8Array(wal.length + FRAME_HEADER_SIZE + pageSize);
  bytes.set(wal);
  const view = new DataView(bytes.buffer);
  const at = wal.length;
  view.setUint32(at + 4, 9);
  view.setUint32(at + 8, salt.salt1);
  view.setUint32(at + 12, salt.salt2);
  const afterHeader = sumOver(bytes, at, at + 8, [checksum.s0, checksum.s1], littleEndian);
  const [s0 = 0, s1 = 0] = sumOver(bytes, at + FRAME_HEADER_SIZE, bytes.length, afterHeader, littleEndian);
  view.setUint32(at + 16, s0);
  view.setUint32(at + 20, s1);
  return bytes;
}

function flipBit(wal: Uint8Array, at: number): Uint8Array {
  const bytes = wal.slice();
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  return bytes;
}

function insert(database: DatabaseSync, rows: number, size: number): void {
  const statement = database.prepare("INSERT INTO t(body) VALUES (zeroblob(?))");
  for (let row = 0; row < rows; row++) statement.run(size);
}

function fewCommits(database: DatabaseSync): void {
  database.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)");
  insert(database, 3, 40);
  database.exec("BEGIN");
  insert(database, 6, 300);
  database.exec("COMMIT");
}

/** A transaction too large for the cache, so that its pages reach the WAL before it is rolled back. */
function rollBackLarge(database: DatabaseSync): void {
  database.exec("PRAGMA cache_size=2; BEGIN");
  insert(database, 20, 400);
  database.exec("ROLLBACK");
}

function restartWal(database: DatabaseSync): void {
  insert(database, 12, 400);
  database.exec("PRAGMA wal_checkpoint(RESTART)");
  insert(database, 2, 40);
}

function makeCases(): Record<string, Pair> {
  const small = makePair(512, fewCommits);
  const frame = FRAME_HEADER_SIZE + 512;
  const changed = (change: (wal: Uint8Array) => Uint8Array): Pair => ({ ...small, wal: change(small.wal) });
  return {
    page_512: small,
    page_4096: makePair(4096, fewCommits),
    page_65536: makePair(65536, (database) => database.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)")),
    big_endian: changed(toBigEndian),
    rollback_open: makePair(512, (database) => {
      fewCommits(database);
      rollBackLarge(database);
    }),
    rollback_overwritten: makePair(512, (database) => {
      fewCommits(database);
      rollBackLarge(database);
      insert(database, 1, 40);
    }),
    restart_leftovers: makePair(512, (database) => {
      fewCommits(database);
      restartWal(database);
    }),
    torn_tail: changed((wal) => wal.slice(0, wal.length - 100)),
    flipped_bit: changed((wal) => flipBit(wal, HEADER_SIZE + 4 * frame + FRAME_HEADER_SIZE + 77)),
    page_zero: changed(appendPageZero),
    header_only: changed((wal) => wal.slice(0, HEADER_SIZE)),
  };
}

function makeWals(): void {
  Deno.mkdirSync(FOLDER, { recursive: true });
  for (const [name, pair] of Object.entries(makeCases())) {
    const expected = walk(pair.wal);
    const recovered = recoverBySqlite(pair);
    const { s0, s1 } = expected.committedChecksum;
    const said = JSON.stringify([expected.committedFrames, expected.databasePages, [s0, s1]]);
    const recoveredSaid = JSON.stringify([recovered.frames, recovered.pages, recovered.sums]);
    if (expected.committedFrames > 0 && said !== recoveredSaid) {
      throw new Error(`${name}: the walker says ${said}, SQLite recovers ${recoveredSaid}`);
    }
    if (expected.committedFrames === 0 && recovered.frames !== 0) throw new Error(`${name}: SQLite recovers frames`);
    Deno.writeFileSync(`${FOLDER}/${name}.wal`, pair.wal);
    Deno.writeTextFileSync(`${FOLDER}/${name}.json`, `${JSON.stringify(expected, undefined, 2)}\n`);
  }
}

if (import.meta.main) {
  makeWals();
  makeCommitRecords();
}
