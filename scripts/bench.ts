/**
 * What the program promises about speed, measured on real processes and real files. Each row: figure, target, ok or missed.
 * The program is what the executable holds: the bundle, with the flags that are compiled in.
 *
 *     deno task bench [--folder DIR] [--megabytes N]     DIR: where to work (default: a temporary folder)
 */
import { DatabaseSync } from "node:sqlite";
import { makeBundle } from "./bundle.ts";
import { option, RUNTIME_FLAGS } from "./project.ts";
import { type Durable, followLog, lagsOf, percentile, readWalFacts } from "./lag.ts";

const megabytes = Number(option("megabytes") ?? "500");
const parent = option("folder");
const folder = Deno.makeTempDirSync({ prefix: "tailrace-bench-", ...(parent === undefined ? {} : { dir: parent }) });
const program = ["run", ...RUNTIME_FLAGS, "-A", "--no-config", `${folder}/tailrace.js`];
let missed = 0;

console.log(`${"what".padEnd(46)} ${"measured".padStart(16)}   target`);
try {
  const problem = await makeBundle(undefined, `${folder}/tailrace.js`);
  if (problem !== undefined) throw new Error(problem);
  await warmUp();
  await benchLag();
  await benchBulk();
} finally {
  Deno.removeSync(folder, { recursive: true });
}
Deno.exit(missed === 0 ? 0 : 1);

/** The run-time keeps what it compiled of a program: only the first start after an installation is without it. */
async function warmUp(): Promise<void> {
  const database = `${folder}/warm.db`;
  createDatabase(database).close();
  const parameters = [...program, "replicate", "--once", database, `file://${folder}/warm-replica`];
  for (let i = 0; i < 2; i++) await new Deno.Command(Deno.execPath(), { args: parameters, stderr: "null" }).output();
}

/** 100 commits a second for ten seconds: commit returned to fsynced in the replica. Start of the process to the first sync. */
async function benchLag(): Promise<void> {
  const database = `${folder}/lag.db`;
  const db = createDatabase(database);
  const started = now();
  const daemon = startDaemon(database, `${folder}/lag-replica`);
  await daemon.until((durable) => durable.length > 0);
  row("process start to first sync", (daemon.durable[0]?.atMs ?? Infinity) - started, "ms", 200, "at most");
  const insert = db.prepare("INSERT INTO t(b) VALUES(randomblob(200))");
  const times: number[] = [];
  for (let i = 0; i < 1_000; i++) {
    insert.run();
    times.push(now());
    await sleep(8.9); // A timer adds about 1.1 ms.
  }
  const rare: number[] = [];
  for (let i = 0; i < 8; i++) { // What comes after a pause is not looked out for as eagerly.
    await sleep(1_200 + 50 * i);
    insert.run();
    rare.push(now());
  }
  await sleep(500);
  await daemon.stop();
  const facts = readWalFacts(`${folder}/lag-replica`);
  const all = lagsOf(facts, [...times, ...rare], daemon.durable);
  const lags = all.slice(0, times.length);
  const rate = 1_000 * times.length / ((times.at(-1) ?? 0) - (times[0] ?? 0));
  row(`commit to fsynced, p50 at ${rate.toFixed(0)} commits/s`, percentile(lags, 0.5), "ms", 5, "at most");
  row(`commit to fsynced, p99 at ${rate.toFixed(0)} commits/s`, percentile(lags, 0.99), "ms", 25, "at most");
  console.log(
    `  (of a commit after more than a second without any: ${percentile(all.slice(times.length), 0.5).toFixed(1)} ms)`,
  );
  db.close();
}

/**
 * One transaction of the given size: capture, copy and fsync of its WAL, from when the application's own fsync of it has
 * ended. Then everything is restored.
 */
