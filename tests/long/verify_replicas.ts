/** Replicas with a history, made by the real programs beside a real application: snapshots, indexes, segments. */
import { DatabaseSync } from "node:sqlite";
import { startLitestream } from "../litestream/support/real_litestream.ts";
import { sleep, startReplicate } from "../support/daemon.ts";
import type { Replica } from "./verify_trial.ts";

const ROUNDS = 4;

/** Some rounds of changes, a restart of the WAL after each. */
async function work(db: DatabaseSync, synced: () => Promise<void>): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    for (let commit = 0; commit < 4; commit++) {
      db.exec(`INSERT INTO t(b) VALUES(randomblob(${700 * (commit + 1)})), (randomblob(300))`);
      db.exec(`UPDATE t SET b = randomblob(${500 + round}) WHERE a % 5 = ${commit}`);
      await synced();
    }
    db.exec("PRAGMA wal_checkpoint(RESTART)");
    await sleep(1_100); // A snapshot is due each second.
  }
}

function application(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB); CREATE INDEX i ON t(length(b))");
  return db;
}

/** By this program, in both layouts. */
export async function byTailrace(folder: string): Promise<Replica[]> {
  Deno.mkdirSync(folder);
  const path = `${folder}/app.db`;
  using db = application(path);
  const layouts = ["raw", "litestream"] as const;
  const replicas = layouts.map((layout) => ({
    "name": layout,
    "path": `${folder}/${layout}`,
    layout,
    "sync-interval": "0s",
    "snapshot-interval": "1s",
  }));
  const config = `${folder}/tailrace.yml`;
  Deno.writeTextFileSync(config, JSON.stringify({ dbs: [{ path, replicas }] }));
  await using daemon = startReplicate(["--config", config]);
  await daemon.line("Snapshot done");
  await work(db, () => sleep(60));
  await daemon.stop();
  return layouts.map((layout) => ({ writer: "Tailrace", layout, root: `${folder}/${layout}` }));
}

export async function byLitestream(folder: string): Promise<Replica[]> {
  Deno.mkdirSync(folder);
  const path = `${folder}/app.db`;
  using db = application(path);
  const root = `${folder}/replica`;
  const replica = { path: root, snapshotInterval: "1s", retention: "24h" };
  await using litestream = startLitestream(`${folder}/litestream.yml`, [{
    path,
    replicas: [replica],
    checkpointInterval: "1s",
    minCheckpointPageCount: 20,
  }]);
  await work(db, () => litestream.synced());
  await litestream.stop();
  return [{ writer: "Litestream", layout: "litestream", root }];
}
