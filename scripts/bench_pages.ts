/**
 * What the checksum of the whole database costs, and how fast a resync reads. Each row: figure, target, ok or missed.
 *
 *     deno task bench:pages [--folder DIR] [--megabytes N] [--rounds N]
 *
 * Capture is measured alone, in this process, on the WAL of a real application: read, checked, written to the shadow WAL and
 * recorded, then the fsync before which no read hold is released; with the page table and without it in turns. What it comes
 * to without that fsync, when nothing hides it, is said beside. The resync is that of the real program.
 */
import { DatabaseSync } from "node:sqlite";
import { ShadowWal } from "../lib/database/shadow_wal.ts";
import { WalCapture } from "../lib/database/wal_capture.ts";
import { WalIndex, type WalIndexHeader } from "../lib/database/wal_index.ts";
import { PageLedger } from "../lib/pages/page_ledger.ts";
import { SystemClock } from "../lib/platform/clock.ts";
import { DenoFileSystem } from "../lib/platform/deno_file_system.ts";
import type { Generation } from "../lib/position/generation.ts";
import { row, runBench } from "./bench_rows.ts";
import { percentile } from "./lag.ts";
import { option, ROOT } from "./project.ts";

const SLOWDOWN_MAX_PERCENT = 15;
const RESYNC_MIN_MEGABYTES = 500;
const SMALL_COMMITS = 20_000;
const PAGE_SIZE = 4_096;
const LOOK_BYTES = 1 << 20;
const GENERATION = "0123456789abcdef" as Generation;
const FILES = new DenoFileSystem();

/** A WAL at rest, and what its wal-index said after each of the application's commits. */
interface Life {
  readonly database: string;
  /** Kept open: whoever closes last copies the WAL and removes it. */
  readonly connection: DatabaseSync;
  readonly commits: readonly WalIndexHeader[];
}

/** How long a capture took: up to the last record, and until all was on disk. */
export interface Duration {
  readonly copyMs: number;
  readonly durableMs: number;
}

export interface Times {
  readonly plainMs: number;
  readonly withTableMs: number;
}

/** The median over all rounds of how much longer it took with the table, in percent: both of a round saw the same machine. */
export function slowdownPercent(rounds: readonly Times[]): number {
  return 100 * (percentile(rounds.map(({ plainMs, withTableMs }) => withTableMs / plainMs), 0.5) - 1);
}

/** A database that is all in its file, and a life of the WAL of which nothing was copied. */
function record(path: string, megabytes: number, write: (db: DatabaseSync, onCommit: () => void) => void): Life {
  const db = createDatabase(path, megabytes);
  const walIndex = WalIndex.open(FILES, `${path}-shm`);
  const commits: WalIndexHeader[] = [];
  write(db, () => {
    const header = walIndex.read();
    if (header !== undefined) commits.push(header);
  });
  return { database: path, connection: db, commits };
}

