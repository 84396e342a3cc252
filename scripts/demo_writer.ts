/**
 * The demo's application: a process of its own that commits about 100 times a second and runs checkpoints of every mode now
 * and then. Prints the time of each commit.
 */
import { DatabaseSync } from "node:sqlite";

const [path = "", seconds = "6"] = Deno.args;
const db = new DatabaseSync(path, { timeout: 5_000 });
const insert = db.prepare("INSERT INTO orders(item, amount, note) VALUES(?, ?, randomblob(300))");
const modes = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];
const end = performance.now() + Number(seconds) * 1_000;
let commits = 0;
let checkpoints = 0;
let nextCheckpoint = performance.now() + 700;
while (performance.now() < end) {
  insert.run(`item ${commits % 97}`, commits);
  commits++;
  Deno.stdout.writeSync(new TextEncoder().encode(`${performance.timeOrigin + performance.now()}\n`));
  if (performance.now() > nextCheckpoint) {
    db.prepare(`PRAGMA wal_checkpoint(${modes[checkpoints++ % modes.length]})`).get();
    nextCheckpoint += 1_000;
  }
  await new Promise((resolve) => setTimeout(resolve, 8));
}
Deno.exit(0);
