/**
 * What stands on the disk soon after the application's last close, beside the real program: what SQLite would have left behind
 * without it, but for two empty files.
 */
import { DatabaseSync } from "node:sqlite";
import type { Generation } from "../../lib/position/generation.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { TransactionCounter } from "../../lib/wal/transaction_counter.ts";
import { assert, assertEquals, assertGreaterOrEqual } from "../support/assert.ts";
import { type Daemon, sleep, until } from "../support/daemon.ts";
import { heldSlots, isLocked, LockByte, locksOn } from "../support/locks.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { insert, type Scene, withScene } from "../end_to_end/scene.ts";

const ROWS = 40;
const DATABASE_PAGES_AT = 20;

/** The wal-index's own size of the database, which whoever opens it believes; 0: the file is asked. Undefined while it is made. */
function pagesInIndex({ database }: Scene): number | undefined {
  const { buffer } = Deno.readFileSync(`${database}-shm`);
  return buffer.byteLength < DATABASE_PAGES_AT + 4
    ? undefined
    : new DataView(buffer).getUint32(DATABASE_PAGES_AT, true);
}

/** The WAL is empty, the wal-index new, and one hold of ours rests on slot 0. */
async function untilGone(scene: Scene, daemon: Daemon): Promise<void> {
  const isGone = () => Deno.statSync(scene.wal).size === 0 && pagesInIndex(scene) === 0;
  await until(isGone, "the WAL to be empty and its index new");
  await until(() => heldSlots(`${scene.database}-shm`, daemon.pid).join() === "0", "the hold to rest on slot 0");
}