function createDatabase(path: string, megabytes: number): DatabaseSync {
  const db = new DatabaseSync(path);
  const rows = Math.ceil(megabytes * 1e6 / 4_000);
  db.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO t SELECT i, randomblob(3900) FROM n;
    PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0`);
  return db;
}

/** The time that it takes to capture every commit of a life, one after the other. */
async function timeCapture(life: Life, folder: string, withTable: boolean): Promise<Duration> {
  Deno.mkdirSync(folder);
  const clock = new SystemClock();
  const wal = FILES.open(`${life.database}-wal`, "read");
  const shadow = ShadowWal.create(FILES, folder, GENERATION);
  if (withTable) shadow.pages = tableOf(life.database, `${folder}/pages`);
  const capture = new WalCapture(wal, shadow, clock, { late: false });
  const began = performance.now();
  for (const commit of life.commits) {
    const outcome = await capture.capture(commit, { mark: 0, salt: commit.salt, onSlotZero: false });
    if (outcome.kind !== "captured") throw new Error(`nothing was captured: ${JSON.stringify(outcome)}`);
  }
  const copyMs = performance.now() - began;
  await shadow.sync();
  const durableMs = performance.now() - began;
  if (withTable && shadow.pages?.checksum === undefined) throw new Error("the page table was not kept");
  shadow.close();
  wal.close();
  Deno.removeSync(folder, { recursive: true });
  return { copyMs, durableMs };
}

function tableOf(database: string, path: string): PageLedger {
  const file = FILES.open(database, "read");
  const ledger = PageLedger.create(FILES, path, PAGE_SIZE, file.size() / PAGE_SIZE);
  ledger.beginPass({ index: 0, offset: 0 } as Parameters<PageLedger["beginPass"]>[0]);
  const bytes = new Uint8Array(LOOK_BYTES);
  while (ledger.isBuilding) {
    const page = ledger.nextPage;
    ledger.see(page, bytes.subarray(0, file.readAt(bytes, (page - 1) * PAGE_SIZE)));
  }
  file.close();
  return ledger;
}

async function benchCapture(what: string, life: Life, folder: string, rounds: number): Promise<boolean> {
  const durations: { plain: Duration; withTable: Duration }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const plain = await timeCapture(life, `${folder}/plain`, false);
    const withTable = await timeCapture(life, `${folder}/with`, true);
    if (round > 0) durations.push({ plain, withTable }); // The first one warms everything up.
  }
  const megabytes = Deno.statSync(`${life.database}-wal`).size / 1e6;
  life.connection.close();
  const slowdown = (which: keyof Duration) =>
    slowdownPercent(
      durations.map(({ plain, withTable }) => ({ plainMs: plain[which], withTableMs: withTable[which] })),
    );
  const percent = slowdown("durableMs");
  const rate = megabytes / (percentile(durations.map(({ withTable }) => withTable.durableMs), 0.5) / 1_000);
  return row(
    `capture of ${megabytes.toFixed(0)} MB of WAL in ${what}`,
    `${percent.toFixed(1)} % slower`,
    `at most ${SLOWDOWN_MAX_PERCENT} %`,
    percent <= SLOWDOWN_MAX_PERCENT,
    `${rate.toFixed(0)} MB/s with the table; without the fsync ${slowdown("copyMs").toFixed(1)} %`,
  );
}

/** The application closes last while the program is down, having changed one row. */
async function benchResync(folder: string, megabytes: number): Promise<boolean> {
  const database = `${folder}/resync.db`;
  createDatabase(database, megabytes).close();
  const args = ["run", "-A", `${ROOT}/main.ts`, "replicate", database, `file://${folder}/replica`];
  await untilLine(args, / Snapshot done /);
  const db = new DatabaseSync(database);
  db.exec("UPDATE t SET b = randomblob(3900) WHERE a = 77");
  db.close();
  const line = await untilLine(args, / Resynced /);
  const seconds = Number(/ seconds=([0-9.]+)/.exec(line)?.[1]);
  const pages = Number(/ different_pages=(\d+)/.exec(line)?.[1]);
  const read = Deno.statSync(database).size / 1e6;
  return row(
    `resync over a database of ${read.toFixed(0)} MB`,
    `${(read / seconds).toFixed(0)} MB/s`,
    `at least ${RESYNC_MIN_MEGABYTES} MB/s`,
    read / seconds >= RESYNC_MIN_MEGABYTES,
    `${pages} pages differed, ${seconds} s`,
  );
}

/** Runs the program until it logs such a line, and ends it in order. */
async function untilLine(args: string[], pattern: RegExp): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), { args, stderr: "piped" }).spawn();
  let log = "";
  let found: string | undefined;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    log += text;
    if (found !== undefined) continue;
    found = log.slice(0, log.lastIndexOf("\n") + 1).split("\n").find((line) => pattern.test(line));
    if (found !== undefined) child.kill("SIGTERM");
  }
  const { code } = await child.status;
  if (found === undefined || code !== 0) throw new Error(`the program ended with exit code ${code}:\n${log}`);
  return found;
}

async function bench(folder: string): Promise<boolean> {
  const megabytes = Number(option("megabytes") ?? "500");
  const rounds = Number(option("rounds") ?? "15");
  const bulk = record(`${folder}/bulk.db`, megabytes / 2, (db, onCommit) => {
    db.exec("UPDATE t SET b = randomblob(3900)");
    onCommit();
  });
  const isBulkOk = await benchCapture("one transaction", bulk, folder, rounds);
  const small = record(`${folder}/small.db`, megabytes / 2, (db, onCommit) => {
    const rows = Number(db.prepare("SELECT max(a) AS last FROM t").get()?.["last"]);
    const update = db.prepare("UPDATE t SET b = randomblob(3900) WHERE a = ?");
    for (let i = 0; i < SMALL_COMMITS; i++) {
      update.run(1 + (i * 7_919) % rows);
      onCommit();
    }
  });
  const isSmallOk = await benchCapture(`${SMALL_COMMITS} commits`, small, folder, rounds);
  const isResyncOk = await benchResync(folder, megabytes);
  return isBulkOk && isSmallOk && isResyncOk;
}

if (import.meta.main) Deno.exit(await runBench(bench));
