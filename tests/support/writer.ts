/**
 * An application that writes: a program of its own, so that it can be killed.
 *
 *     deno run -A tests/support/writer.ts DB [--seed N] [--seconds N] [--pause MS] [--rude] [--name ID] [--rows]
 *
 * Without --rude it commits one-row transactions into `ledger(writer, n, payload)`. With --rude it does, at random by seed,
 * what applications do: transactions of any size, rollbacks, spills, VACUUM, auto_vacuum, schema changes, checkpoints of every
 * mode, closing and opening again. After every commit of a ledger row it prints its number (with --rows), so that whoever
 * started it knows what is committed. It ends at the time.
 */
import { DatabaseSync } from "node:sqlite";
import { seededRandom } from "./random.ts";

const options = parse(Deno.args);
const random = seededRandom(options.seed);
const deadline = performance.now() + options.seconds * 1_000;
let committed = 0;
let db = open();

const actions: readonly (readonly [number, () => void])[] = options.rude
  ? [
    [50, () => commitRows(1 + whole(5), 200)],
    [8, () => commitRows(50 + whole(400), 1_500)],
    [10, rollBack],
    [6, () =>
      db.exec(
        `DELETE FROM ledger WHERE n % 7 = ${whole(7)} AND payload IS NOT NULL AND writer = '${options.name}-filler'`,
      )],
    [4, () => db.prepare(`PRAGMA wal_checkpoint(${["PASSIVE", "FULL", "RESTART", "TRUNCATE"][whole(4)]})`).get()],
    [2, () => db.exec("VACUUM")],
    [2, () => db.exec(`PRAGMA auto_vacuum = ${whole(3)}`)],
    [2, () => db.exec(`PRAGMA incremental_vacuum(${whole(20)})`)],
    [3, changeSchema],
    [2, reopen],
    [2, spill],
  ]
  : [[1, () => commitRows(1, 100)]];
const weights = actions.reduce((sum, [weight]) => sum + weight, 0);

while (performance.now() < deadline) {
  attempt(pick());
  if (options.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, random() * 2 * options.pauseMs));
}
db.close();
if (!options.rows) write(`${committed}\n`);
Deno.exit(0);

function open(): DatabaseSync {
  const opened = new DatabaseSync(options.path, { timeout: 10_000 });
  opened.exec("PRAGMA journal_mode = WAL");
  opened.exec(`PRAGMA synchronous = ${options.rude ? ["OFF", "NORMAL", "FULL"][whole(3)] : "NORMAL"}`);
  opened.exec("CREATE TABLE IF NOT EXISTS ledger(writer TEXT, n INTEGER, payload BLOB)");
  return opened;
}

function pick(): () => void {
  let left = random() * weights;
  for (const [weight, action] of actions) {
    left -= weight;
    if (left < 0) return action;
  }
  return () => commitRows(1, 100);
}

/** Others may hold the database for long, or change the schema under a statement: an application tries again. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!/locked|busy|schema|no such table|already exists|interrupted/.test(String(error))) throw error;
    try {
      db.exec("ROLLBACK");
    } catch {
      // No transaction was open.
    }
  }
}

function commitRows(count: number, size: number): void {
  const next = committed + 1;
  db.exec("BEGIN IMMEDIATE");
  insert(options.name, next, size);
  for (let i = 1; i < count; i++) insert(`${options.name}-filler`, next * 1_000 + i, size);
  db.exec("COMMIT");
  committed = next;
  if (options.rows) write(`${committed} ${performance.timeOrigin + performance.now()}\n`);
}

function insert(writer: string, n: number, size: number): void {
  db.prepare("INSERT INTO ledger VALUES(?, ?, randomblob(?))").run(writer, n, 1 + whole(size));
}

function rollBack(): void {
  db.exec("BEGIN IMMEDIATE");
  for (let i = 0; i < 1 + whole(200); i++) insert(`${options.name}-never`, i, 800);
  db.exec("ROLLBACK");
}

/** A transaction larger than the page cache: its frames reach the WAL before it commits, or does not. */
function spill(): void {
  db.exec("PRAGMA cache_size = 5");
  db.exec("BEGIN IMMEDIATE");
  for (let i = 0; i < 300; i++) insert(`${options.name}-filler`, i, 2_000);
  db.exec(random() < 0.5 ? "COMMIT" : "ROLLBACK");
  db.exec("PRAGMA cache_size = -2000");
}

function changeSchema(): void {
  const table = `extra_${whole(4)}`;
  if (random() < 0.5) {
    db.exec(`CREATE TABLE IF NOT EXISTS ${table}(a, b); INSERT INTO ${table} VALUES(1, randomblob(3000))`);
  } else db.exec(`DROP TABLE IF EXISTS ${table}`);
}

function reopen(): void {
  db.close();
  db = open();
}

function whole(below: number): number {
  return Math.floor(random() * below);
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function parse(words: readonly string[]) {
  const [path = "", ...flags] = words;
  const value = (name: string, otherwise: string) => {
    const at = flags.indexOf(`--${name}`);
    return at === -1 ? otherwise : flags[at + 1] ?? otherwise;
  };
  return {
    path,
    seed: Number(value("seed", "1")),
    seconds: Number(value("seconds", "5")),
    pauseMs: Number(value("pause", "0")),
    name: value("name", "writer"),
    rude: flags.includes("--rude"),
    rows: flags.includes("--rows"),
  };
}