function rowsIn(application: DatabaseSync): unknown {
  assertEquals(application.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  return application.prepare("SELECT count(*) AS rows FROM entry").get()?.["rows"];
}

/** A closed database with so many rows, in WAL mode. */
function makeOther(scene: Scene, rows: number): string {
  const path = `${scene.folder}/data/other.db`;
  const other = new DatabaseSync(path);
  other.exec("PRAGMA journal_mode = WAL; CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
  insert(other, rows);
  other.close();
  return path;
}

function gone(name: string, run: (scene: Scene, daemon: Daemon, application: DatabaseSync) => Promise<void>): void {
  const fn = () =>
    withScene(async (scene) => {
      const application = scene.application();
      insert(application, ROWS / 2);
      await using daemon = scene.daemon();
      await daemon.line("Snapshot done");
      insert(application, ROWS / 2);
      await run(scene, daemon, application);
    });
  Deno.test({ name, timeout: 40_000, fn });
}

gone(
  "After the last close the WAL is copied and empty, and we hold what we held",
  async (scene, daemon, application) => {
    application.close();
    await untilGone(scene, daemon);
    assert(isLocked(`${scene.database}-shm`, daemon.pid, LockByte.alive, "READ"));
    assert(locksOn(scene.database).some(({ pid, access }) => pid === daemon.pid && access === "READ"));
    for (const suffix of ["", "-shm"]) assertEquals(locksOn(`${scene.database}${suffix}`, "OFDLCK"), []);
    const again = scene.connect();
    assertEquals(rowsIn(again), ROWS);
    insert(again, 5);
    again.close();
    await untilGone(scene, daemon);
    assertEquals(await daemon.stop(), 0, daemon.text);
    assertEquals(daemon.saying("Resynced"), []);
    assertEquals(daemon.saying("Letting go"), []);
    await scene.expectEqual();
  },
);

/** Transactions in the WAL of the replica. */
async function commitsIn({ store }: Scene, generation: Generation): Promise<number> {
  let commits = 0;
  for (const { index, lastRecord } of (await store.catalog(generation)).wals) {
    const wal = new Uint8Array(lastRecord?.end ?? 0);
    if (wal.length === 0) continue;
    assertEquals(await store.readWal(generation, index, 0, wal), wal.length);
    const parsed = parseWalHeader(wal);
    assert(parsed.ok);
    const counter = new TransactionCounter(parsed.header.pageSize);
    counter.add(wal.subarray(WAL_HEADER_SIZE));
    commits += counter.transactions;
  }
  return commits;
}

gone(
  "What is committed and closed again and again is captured commit by commit",
  async (scene, daemon, application) => {
    application.close();
    const [generation] = await scene.generations();
    assert(generation !== undefined);
    for (let i = 0; i < 30; i++) {
      await using other = startOtherProcess();
      await other.open(scene.database, { busyTimeoutMs: 5_000 });
      await other.run("INSERT INTO entry(body) VALUES (randomblob(300))");
      await other.close();
      await sleep(i % 4);
    }
    await untilGone(scene, daemon);
    await scene.replicated();
    assertEquals(daemon.saying("Resynced"), []);
    assertGreaterOrEqual(await commitsIn(scene, generation), 30); // Of the two that one look found, only one is a point.
    await scene.expectEqual();
  },
);

gone("Nothing is emptied while another process has the database open", async (scene, daemon, application) => {
  await using other = startOtherProcess();
  await other.open(scene.database, { busyTimeoutMs: 5_000 });
  await other.run("INSERT INTO entry(body) VALUES (randomblob(300))");
  application.close();
  await sleep(500);
  assert(Deno.statSync(scene.wal).size > 0);
  assert((pagesInIndex(scene) ?? 0) > 0);
  await other.close();
  await untilGone(scene, daemon);
});

gone("-wal and -shm deleted after the last close cost nothing", async (scene, daemon, application) => {
  application.close();
  await untilGone(scene, daemon);
  for (const suffix of ["-wal", "-shm"]) Deno.removeSync(`${scene.database}${suffix}`);
  const again = scene.connect();
  assertEquals(rowsIn(again), ROWS);
  await daemon.line("Letting go");
  await daemon.line("Resynced");
  insert(again, 5);
  assertEquals(await daemon.stop(), 0, daemon.text);
  again.close();
  await scene.expectEqual();
});

for (const rows of [5, 20 * ROWS]) {
  const size = rows < ROWS ? "smaller" : "larger";
  gone(
    `A ${size} file renamed into place is at once what the application reads`,
    async (scene, daemon, application) => {
      application.close();
      await untilGone(scene, daemon);
      const other = makeOther(scene, rows);
      Deno.renameSync(other, scene.database);
      const again = scene.connect();
      assertEquals(rowsIn(again), rows);
      insert(again, 5);
      assertEquals(rowsIn(again), rows + 5);
      await daemon.line("was replaced by another file");
      await daemon.line("Resynced");
      insert(again, 5);
      assertEquals(await daemon.stop(), 0, daemon.text);
      again.close();
      await scene.expectEqual();
    },
  );

  gone(`A ${size} file copied into place is at once what the application reads`, async (scene, daemon, application) => {
    application.close();
    await untilGone(scene, daemon);
    await sleep(300); // Until the rest is confirmed by a second hand-over.
    const other = makeOther(scene, rows);
    assertEquals(new Deno.Command("cp", { args: [other, scene.database] }).outputSync().code, 0);
    const again = scene.connect();
    assertEquals(rowsIn(again), rows);
    insert(again, 5);
    assertEquals(rowsIn(again), rows + 5);
    await daemon.line("Resynced");
    assertEquals(await daemon.stop(), 0, daemon.text);
    again.close();
    await scene.expectEqual();
  });
}

gone("Touching the file at rest is no overwriting, and holds nobody up", async (scene, daemon, application) => {
  assertEquals(application.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"], 0);
  for (let i = 0; i < 25; i++) {
    await until(() => heldSlots(`${scene.database}-shm`, daemon.pid).join() === "0", "the hold to rest on slot 0");
    await sleep(120); // Until the rest is confirmed by a second hand-over.
    const now = new Date();
    Deno.utimeSync(scene.database, now, now);
    await sleep(20);
    insert(application, 1);
    assertEquals(application.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"], 0);
  }
  assertEquals(await daemon.stop(), 0, daemon.text);
  assertEquals(daemon.saying("Resynced"), []);
  assertEquals(daemon.saying("overwritten"), []);
  application.close();
  await scene.expectEqual();
});

gone("Another file that comes beside the same WAL before we can look is not taken for what was captured", async (
  scene,
  daemon,
  application,
) => {
  const other = `${scene.folder}/data/other.db`;
  application.prepare("VACUUM INTO ?").run(other);
  const copy = new DatabaseSync(other);
  copy.exec("PRAGMA journal_mode = WAL");
  copy.close();
  application.exec("UPDATE entry SET body = randomblob(200)");
  assertEquals(application.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"], 0);
  insert(application, 1);
  await scene.replicated();
  daemon.signal("SIGSTOP");
  application.close();
  Deno.renameSync(other, scene.database);
  const again = scene.connect(); // With the WAL and its index, which we keep.
  insert(again, 1);
  daemon.signal("SIGCONT");
  await daemon.line("was replaced by another file");
  await daemon.line("Resynced");
  assertEquals(await daemon.stop(), 0, daemon.text);
  again.close();
  await scene.expectEqual();
});

gone("The WAL of a file that was replaced goes into that file, not into the one that has its name now", async (
  scene,
  daemon,
  application,
) => {
  const other = makeOther(scene, 5);
  await scene.replicated();
  await daemon.whileStopped(() => {
    application.close();
    Deno.renameSync(other, scene.database);
  });
  await daemon.line("was replaced by another file");
  await daemon.line("Resynced");
  const again = scene.connect();
  assertEquals(rowsIn(again), 5);
  insert(again, 5);
  assertEquals(await daemon.stop(), 0, daemon.text);
  assertEquals(rowsIn(again), 10);
  again.close();
  await scene.expectEqual();
});
