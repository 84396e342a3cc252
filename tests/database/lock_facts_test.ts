/**
 * The lock facts of SQLite on which capture rests, against the real SQLite and a real application beside us. They are facts,
 * not wishes: where a later SQLite changes one, the capture cycle must be thought through again.
 */
import { ResultCode, type SqliteConnection, SqliteError } from "../../lib/sqlite/driver.ts";
import { equalSalts, mayFollow } from "../../lib/wal/salt.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "../support/assert.ts";
import { isLocked, LockByte } from "../support/locks.ts";
import { testSqliteLibrary } from "../support/sqlite_library.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { LockStage } from "./lock_stage.ts";

const IO_ERROR_WRITE = 778;
const PATIENCE_MS = 8000;

/** Each fact stands beside an application with our own SQLite, and beside one with the system's, which is older. */
function fact(name: string, run: (stage: LockStage) => Promise<void>): void {
  const applications = [["the built-in", {}], ["another", { sqliteLibrary: testSqliteLibrary() }]] as const;
  for (const [label, options] of applications) {
    Deno.test({
      name: `${name} (application with ${label} SQLite)`,
      timeout: 20_000,
      fn: async () => {
        await using stage = await LockStage.set(options);
        await run(stage);
      },
    });
  }
}

/** Takes the next hold before the old one is released; returns the connections with their roles changed. */
function handOver(stage: LockStage, holding: SqliteConnection, free: SqliteConnection): void {
  stage.hold(free);
  holding.execute("ROLLBACK");
}

fact("Lock fact 1: a hold on slots 1 to 4 limits PASSIVE to its mark", async (stage) => {
  const mark = stage.header().mxFrame;
  const hold = stage.hold();
  const [slot = 0, ...others] = stage.ourSlots();
  assertGreater(slot, 0);
  assertEquals(others, []);
  await stage.commit(3);
  assertEquals(await stage.checkpoint("PASSIVE"), [0, mark + 3, mark]);
  hold.execute("ROLLBACK");
  assertEquals(await stage.checkpoint("PASSIVE"), [0, mark + 3, mark + 3]);
});

fact("Lock fact 1: a hold on slots 1 to 4 keeps everybody from restarting the WAL", async (stage) => {
  const hold = stage.hold();
  const { salt, mxFrame: mark } = stage.header();
  assertEquals(await stage.checkpoint("PASSIVE"), [0, mark, mark]);
  await stage.commit();
  for (const mode of ["FULL", "RESTART", "TRUNCATE"]) assertEquals((await stage.checkpoint(mode))[0], 1);
  await stage.commit(1200); // Autocheckpoints included.
  assertEquals(stage.header().salt, salt);
  assertEquals(stage.header().backfilled, mark);
  assertGreater(stage.header().mxFrame, 1200);
  hold.execute("ROLLBACK");
  assertEquals((await stage.checkpoint("RESTART"))[0], 0);
  await stage.commit();
  assertNotEquals(stage.header().salt, salt);
});

fact("Lock fact 1: with all four slots taken a hold shares an older mark, until it is handed over", async (stage) => {
  const readers = ["one", "two", "three", "four"];
  for (const reader of readers) {
    await stage.commit();
    await stage.application.open(stage.path, {}, reader);
    await stage.application.runAll(["BEGIN", "SELECT * FROM entry LIMIT 1"], reader);
  }
  const newestMark = stage.header().mxFrame;
  await stage.commit();
  const first = stage.hold();
  const snapshot = stage.header().mxFrame;
  assertEquals(first.values("SELECT count(*) FROM entry"), [6]);
  for (const reader of readers) await stage.application.close(reader);
  assertEquals(await stage.checkpoint("PASSIVE"), [0, snapshot, newestMark]);
  handOver(stage, first, stage.connect());
  assertEquals(await stage.checkpoint("PASSIVE"), [0, snapshot, snapshot]);
});

