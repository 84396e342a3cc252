/**
 * Lock fact 6: when a process closes any descriptor of a file, all its locks on that file are gone, for every connection in
 * the process. Each test runs in a process of its own, whose locks are looked at from here.
 */
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { heldSlots, isLocked, LockByte, locksOn } from "../support/locks.ts";
import { type OtherProcess, startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const ACTIONS = import.meta.resolve("./lock_actions.ts");

interface Scene {
  readonly folder: string;
  readonly path: string;
  /** Holds a read transaction. */
  readonly holder: OtherProcess;
  /** How many locks the holder has on the database file, and on `-shm`. */
  readonly locks: () => { readonly database: number; readonly shm: number };
}

function fact(name: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name: `Lock fact 6: ${name}`,
    timeout: 20_000,
    fn: () =>
      withTemporaryFolder(async (folder) => {
        const path = `${folder}/app.db`;
        await using holder = startOtherProcess();
        Deno.createSync(path).close();
        await holder.call(ACTIONS, "keepDescriptor", path);
        await holder.open(path);
        await holder.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry (body)", "BEGIN", "SELECT * FROM entry"]);
        const count = (file: string) => locksOn(file).filter((lock) => lock.pid === holder.pid).length;
        const locks = () => ({ database: count(path), shm: count(`${path}-shm`) });
        assertGreater(locks().database, 0);
        assertGreater(locks().shm, 0);
        assertEquals(heldSlots(`${path}-shm`, holder.pid).length, 1);
        await run({ folder, path, holder, locks });
      }),
  });
}

for (const action of ["openAndClose", "readWhole"]) {
  fact(`${action}() of the database file drops the locks on it`, async ({ path, holder, locks }) => {
    const { shm } = locks();
    await holder.call(ACTIONS, action, path);
    assertEquals(locks(), { database: 0, shm });
  });

  fact(`${action}() of -shm drops the hold`, async ({ path, holder, locks }) => {
    const { database } = locks();
    await holder.call(ACTIONS, action, `${path}-shm`);
    assertEquals(locks(), { database, shm: 0 });
  });
}

fact("copyFile of the database file drops the locks on it", async ({ path, holder, locks }) => {
  await holder.call(ACTIONS, "copy", path, `${path}.copy`);
  assertEquals(locks().database, 0);
});

fact("a dropped hold holds nothing: another restarts the WAL under it", async ({ path, holder }) => {
  await using other = startOtherProcess();
  await other.open(path);
  await other.run("INSERT INTO entry VALUES (1)");
  assertEquals((await other.run("PRAGMA wal_checkpoint(TRUNCATE)"))[0]?.[0], 1);
  await holder.call(ACTIONS, "openAndClose", `${path}-shm`);
  assertEquals((await other.run("PRAGMA wal_checkpoint(TRUNCATE)"))[0]?.[0], 0);
});

fact("looking, renaming and reading by a kept descriptor keep the locks", async ({ path, holder, locks }) => {
  const before = locks();
  for (const file of [path, `${path}-shm`]) await holder.call(ACTIONS, "lookWithoutClosing", file);
  assertEquals(locks(), before);
});

fact("further connections of the same library keep the locks", async ({ path, holder, locks }) => {
  const before = locks();
  for (const readOnly of [false, true]) {
    await holder.open(path, { readOnly }, "further");
    await holder.run("SELECT * FROM entry", "further");
    await holder.close("further");
  }
  assertEquals(locks(), before);
});

fact("what another process opens and closes keeps the locks", async ({ path, locks }) => {
  const before = locks();
  await using other = startOtherProcess();
  for (const file of [path, `${path}-shm`]) await other.call(ACTIONS, "openAndClose", file);
  assertEquals(locks(), before);
});

fact("FileEvents on the folder keeps the locks", async ({ folder, path, holder, locks }) => {
  const before = locks();
  await holder.call(ACTIONS, "watchByInotify", folder);
  await writeAndCheckpoint(path);
  const names = async () => await holder.call(ACTIONS, "namesSeenByInotify") as string[];
  await until(async () => (await names()).includes("app.db"));
  assert((await names()).includes("app.db-wal"));
  assertEquals(locks(), before);
});

fact("the runtime's own watcher on the folder drops the locks", async ({ folder, path, holder, locks }) => {
  await holder.call(ACTIONS, "watchByRuntime", folder);
  await writeAndCheckpoint(path);
  await until(() => locks().database === 0);
  assertGreater(await holder.call(ACTIONS, "eventsSeenByRuntime") as number, 0);
});

/** Events of the WAL, then of the database file. */
async function writeAndCheckpoint(path: string): Promise<void> {
  await using other = startOtherProcess();
  await other.open(path);
  await other.run("PRAGMA wal_checkpoint(PASSIVE)");
  await other.run("INSERT INTO entry VALUES (1)");
  assertEquals(isLocked(`${path}-shm`, other.pid, LockByte.alive, "READ"), true);
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}
