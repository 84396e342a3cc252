/**
 * A replica as Litestream leaves it beside a busy database: one snapshot, and several times its size of WAL. The real daemon
 * makes it, beside a writer; a folder keeps it for the next run.
 */
import { DatabaseSync } from "node:sqlite";
import { startLitestream } from "../tests/litestream/support/real_litestream.ts";
import { sleep } from "../tests/support/daemon.ts";
import { exists, listFiles } from "./project.ts";

const PAGE_SIZE = 4096;
const FRAME_SIZE = 24 + PAGE_SIZE;
const INDEXES = 10;
/** The share of 469 MB of database and 1,859 MB of WAL. */
const WAL_TO_DATABASE = 4;
const ROWS_A_FILLING = 20_000;
const UPDATES_A_TRANSACTION = 400;
const PATIENCE_MS = 120_000;

export interface ChurnedReplica {
  readonly path: string;
  /** The database itself, all of its WAL in it. */
  readonly source: string;
  readonly databaseBytes: number;
  readonly walBytes: number;
  readonly indexes: number;
}

type Facts = Omit<ChurnedReplica, "path" | "source">;

const FACTS_FILE = "facts.json";

/** The replica of that size in the folder; made when it is not there whole. */
export async function churnedReplica(
  folder: string,
  megabytes: number,
  say: (line: string) => void,
): Promise<ChurnedReplica> {
  const home = `${folder}/churned-${megabytes}`;
  if (!exists(`${home}/${FACTS_FILE}`)) {
    if (exists(home)) Deno.removeSync(home, { recursive: true }); // Half made.
    Deno.mkdirSync(home, { recursive: true });
    const facts = await make(home, megabytes * 1e6, say);
    Deno.writeTextFileSync(`${home}/${FACTS_FILE}`, JSON.stringify(facts));
  }
  const facts = JSON.parse(Deno.readTextFileSync(`${home}/${FACTS_FILE}`)) as Facts;
  return { ...facts, path: `${home}/replica`, source: `${home}/app.db` };
}

async function make(home: string, bytes: number, say: (line: string) => void): Promise<Facts> {
  const path = `${home}/app.db`;
  using database = new DatabaseSync(path, { timeout: 60_000 }); // Closed last, it takes its WAL into the database.
  database.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF`);
  say("filling a database");
  const rows = fill(database, bytes);
  const framesAnIndex = Math.ceil(bytes * WAL_TO_DATABASE / INDEXES / FRAME_SIZE);
  const replica = { path: `${home}/replica`, syncInterval: "250ms" };
  const config = {
    path,
    replicas: [replica],
    monitorInterval: "250ms",
    checkpointInterval: "24h", // Checkpoints, and with them new indexes, by size alone.
    minCheckpointPageCount: framesAnIndex,
    maxCheckpointPageCount: framesAnIndex,
  };
  await using litestream = startLitestream(`${home}/litestream.yml`, [config], "info");
  await litestream.daemon.line("wal segment written");
  say("changing its rows beside Litestream");
  for (let index = 0; index < INDEXES; index++) {
    const header = walHeader(path);
    churn(database, rows, framesAnIndex);
    await restarted(path, header);
  }
  await litestream.synced();
  const code = await litestream.stop();
  if (code !== 0) throw new Error(`Cannot make the replica: Litestream ended with ${code}\n${litestream.daemon.text}`);
  const walBytes = segmentBytes(litestream.daemon.lines);
  const indexes = 1 + (litestream.positionOf(config, replica)?.index ?? 0);
  const databaseBytes = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]) * PAGE_SIZE;
  return { databaseBytes, walBytes, indexes };
}

/** Rows of a text and 120 random bytes, until the database has the size; how many there are. */
function fill(database: DatabaseSync, bytes: number): number {
  database.exec("PRAGMA wal_autocheckpoint = 10000; CREATE TABLE event(n INTEGER PRIMARY KEY, text TEXT, body BLOB)");
  let rows = 0;
  for (let pages = 0; pages * PAGE_SIZE < bytes; rows += ROWS_A_FILLING) {
    database.exec(
      `WITH RECURSIVE r(n) AS (SELECT ${rows + 1} UNION ALL SELECT n + 1 FROM r WHERE n < ${
        rows + ROWS_A_FILLING
      }) INSERT INTO event SELECT n, 'order ' || n || ' of customer ' || (n * 7919 % 50021) || ': shipped to depot '
      || (n % 97) || ', paid by invoice, to be confirmed', randomblob(120) FROM r`,
    );
    pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
  }
  database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  database.exec("PRAGMA wal_autocheckpoint = 0");
  return rows;
}

/** Changes rows all over the table until the WAL has so many frames. */
function churn(database: DatabaseSync, rows: number, frames: number): void {
  const update = database.prepare("UPDATE event SET body = randomblob(120) WHERE n = 1 + abs(random() % ?)");
  const length = database.prepare("PRAGMA wal_checkpoint(NOOP)"); // The frames of the WAL; copies none of them.
  do {
    database.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < UPDATES_A_TRANSACTION; i++) update.run(rows);
    database.exec("COMMIT");
  } while (Number(length.get()?.["log"]) < frames);
}

/** Waits until Litestream has begun the WAL anew. */
async function restarted(path: string, before: string): Promise<void> {
  for (const start = performance.now(); walHeader(path) === before; await sleep(50)) {
    if (performance.now() - start > PATIENCE_MS) {
      throw new Error(`Cannot make the replica: Litestream has not restarted the WAL for ${PATIENCE_MS / 1_000} s`);
    }
  }
}

function walHeader(path: string): string {
  using file = Deno.openSync(`${path}-wal`);
  const header = new Uint8Array(32);
  file.readSync(header);
  return header.toHex();
}

function segmentBytes(lines: readonly string[]): number {
  return lines.filter((line) => line.includes('"wal segment written"'))
    .reduce((sum, line) => sum + Number(/"sz":(\d+)/.exec(line)?.[1] ?? 0), 0);
}

/** Bytes of all its objects; once read, they are in memory for both programs alike. */
export async function readAll(folder: string): Promise<number> {
  let bytes = 0;
  for (const path of listFiles(["."], ".lz4", folder)) {
    using file = await Deno.open(`${folder}/${path}`);
    for await (const chunk of file.readable) bytes += chunk.length;
  }
  return bytes;
}
