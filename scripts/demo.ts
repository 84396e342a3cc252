/**
 * The main job, on a database made in a temporary folder: replicate while another process writes, kill the daemon in the
 * middle, start it again, restore, compare page by page. Exits 0 only if the restored database is the source.
 *
 *     deno task demo [--program FILE]      FILE: run this program (a bundle or an executable) instead of main.ts
 */
import { DatabaseSync } from "node:sqlite";
import { comparePages, databaseImage } from "../tests/support/database_image.ts";
import { type Durable, followLog, lagsOf, percentile, readWalFacts } from "./lag.ts";

const SECONDS = 6;
const KILL_AFTER_MS = 3_000;
const DOWN_MS = 400;

const program = programWords();
const folder = Deno.makeTempDirSync({ prefix: "tailrace-demo-" });
const database = `${folder}/shop.db`;
const replica = `${folder}/replica`;
const copy = `${folder}/restored.db`;
const durable: Durable[] = [];
const logLines: string[] = [];
let failed = "";

try {
  await demonstrate();
} catch (error) {
  failed = error instanceof Error ? error.message : String(error);
}
if (failed !== "") {
  say("FAILED", failed);
  for (const line of logLines.slice(-15)) console.error(`  ${line}`);
  console.error(`  everything is kept in ${folder}`);
  Deno.exit(1);
}
Deno.removeSync(folder, { recursive: true });
Deno.exit(0);

async function demonstrate(): Promise<void> {
  const rows = makeDatabase();
  say("database", `${rows} rows, ${megabytes(Deno.statSync(database).size)} in ${folder}`);
  const first = startDaemon();
  await until(() => durable.length > 0, "the first snapshot");
  say("replicate", "running as its own process, first snapshot done");
  const writer = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("./demo_writer.ts", import.meta.url).pathname, database, String(SECONDS)],
    stdout: "piped",
  }).spawn();
  const committed = collectTimes(writer.stdout);
  await sleep(KILL_AFTER_MS);
  first.kill("SIGKILL");
  await first.status;
  const killedMs = now();
  const syncs = durable.length;
  say("SIGKILL", `after ${durable.length} syncs, while the other process writes on`);
  await sleep(DOWN_MS);
  const startedMs = now();
  const second = startDaemon();
  await until(() => durable.length > syncs, "the first sync after the restart");
  const backMs = durable[syncs]?.atMs ?? now();
  say("restart", `first sync ${Math.round(backMs - startedMs)} ms after the start of the process`);
  const times = await committed;
  await writer.status;
  second.kill("SIGTERM");
  const { code } = await second.status;
  if (code !== 0) throw new Error(`the daemon ended with exit code ${code}`);
  const wal = readWalFacts(replica);
  // The application's own checkpoints may restart the WAL while nobody watches: what was committed then comes in one step.
  const before = times.filter((time) => time < killedMs - 100);
  const after = times.filter((time) => time > backMs + 100);
  const firsts = { ...wal, commits: wal.commits.slice(0, before.length) };
  const lags = [...lagsOf(firsts, before, durable), ...lagsOf(wal, after, durable)];
  const caughtUpMs = (after[0] ?? backMs) + (lags[before.length] ?? 0) - startedMs;
  say("commits", `${times.length} in ${SECONDS} s`);
  say(
    "lag",
    `p50 ${percentile(lags, 0.5).toFixed(1)} ms, p99 ${percentile(lags, 0.99).toFixed(1)} ms, ` +
      "commit to fsynced in the replica",
  );
  say(
    "caught up",
    `at most ${Math.round(caughtUpMs)} ms after the restart, ${
      times.filter((time) => time > killedMs && time < startedMs).length
    } commits were made meanwhile`,
  );
  say("frames", `${wal.frames} in ${wal.indexes} WAL indexes, ${megabytes(wal.bytes)}`);
  const restoreMs = await restore();
  const result = comparePages(databaseImage(database, `${folder}/image`), Deno.readFileSync(copy));
  say("restore", `${Math.round(restoreMs)} ms, ${megabytes(Deno.statSync(copy).size)}, process start included`);
  const isEqual = result.different.length === 0;
  say("compare", `${result.pages} pages with the source, every commit in them: ${isEqual ? "equal" : "DIFFERENT"}`);
  const left = ["-wal", "-shm"].filter((suffix) => exists(copy + suffix));
  say("left behind", left.length === 0 ? "no -wal and no -shm beside the restored file" : left.join(", "));
  if (!lags.every(Number.isFinite)) throw new Error("the replica has less commits than were made while it was kept up");
  if (!isEqual) throw new Error(`pages ${result.different.slice(0, 10)} differ`);
}

function makeDatabase(): number {
  const db = new DatabaseSync(database);
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("CREATE TABLE orders(id INTEGER PRIMARY KEY, item TEXT, amount INTEGER, note BLOB)");
  db.exec("CREATE INDEX by_item ON orders(item)");
  const rows = 20_000;
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO orders(item, amount, note) SELECT 'item ' || (i % 97), i, randomblob(300) FROM n`);
  db.close();
  return rows;
}

function startDaemon(): Deno.ChildProcess {
  const [command = "", ...words] = program;
  const child = new Deno.Command(command, {
    args: [...words, "replicate", "--log-level", "debug", database, `file://${replica}`],
    cwd: folder,
    stderr: "piped",
  }).spawn();
  followLog(child.stderr, durable, (line) => logLines.push(line));
  return child;
}

async function restore(): Promise<number> {
  const [command = "", ...words] = program;
  const start = performance.now();
  const args = [...words, "restore", "-o", copy, `file://${replica}`];
  const { code, stderr } = await new Deno.Command(command, { args, cwd: folder, stderr: "piped" }).output();
  if (code !== 0) throw new Error(`restore ended with exit code ${code}: ${new TextDecoder().decode(stderr).trim()}`);
  return performance.now() - start;
}

async function collectTimes(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number[]> {
  return (await new Response(stream).text()).trim().split("\n").map(Number);
}

function programWords(): string[] {
  const at = Deno.args.indexOf("--program");
  const named = at === -1 ? undefined : Deno.args[at + 1];
  if (named === undefined) return [Deno.execPath(), "run", "-A", new URL("../main.ts", import.meta.url).pathname];
  const path = Deno.realPathSync(named);
  return /\.[jt]s$/.test(path) ? [Deno.execPath(), "run", "-A", path] : [path];
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > 20_000) throw new Error(`waited 20 s for ${what}`);
    await sleep(2);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function say(what: string, text: string): void {
  console.error(`${what.padEnd(12)} ${text}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
