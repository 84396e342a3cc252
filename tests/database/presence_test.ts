/** What SQLite's locks tell of other processes, and what locks of ours without a connection keep them from. */
import { isAlone, keepFiles, keepWal, usersOfWal } from "../../lib/database/presence.ts";
import { WalIndex } from "../../lib/database/wal_index.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileHandle } from "../../lib/platform/file_system.ts";
import type { SqliteConnection } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { isLocked, LockByte, locksOn } from "../support/locks.ts";
import { type OtherProcess, startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

interface Stage {
  readonly path: string;
  readonly application: OtherProcess;
  readonly databaseFile: FileHandle;
  readonly walIndex: WalIndex;
  open(): SqliteConnection;
  /** Every connection of ours. */
  close(): void;
}

/** The application has committed one row, and both have the database open. */
function staged(name: string, run: (stage: Stage) => Promise<void>): void {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      const files = new DenoFileSystem();
      const driver = createNodeDriver();
      const path = `${folder}/app.db`;
      await using application = startOtherProcess();
      await application.open(path, { create: true });
      await application.runAll([
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE entry (n)",
        "INSERT INTO entry VALUES (1)",
      ]);
      const connections: SqliteConnection[] = [];
      const databaseFile = files.open(path, "read");
      const open = () => {
        const connection = driver.open(path, {});
        connections.push(connection);
        connection.values("SELECT count(*) FROM entry");
        return connection;
      };
      const close = () => {
        for (const connection of connections) connection.close();
      };
      open();
      const walIndex = WalIndex.open(files, `${path}-shm`);
      try {
        await run({ path, application, databaseFile, walIndex, open, close });
      } finally {
        close();
        walIndex.close();
        databaseFile.close();
      }
    });
  Deno.test({ name, timeout: 30_000, fn });
}

staged("isAlone() sees another process come and go, and takes no lock", async (stage) => {
  const { path, application } = stage;
  const before = [...locksOn(path), ...locksOn(`${path}-shm`)].filter(({ pid }) => pid === Deno.pid);
  assert(isLocked(`${path}-shm`, application.pid, LockByte.alive, "READ"));
  assertEquals(isAlone(stage), false);
  await application.close();
  assert(!isLocked(`${path}-shm`, application.pid, LockByte.alive, "READ"));
  assertEquals(isAlone(stage), true);
  await application.open(path);
  await application.run("SELECT * FROM entry");
  assertEquals(isAlone(stage), false);
  assertEquals([...locksOn(path), ...locksOn(`${path}-shm`)].filter(({ pid }) => pid === Deno.pid), before);
});

staged("isAlone() is not misled by a process that lost its locks on one of the files", async (stage) => {
  const { path, application } = stage;
  for (const lost of ["", "-shm"]) {
    await application.call(import.meta.resolve("./presence_actions.ts"), "openAndClose", `${path}${lost}`);
    assertEquals(locksOn(`${path}${lost}`).filter(({ pid }) => pid === application.pid), []);
    assertEquals(isAlone(stage), false);
    await application.close();
    await application.open(path);
    await application.run("SELECT * FROM entry");
  }
});

staged("keepFiles() has the last close leave the WAL as it is", async ({ path, application, databaseFile, open }) => {
  const kept = keepFiles(databaseFile);
  assert(kept !== undefined);
  const connection = open();
  await application.run("INSERT INTO entry VALUES (2)");
  await application.close();
  const wal = Deno.readFileSync(`${path}-wal`);
  const database = Deno.readFileSync(path);
  connection.close();
  assertEquals(Deno.readFileSync(`${path}-wal`), wal);
  assertEquals(Deno.readFileSync(path), database);
  kept.release();
});

staged("keepWal() has whoever comes while we have no connection leave his commits in the WAL", async (stage) => {
  const { path, application, walIndex } = stage;
  await application.close();
  const kept = keepWal(stage);
  assert(kept !== undefined);
  stage.close();
  await application.open(path);
  await application.run("INSERT INTO entry VALUES (2)");
  await application.run("INSERT INTO entry VALUES (3)");
  const [row] = await application.run("PRAGMA wal_checkpoint(TRUNCATE)");
  assertEquals(row?.[0], 1);
  await application.close();
  const index = walIndex.read();
  assert(index !== undefined && index.mxFrame > 0);
  assertEquals(index.backfilled, 0);
  assertEquals(Deno.statSync(`${path}-wal`).size, 32 + index.mxFrame * (24 + index.pageSize));
  kept.release();
});

staged("keepWal() takes nothing where a checkpoint has the slot for itself", async (stage) => {
  await stage.application.call(
    import.meta.resolve("./presence_actions.ts"),
    "lockForItself",
    `${stage.path}-shm`,
    LockByte.lastSlot,
  );
  assertEquals(keepWal(stage), undefined);
  const kept = keepFiles(stage.databaseFile); // What was taken of it was given back, and can be had.
  assert(kept !== undefined);
  kept.release();
});

Deno.test({
  name: "usersOfWal() names who has the WAL open beside another database file, also among those who have this one",
  timeout: 30_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const files = new DenoFileSystem();
      const path = `${folder}/app.db`;
      const other = `${folder}/other.db`;
      await using old = startOtherProcess();
      await using young = startOtherProcess();
      for (const made of [other, path]) {
        await old.open(made, { create: true }, made);
        await old.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry (n)"], made);
        if (made === other) await old.close(made);
      }
      const ask = () => {
        const databaseFile = files.open(path, "read");
        try {
          const users = usersOfWal(files, path, databaseFile);
          return users.kind === "elsewhere" ? users.others.map(({ pid }) => pid) : users.kind;
        } finally {
          databaseFile.close();
        }
      };
      assertEquals(ask(), "here");
      Deno.renameSync(other, path);
      assertEquals(ask(), [old.pid]);
      await young.open(path);
      await young.run("SELECT * FROM entry");
      assertEquals(ask(), [old.pid]);
      await old.close(path);
      assertEquals(ask(), "here");
      await young.close();
      assertEquals(ask(), "none");
    }),
});