async function benchBulk(): Promise<void> {
  const database = `${folder}/bulk.db`;
  const replica = `${folder}/bulk-replica`;
  const db = createDatabase(database);
  fill(db, megabytes);
  db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  const daemon = startDaemon(database, replica);
  await daemon.until((durable) => durable.length > 0);
  const before = daemon.durable.length;
  fill(db, megabytes);
  const committed = now();
  const bytes = Deno.statSync(`${database}-wal`).size;
  await daemon.until((durable) => (durable.at(-1)?.offset ?? 0) >= bytes && durable.length > before, 120_000);
  const copySeconds = ((daemon.durable.at(-1)?.atMs ?? Infinity) - committed) / 1_000;
  row(`capture and copy of ${mega(bytes)} MB of WAL`, bytes / 1e6 / copySeconds, "MB/s", 200, "at least");
  console.log(
    `  (a plain copy of it, twice as the state and the replica have it, is ${
      plainCopies(`${database}-wal`, 2)
    } MB/s here)`,
  );
  await sleep(bytes / 200_000 + 4_000); // The checkpoint of that transaction comes after its replication, and has its peak.
  row(`peak RSS beside a database of ${mega(bytes)} MB`, daemon.peakMegabytes(), "MB", 90, "at most");
  await daemon.stop();
  db.close();
  const read = sizeOf(`${replica}/generations`);
  // The first run touches memory that the machine has not handed out yet, which costs more than the work itself.
  const seconds = [];
  for (let run = 0; run < 4; run++) seconds.push(await timeRestore(replica));
  row(
    `restore of ${mega(read)} MB of snapshot and WAL`,
    read / 1e6 / percentile(seconds.slice(1), 0.5),
    "MB/s",
    400,
    "at least",
  );
  console.log(`  (median of three after a first of ${seconds[0]?.toFixed(1)} s; process start and fsync included;`);
  console.log(`  a plain copy of a database of that size is ${plainCopies(database, 1)} MB/s here)`);
}

/** MB a second of a file that this device takes from a program that does nothing but write so many copies and sync them. */
function plainCopies(path: string, number: number): string {
  const piece = new Uint8Array(256 << 10);
  const began = performance.now();
  using file = Deno.openSync(path);
  const names = Array.from({ length: number }, (_, slot) => `${folder}/plain-${slot}`);
  const copies = names.map((name) => Deno.openSync(name, { write: true, create: true }));
  let bytes = 0;
  for (let count = file.readSync(piece); count !== null; count = file.readSync(piece)) {
    for (const copy of copies) for (let done = 0; done < count;) done += copy.writeSync(piece.subarray(done, count));
    bytes += count;
  }
  for (const copy of copies) {
    copy.syncDataSync();
    copy.close();
  }
  const seconds = (performance.now() - began) / 1_000;
  for (const name of names) Deno.removeSync(name);
  return (bytes / 1e6 / seconds).toFixed(0);
}

async function timeRestore(replica: string): Promise<number> {
  const start = performance.now();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...program, "restore", "-o", `${folder}/copy.db`, `file://${replica}`],
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  const took = (performance.now() - start) / 1_000;
  Deno.removeSync(`${folder}/copy.db`);
  return took;
}

function createDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)");
  return db;
}

/** Rows of random bytes, some 3,000 a row, in one transaction. */
function fill(db: DatabaseSync, size: number): void {
  const rows = Math.ceil(size * 1e6 / 3_300);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO t(b) SELECT randomblob(3000) FROM n`);
}

function startDaemon(database: string, replica: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...program, "replicate", "--log-level", "debug", database, `file://${replica}`],
    stderr: "piped",
  }).spawn();
  const durable: Durable[] = [];
  const lines: string[] = [];
  const ended = followLog(child.stderr, durable, (line) => lines.push(line));
  return {
    durable,
    until: async (condition: (durable: readonly Durable[]) => boolean, patienceMs = 20_000) => {
      for (const start = performance.now(); !condition(durable); await sleep(1)) {
        if (performance.now() - start > patienceMs) {
          throw new Error(`the daemon is too slow:\n${lines.slice(-5).join("\n")}`);
        }
      }
    },
    peakMegabytes: () => {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1_024 / 1e6;
    },
    stop: async () => {
      child.kill("SIGTERM");
      const { code } = await child.status;
      await ended;
      if (code !== 0) throw new Error(`the daemon ended with exit code ${code}\n${lines.slice(-5).join("\n")}`);
    },
  };
}

function row(what: string, measured: number, unit: string, target: number, kind: "at most" | "at least"): void {
  const isOk = kind === "at most" ? measured <= target : measured >= target;
  if (!isOk) missed++;
  const figure = `${measured.toFixed(measured < 100 ? 1 : 0)} ${unit}`;
  console.log(`${what.padEnd(46)} ${figure.padStart(16)}   ${kind} ${target} ${unit}: ${isOk ? "ok" : "missed"}`);
}

function sizeOf(path: string): number {
  let sum = 0;
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    sum += isDirectory ? sizeOf(`${path}/${name}`) : Deno.statSync(`${path}/${name}`).size;
  }
  return sum;
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
