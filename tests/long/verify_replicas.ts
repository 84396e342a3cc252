/** Replicas with a history, made by the real programs beside a real application: snapshots, indexes, segments. */
import { DatabaseSync } from "node:sqlite";
import { startLitestream } from "../litestream/support/real_litestream.ts";
import { sleep, startReplicate } from "../support/daemon.ts";
import type { Replica } from "./verify_trial.ts";

const ROUNDS = 4;
const LAYOUTS = ["raw", "litestream"] as const;
const WRITER = new URL("../support/writer.ts", import.meta.url).pathname;

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

/**
 * Both layouts beside a rude application that never rests, with retention that removes something every second. `verify` is
 * given each in turn, as long as it wants more.
 */
export async function besideAWriter(folder: string, verify: (replica: Replica) => Promise<boolean>): Promise<void> {
  Deno.mkdirSync(folder);
  const path = `${folder}/app.db`;
  {
    using _ = application(path);
  }
  const replicas = LAYOUTS.map((layout) => ({
    "name": layout,
    "path": `${folder}/${layout}`,
    layout,
    "sync-interval": "0s",
    "snapshot-interval": "3s",
    "retention": "6s",
    "retention-check-interval": "1s",
  }));
  const config = `${folder}/tailrace.yml`;
  Deno.writeTextFileSync(config, JSON.stringify({ dbs: [{ path, replicas }] }));
  await using daemon = startReplicate(["--config", config]);
  await daemon.line("Snapshot done");
  const writer = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", WRITER, path, "--rude", "--pause", "20", "--seconds", "100000", "--seed", "1"],
    stdin: "piped",
    stdout: "null",
  }).spawn();
  try {
    for (let turn = 0;; turn++) {
      const layout = LAYOUTS[turn % LAYOUTS.length] ?? "raw";
      if (!await verify({ writer: "Tailrace", layout, root: `${folder}/${layout}` })) break;
    }
  } finally {
    writer.kill("SIGKILL");
    await writer.status;
    await daemon.stop();
  }
}

/** By this program, in both layouts. */
export async function byTailrace(folder: string): Promise<Replica[]> {
  Deno.mkdirSync(folder);
  const path = `${folder}/app.db`;
  using db = application(path);
  const replicas = LAYOUTS.map((layout) => ({
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
  return LAYOUTS.map((layout) => ({ writer: "Tailrace", layout, root: `${folder}/${layout}` }));
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
