/** Replicas with a history, made by the real programs beside a real application: snapshots, indexes, segments. */
import { DatabaseSync } from "node:sqlite";
import { startLitestream } from "../litestream/support/real_litestream.ts";
import { aKeyPair } from "../support/age.ts";
import { sleep, startReplicate } from "../support/daemon.ts";
import { objectsBelow } from "./replica_view.ts";
import type { Replica } from "./verify_trial.ts";

const ROUNDS = 3;
const GENERATIONS = 2;
/** For a lock, on a machine that is busy with other things. */
const PATIENCE_MS = 60_000;
const RESTART_MS = 1_000;
/** A snapshot is due each second. */
const SNAPSHOT_PAUSE_MS = 400;
const LAYOUTS = ["raw", "litestream"] as const;
/** As replicas of one database. */
const FORMS = [{ name: "raw", layout: "raw" }, { name: "litestream", layout: "litestream" }, {
  name: "age",
  layout: "litestream",
}] as const;
const WRITER = new URL("../support/writer.ts", import.meta.url).pathname;
/** One is damaged, of the other objects are taken. */
const DATABASES = ["app", "stranger"] as const;

/** Some rounds of changes, a restart of the WAL after each; then the application goes on until a snapshot was made. */
async function work(
  databases: readonly DatabaseSync[],
  roots: readonly string[],
  rounds: number,
  synced: () => Promise<void>,
): Promise<void> {
  const commit = async (slot: number, round: number) => {
    for (const db of databases) {
      const insert = `INSERT INTO t(b) VALUES(randomblob(${700 * (slot + 1)})), (randomblob(300))`;
      const update = `UPDATE t SET b = randomblob(${500 + round}) WHERE a % 5 = ${slot % 5}`;
      db.exec(`BEGIN IMMEDIATE; ${insert}; ${update}; COMMIT`); // One, so that each state is a point.
    }
    await synced();
  };
  for (let round = 0; round < rounds; round++) {
    const before = roots.map(snapshotsOf);
    for (let slot = 0; slot < 3; slot++) await commit(slot, round);
    for (const db of databases) {
      // It waits for readers, and Litestream always is one.
      db.exec(
        `PRAGMA busy_timeout = ${RESTART_MS}; PRAGMA wal_checkpoint(RESTART); PRAGMA busy_timeout = ${PATIENCE_MS}`,
      );
    }
    for (let slot = 0; roots.some((root, at) => snapshotsOf(root) <= (before[at] ?? 0)); slot++) {
      await sleep(SNAPSHOT_PAUSE_MS);
      await commit(slot, round);
    }
  }
  for (let slot = 0; slot < 2; slot++) await commit(slot, rounds); // The newest index holds pages twice.
}

function snapshotsOf(root: string): number {
  return existsBelow(root, "generations").filter((object) => /\.(snapshot|snapshot\.lz4)$/.test(object)).length;
}

function existsBelow(root: string, folder: string): string[] {
  try {
    return objectsBelow(root, `${folder}/`);
  } catch {
    return []; // Not made yet, or renamed under the look.
  }
}

function application(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: PATIENCE_MS });
  db.exec("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB); CREATE INDEX i ON t(length(b))");
  return db;
}

/**
 * Both layouts beside a rude application that never rests, with retention that removes something every second. `verify` is
 * given each in turn, as long as it wants more.
 */
export async function besideAWriter(
  folder: string,
  verify: (replica: Pick<Replica, "layout" | "root">) => Promise<boolean>,
): Promise<void> {
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
      if (!await verify({ layout, root: `${folder}/${layout}` })) break;
    }
  } finally {
    writer.kill("SIGKILL");
    await writer.status;
    await daemon.stop();
  }
}

/** By this program, in both layouts and encrypted; two generations, since the state folder is lost between them. */
export async function byTailrace(folder: string, rounds = ROUNDS): Promise<Replica[]> {
  Deno.mkdirSync(folder);
  const rootOf = (name: string, form: string) => `${folder}/${name}-${form}`;
  const { identity, recipient } = await aKeyPair();
  const keys = { identity, recipient };
  const dbs = DATABASES.map((name) => ({
    "path": `${folder}/${name}.db`,
    "replicas": FORMS.map((form) => ({
      "name": form.name,
      "path": rootOf(name, form.name),
      "layout": form.layout,
      ...(form.name === "age" ? { "age": { "identities": [identity], "recipients": [recipient] } } : {}),
      "sync-interval": "0s",
      "snapshot-interval": "1s",
    })),
  }));
  const config = `${folder}/tailrace.yml`;
  Deno.writeTextFileSync(config, JSON.stringify({ dbs }));
  const databases = dbs.map(({ path }) => application(path));
  const roots = dbs.flatMap(({ replicas }) => replicas.map(({ path }) => path));
  try {
    for (let turn = 0; turn < GENERATIONS; turn++) {
      await using daemon = startReplicate(["--config", config]);
      await daemon.until(() => daemon.saying("Snapshot done").length >= roots.length, "the first snapshots");
      await work(databases, roots, rounds, () => sleep(60));
      await daemon.stop();
      for (const name of DATABASES) Deno.removeSync(`${folder}/.${name}.db-tailrace`, { recursive: true });
    }
  } finally {
    for (const db of databases) db.close();
  }
  return FORMS.map(({ name, layout }) => ({
    writer: "Tailrace",
    layout,
    root: rootOf("app", name),
    stranger: rootOf("stranger", name),
    ...(name === "age" ? { keys } : {}),
  }));
}

export async function byLitestream(folder: string, rounds = ROUNDS): Promise<Replica[]> {
  Deno.mkdirSync(folder);
  const rootOf = (name: string) => `${folder}/${name}-replica`;
  const dbs = DATABASES.map((name) => ({
    path: `${folder}/${name}.db`,
    replicas: [{ path: rootOf(name), snapshotInterval: "1s", retention: "24h" }],
    checkpointInterval: "1s",
    minCheckpointPageCount: 20,
  }));
  const databases = dbs.map(({ path }) => application(path));
  try {
    for (let turn = 0; turn < GENERATIONS; turn++) {
      await using litestream = startLitestream(`${folder}/litestream.yml`, dbs);
      await work(databases, DATABASES.map(rootOf), rounds, () => litestream.synced());
      await litestream.stop();
      for (const name of DATABASES) Deno.removeSync(`${folder}/.${name}.db-litestream`, { recursive: true });
    }
  } finally {
    for (const db of databases) db.close();
  }
  return [{ writer: "Litestream", layout: "litestream", root: rootOf("app"), stranger: rootOf("stranger") }];
}