fact("Lock fact 2: a hold on slot 0 freezes the database file against everything", async (stage) => {
  await stage.application.run("PRAGMA auto_vacuum = INCREMENTAL");
  await stage.application.run("VACUUM");
  await stage.commit(50);
  const { mxFrame } = stage.header();
  assertEquals(await stage.checkpoint("PASSIVE"), [0, mxFrame, mxFrame]);
  const hold = stage.hold();
  assertEquals(stage.ourSlots(), [0]);
  const frozen = stage.databaseBytes();
  const statements = [
    "UPDATE entry SET body = 'changed'",
    "DELETE FROM entry WHERE rowid > 10",
    "PRAGMA incremental_vacuum",
    "VACUUM",
    "PRAGMA auto_vacuum = FULL",
    "VACUUM",
  ];
  for (const sql of statements) {
    await stage.application.run(sql);
    for (const mode of ["PASSIVE", "FULL", "RESTART", "TRUNCATE"]) await stage.checkpoint(mode);
    assertEquals(stage.databaseBytes(), frozen, sql);
    assertEquals(stage.header().backfilled, 0, sql);
  }
  hold.execute("ROLLBACK");
  assertEquals((await stage.checkpoint("TRUNCATE"))[0], 0);
  assertNotEquals(stage.databaseBytes(), frozen);
});

fact("Lock fact 2: under a hold on slot 0 the WAL is restarted once, and the new life stays whole", async (stage) => {
  await stage.checkpoint("PASSIVE");
  const { salt: oldSalt } = stage.header();
  stage.hold();
  assertEquals(stage.ourSlots(), [0]);
  await stage.commit();
  const { salt } = stage.header();
  assert(!equalSalts(salt, oldSalt));
  for (const mode of ["PASSIVE", "FULL", "RESTART", "TRUNCATE"]) {
    await stage.commit(300);
    await stage.checkpoint(mode);
    assertEquals(stage.header().salt, salt);
    assertEquals(stage.header().backfilled, 0);
  }
  assertGreaterOrEqual(stage.header().mxFrame, 1201);
});

fact(
  "Lock fact 2: beside a reader on slots 1 to 4 a hold on slot 0 stops all copying until it leaves",
  async (stage) => {
    await stage.application.open(stage.path, {}, "reader");
    await stage.application.runAll(["BEGIN", "SELECT * FROM entry"], "reader");
    const { mxFrame: mark, salt } = stage.header();
    assertEquals(await stage.checkpoint("PASSIVE"), [0, mark, mark]);
    const hold = stage.hold();
    assertEquals(stage.ourSlots(), [0]);
    await stage.commit(2);
    assertEquals(stage.header().salt, salt); // Not restarted: it goes on.
    assertEquals(stage.header().mxFrame, mark + 2);
    await stage.application.close("reader");
    assertEquals((await stage.checkpoint("PASSIVE")).slice(1), [mark + 2, mark]);
    handOver(stage, hold, stage.connect());
    assertEquals(await stage.checkpoint("PASSIVE"), [0, mark + 2, mark + 2]);
  },
);

fact("Lock fact 3: TRUNCATE adds one to salt 1, on an idle database too", async (stage) => {
  await stage.checkpoint("TRUNCATE");
  for (let round = 0; round < 3; round++) {
    const before = stage.header();
    assertEquals(await stage.checkpoint("TRUNCATE"), [0, 0, 0]);
    const after = stage.header();
    assertEquals(after.mxFrame, 0);
    assert(mayFollow(after.salt, before.salt));
  }
});

fact("Lock fact 3: the sequence number of the WAL's header is private to a connection", async (stage) => {
  const connections = ["main", "second", "third"];
  for (const connection of connections.slice(1)) await stage.application.open(stage.path, {}, connection);
  const sequences: number[] = [];
  for (const connection of ["main", "main", "second", "third", "second", "main"]) {
    await stage.checkpoint("PASSIVE", connection);
    await stage.commit(1, connection);
    sequences.push(stage.walHeader().sequence);
  }
  assertEquals(sequences, [1, 2, 1, 1, 2, 3]);
});

