/**
 * All kinds of statements and checkpoints, by one process and one seed, so that two runs do the very same.
 *
 *     deno run -A tests/end_to_end/workload.ts DB SEED ACTIONS
 */
import { DatabaseSync } from "node:sqlite";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";

const [path = "", seed = "1", actions = "100"] = Deno.args;
const random = seededRandom(Number(seed));
let database = open();
database.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA application_id = 7021");
database.exec("CREATE TABLE item(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, body BLOB)");
database.exec("CREATE TABLE pair(a TEXT, b INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID");
database.exec("CREATE INDEX item_name ON item(name)");
database.exec("CREATE VIRTUAL TABLE search USING fts5(text)");
database.exec(
  "CREATE TRIGGER note AFTER DELETE ON item BEGIN INSERT OR IGNORE INTO pair VALUES(old.name, old.id); END",
);

const ACTIONS: readonly (() => void)[] = [
  () => insert(1 + below(5), 200),
  () => insert(1 + below(5), 200),
  () => insert(1 + below(40), 3_000),
  () => inTransaction("COMMIT"),
  () => inTransaction("ROLLBACK"),
  () => database.prepare("UPDATE item SET body = ?, name = name || 'x' WHERE id % 11 = ?").run(bytes(300), below(11)),
  () => database.prepare("DELETE FROM item WHERE id % 5 = ?").run(below(5)),
  () => database.prepare("INSERT INTO search VALUES(?)").run(`word${below(50)} word${below(50)}`),
  () => database.exec("VACUUM"),
  () => database.exec(`PRAGMA auto_vacuum = ${below(3)}; VACUUM`),
  () => database.exec(`PRAGMA incremental_vacuum(${below(30)})`),
  () => database.exec(`PRAGMA user_version = ${below(1_000)}`),
  () => database.exec(`PRAGMA wal_autocheckpoint = ${below(3) * 20}`),
  checkpoint,
  checkpoint,
  changeSchema,
  () => database.exec("ANALYZE"),
  spill,
  savepoints,
  reopen,
];

for (let i = 0; i < Number(actions); i++) ACTIONS[below(ACTIONS.length)]?.();
database.close();

function open(): DatabaseSync {
  const opened = new DatabaseSync(path, { timeout: 10_000 });
  opened.exec("PRAGMA synchronous = OFF");
  return opened;
}

function insert(rows: number, size: number): void {
  const statement = database.prepare("INSERT INTO item(name, body) VALUES(?, ?)");
  for (let i = 0; i < rows; i++) statement.run(`name ${below(97)}`, bytes(1 + below(size)));
}

function inTransaction(end: string): void {
  database.exec("BEGIN IMMEDIATE");
  insert(30, 2_000);
  database.exec(`DELETE FROM item WHERE id % 7 = ${below(7)}; ${end}`);
}

function spill(): void {
  database.exec("PRAGMA cache_size = 5; BEGIN");
  insert(150, 2_000);
  database.exec(below(2) === 0 ? "COMMIT" : "ROLLBACK");
  database.exec("PRAGMA cache_size = -2000");
}

function savepoints(): void {
  database.exec("BEGIN; SAVEPOINT outer");
  insert(3, 500);
  database.exec("SAVEPOINT inner");
  insert(3, 500);
  database.exec(`ROLLBACK TO inner; RELEASE outer; COMMIT`);
}

function checkpoint(): void {
  const mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][below(4)];
  database.prepare(`PRAGMA wal_checkpoint(${mode})`).get();
}

function changeSchema(): void {
  const table = `extra_${below(4)}`;
  if (below(2) === 0) database.exec(`CREATE TABLE IF NOT EXISTS ${table} AS SELECT id, name, body FROM item LIMIT 20`);
  else database.exec(`DROP TABLE IF EXISTS ${table}`);
}

function reopen(): void {
  database.close();
  database = open();
}

function below(limit: number): number {
  return randomInteger(random, limit);
}

function bytes(length: number): Uint8Array {
  return randomBytes(random, length);
}
