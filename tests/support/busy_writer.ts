/**
 * `busy_writer.ts DATABASE`: commits without a pause, with checkpoints of its own, until it is killed. After some 200 MB of
 * WAL with a short pause, so that what is verified beside it does not grow faster than a slow machine reads it.
 */
import { DatabaseSync } from "node:sqlite";

const SATURATED_COMMITS = 20_000;
const PAUSE_MS = 2;

const db = new DatabaseSync(Deno.args[0] ?? "", { timeout: 5_000 });
db.exec("PRAGMA synchronous = NORMAL");
const statements = [
  db.prepare("INSERT INTO entry(body) VALUES(randomblob(600))"),
  db.prepare("UPDATE entry SET body = randomblob(500) WHERE n % 997 = abs(random() % 997)"),
  db.prepare("DELETE FROM entry WHERE n IN (SELECT n FROM entry ORDER BY random() LIMIT 3)"),
];
for (let i = 0;; i++) {
  statements[i % statements.length]?.run();
  if (i % 500 === 499) db.prepare("PRAGMA wal_checkpoint(RESTART)").get();
  if (i >= SATURATED_COMMITS) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