fact("Lock fact 3: after another's TRUNCATE a connection may draw both salts anew", async (stage) => {
  await stage.checkpoint("TRUNCATE");
  const truncated = stage.header();
  await stage.application.open(stage.path, {}, "newcomer");
  await stage.commit(1, "newcomer");
  assert(!mayFollow(stage.header().salt, truncated.salt));
  assertNotEquals(stage.header().salt.salt1, truncated.salt.salt1);
});

fact("Lock fact 4: TRUNCATE waits for a hold that stands still, and writers wait for it", async (stage) => {
  const ours = stage.connect();
  const hold = stage.hold();
  const { mxFrame } = stage.header();
  const truncating = await startTruncate(stage);
  // It copies first, then waits, with the write lock.
  await until(() => stage.header().backfilled === mxFrame && isWriteLocked(stage));
  assertEquals(assertThrows(() => ours.execute("BEGIN IMMEDIATE"), SqliteError).resultCode, ResultCode.busy);
  assertEquals(ours.values("PRAGMA wal_checkpoint(PASSIVE)"), [1, -1, -1]);
  assertEquals(ours.values("PRAGMA wal_checkpoint(NOOP)"), [0, mxFrame, mxFrame]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert(isWriteLocked(stage));
  assertEquals(truncating.isDone(), false);
  hold.execute("ROLLBACK");
  assertEquals((await truncating.row)[0], 0);
});

fact("Lock fact 4: TRUNCATE succeeds promptly beside a hold that is handed over", async (stage) => {
  let free = stage.connect();
  let holding = stage.hold();
  await stage.commit(3);
  const start = performance.now();
  const truncating = await startTruncate(stage);
  while (!truncating.isDone()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    handOver(stage, holding, free);
    [holding, free] = [free, holding];
  }
  assertEquals((await truncating.row)[0], 0);
  assertLess(performance.now() - start, PATIENCE_MS / 2); // 0.05 to 0.1 s on an idle machine.
});

fact("Lock fact 5: BEGIN IMMEDIATE takes the write lock without writing a byte", async (stage) => {
  const header = stage.header();
  const wal = stage.walBytes();
  const database = stage.databaseBytes();
  const pause = stage.connect();
  pause.execute("BEGIN IMMEDIATE");
  assert(isLocked(stage.shmPath, Deno.pid, LockByte.write, "WRITE"));
  const error = await assertRejects(() => stage.commit(), SqliteError);
  assertEquals(error.resultCode, ResultCode.busy);
  pause.execute("ROLLBACK");
  assertEquals(stage.header(), header);
  assertEquals(stage.walBytes(), wal);
  assertEquals(stage.databaseBytes(), database);
  await stage.commit();
});

fact("Lock fact 5: a read-only connection's BEGIN IMMEDIATE locks nothing, and its PASSIVE fails", async (stage) => {
  await stage.application.open(stage.path, { readOnly: true }, "reader");
  await stage.application.run("BEGIN IMMEDIATE", "reader");
  assertEquals(isLocked(stage.shmPath, stage.application.pid, LockByte.write, "WRITE"), false);
  stage.connect().execute("INSERT INTO entry VALUES ('ours')");
  await stage.application.run("ROLLBACK", "reader");
  const error = await assertRejects(() => stage.checkpoint("PASSIVE", "reader"), SqliteError);
  assertEquals(error.resultCode, IO_ERROR_WRITE);
});

fact("Lock fact 7: beside our mere connection nobody can leave WAL mode or lock exclusively", async (stage) => {
  stage.connect().values("SELECT 1 FROM entry");
  const leave = await assertRejects(() => stage.application.run("PRAGMA journal_mode = DELETE"), SqliteError);
  assertEquals(leave.resultCode, ResultCode.busy);
  await stage.application.run("PRAGMA locking_mode = EXCLUSIVE");
  const write = await assertRejects(() => stage.commit(), SqliteError);
  assertEquals(write.primaryCode, ResultCode.busy);
});

fact("Lock fact 7: beside our mere connection an application that closes last copies nothing", async (stage) => {
  stage.connect().values("SELECT 1 FROM entry");
  const database = stage.databaseBytes();
  const wal = stage.walBytes();
  await stage.application.close();
  assertEquals(stage.databaseBytes(), database);
  assertEquals(stage.walBytes(), wal);
});

fact("Checkpoint: PASSIVE needs a connection outside a transaction", async (stage) => {
  const hold = stage.hold();
  const error = assertThrows(() => hold.values("PRAGMA wal_checkpoint(PASSIVE)"), SqliteError);
  assertEquals(error.primaryCode, ResultCode.locked);
  assertEquals((await stage.checkpoint("PASSIVE"))[0], 0);
});

fact("Checkpoint: under a write pause PASSIVE copies all, and the next hold lands on slot 0", async (stage) => {
  const hold = stage.hold();
  await stage.commit(3);
  const { mxFrame, salt } = stage.header();
  const pause = stage.connect();
  pause.execute("BEGIN IMMEDIATE");
  hold.execute("ROLLBACK");
  assertEquals(hold.values("PRAGMA wal_checkpoint(PASSIVE)"), [0, mxFrame, mxFrame]);
  stage.hold(hold);
  assert(stage.ourSlots().includes(0)); // Beside the slot of the pause.
  pause.execute("ROLLBACK");
  assertEquals(stage.ourSlots(), [0]);
  assertEquals(stage.header().salt, salt);
  await stage.commit();
  assertEquals(stage.header().mxFrame, 1);
  assert(mayFollow(stage.header().salt, salt));
});

fact("Hand-over: what is committed under an old hold and a new one on slot 0 is not restarted away", async (stage) => {
  const old = stage.hold();
  const { mxFrame, salt } = stage.header();
  assertEquals(await stage.checkpoint("PASSIVE"), [0, mxFrame, mxFrame]);
  stage.hold();
  assert(stage.ourSlots().includes(0));
  await stage.commit();
  assertEquals(stage.header().salt, salt); // The old hold still keeps the life.
  assertEquals(stage.header().mxFrame, mxFrame + 1);
  old.execute("ROLLBACK");
  await stage.commit();
  assertEquals(stage.header().salt, salt); // Slot 0 keeps what came after from being copied.
  assertEquals(stage.header().backfilled, mxFrame);
});

fact("Hand-over: frames below the mark of a hold on slot 0 are overwritten by the next commit", async (stage) => {
  const old = stage.hold();
  const before = stage.walBytes();
  await stage.checkpoint("PASSIVE");
  handOver(stage, old, stage.connect());
  assertEquals(stage.ourSlots(), [0]);
  assertEquals(stage.walBytes(), before);
  await stage.commit();
  assertNotEquals(stage.walBytes().subarray(0, 100), before.subarray(0, 100));
});

fact("Identity: with -shm deleted another process restarts the WAL under our hold", async (stage) => {
  const hold = stage.hold();
  const { mxFrame, salt } = stage.header();
  const before = stage.walBytes();
  Deno.removeSync(stage.shmPath);
  await using newcomer = startOtherProcess();
  await newcomer.open(stage.path);
  await newcomer.runAll(["PRAGMA wal_checkpoint(RESTART)", "INSERT INTO entry VALUES ('stranger')"]);
  assertNotEquals(stage.walBytes().subarray(0, 100), before.subarray(0, 100));
  assertEquals([stage.header().mxFrame, stage.header().salt], [mxFrame, salt]); // What we look at stands still.
  assertEquals(hold.values("SELECT count(*) FROM entry"), [1]);
  await newcomer.kill();
});

/** The application's TRUNCATE on a connection that waits long for locks. */
async function startTruncate(stage: LockStage) {
  await stage.application.open(stage.path, { busyTimeoutMs: PATIENCE_MS }, "patient");
  let isDone = false;
  const row = stage.checkpoint("TRUNCATE", "patient").finally(() => isDone = true);
  row.catch(() => {}); // Where the test fails meanwhile, its own error counts.
  return { row, isDone: () => isDone };
}

function isWriteLocked(stage: LockStage): boolean {
  return isLocked(stage.shmPath, stage.application.pid, LockByte.write, "WRITE");
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 2));
}
