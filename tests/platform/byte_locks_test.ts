/** Locks of single bytes: what others hold is told exactly, and what is ours to hold is held, as the system lists it. */
import { WalIndex } from "../../lib/database/wal_index.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { NodeCalls } from "../../lib/platform/node_calls.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assert, assertEquals, fail } from "../support/assert.ts";
import { LockByte, locksOn } from "../support/locks.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const ACTIONS = import.meta.resolve("../database/presence_actions.ts");
const files = new DenoFileSystem();

async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const path = `${folder}/file`;
    Deno.writeFileSync(path, new Uint8Array(200));
    await work(path);
  });
}

Deno.test("isLockedByOthers() tells of the byte that another process has locked, of no other, and takes no lock", () =>
  withFile(async (path) => {
    await using other = startOtherProcess();
    const handle = files.open(path, "read");
    assertEquals(handle.isLockedByOthers(100), false);
    await other.call(ACTIONS, "lockForItself", path, 100);
    assertEquals([99, 100, 101].map((at) => handle.isLockedByOthers(at)), [false, true, false]);
    assertEquals(locksOn(path), [{ pid: other.pid, access: "WRITE", start: 100, end: 100 }]);
    await other.exit();
    assertEquals(handle.isLockedByOthers(100), false);
    handle.close();
  }));

Deno.test("share() locks these bytes for reading until released, whichever other descriptor is closed meanwhile", () =>
  withFile(async (path) => {
    const handle = files.open(path, "read");
    const lock = handle.share(20, 5);
    assert(lock !== undefined);
    files.open(path, "read").close();
    assertEquals(locksOn(path, "OFDLCK"), [{ pid: -1, access: "READ", start: 20, end: 24 }]);
    assertEquals(locksOn(path), []);
    const second = files.open(path, "read");
    assert(second.share(20, 1) !== undefined, "what is shared can be shared once more");
    second.close();
    lock.release();
    assertEquals(locksOn(path, "OFDLCK"), []);
    handle.share(20, 5);
    handle.close();
    assertEquals(locksOn(path, "OFDLCK"), []);
    await Promise.resolve();
  }));

Deno.test("share() is refused at once where another process has one of the bytes for itself, and holds nothing", () =>
  withFile(async (path) => {
    await using other = startOtherProcess();
    await other.call(ACTIONS, "lockForItself", path, 22);
    const handle = files.open(path, "read");
    assertEquals(handle.share(20, 5), undefined);
    assertEquals(locksOn(path, "OFDLCK"), []);
    assert(handle.share(23, 2) !== undefined);
    handle.close();
  }));

Deno.test("lockLater() takes a byte for its own handle alone, until that is closed, whoever else asks", () =>
  withFile(async (path) => {
    const [own, other] = [await files.openLater(path, "write"), await files.openLater(path, "write")];
    assertEquals([await own.lockLater(30), await own.lockLater(30)], [true, true]);
    assertEquals(locksOn(path, "OFDLCK"), [{ pid: -1, access: "WRITE", start: 30, end: 30 }]);
    assertEquals([await other.lockLater(30), await other.lockLater(31)], [false, true]);
    await own.closeLater();
    assertEquals(await other.lockLater(30), true);
    await other.closeLater();
    assertEquals(locksOn(path, "OFDLCK"), []);
  }));

/** What a child has of our descriptors between its start and its own program's. */
function duplicateOf(path: string): Disposable {
  const libc = Deno.dlopen("libc.so.6", {
    dup: { parameters: ["i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const found = [...Deno.readDirSync("/proc/self/fd")].find(({ name }) => linkOf(`/proc/self/fd/${name}`) === path);
  const copy = libc.symbols.dup(Number(found?.name ?? fail(`${path} is not open`)));
  return {
    [Symbol.dispose]: () => {
      libc.symbols.close(copy);
      libc.close();
    },
  };
}

function linkOf(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined; // Closed since it was listed.
  }
}

Deno.test("lockLater() and tryLock() end with close, though a child that is being started has the descriptor, too", () =>
  withFile(async (path) => {
    for (const end of ["close", "closeLater"] as const) {
      const own = await files.openLater(path, "write");
      assertEquals(await own.lockLater(30), true);
      using _copy = duplicateOf(path);
      await own[end]();
      const other = await files.openLater(path, "write");
      assertEquals(await other.lockLater(30), true, end);
      await other.closeLater();
    }
    const lock = files.tryLock(`${path}.lock`);
    assert(lock !== undefined);
    using _copy = duplicateOf(`${path}.lock`);
    lock.release();
    const again = files.tryLock(`${path}.lock`);
    assert(again !== undefined);
    again.release();
  }));

Deno.test("identityLater() tells which file is open, whatever has its name by now", () =>
  withFile(async (path) => {
    const handle = await files.openLater(path, "read");
    const identity = files.linkStatus(path)?.identity;
    Deno.renameSync(path, `${path}-moved`);
    Deno.writeTextFileSync(path, "another");
    assertEquals(await handle.identityLater(), identity);
    assert(files.linkStatus(path)?.identity !== identity);
    await handle.closeLater();
  }));

Deno.test("isOpenElsewhere() tells of another process's connection, not of one of ours", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    await using application = startOtherProcess();
    await application.open(path, { create: true });
    await application.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry (n)"]);
    const connection = createNodeDriver().open(path, {});
    connection.values("SELECT count(*) FROM entry");
    const index = WalIndex.open(files, `${path}-shm`);
    assertEquals(index.isOpenElsewhere(), true);
    await application.close();
    assertEquals(index.isOpenElsewhere(), false);
    const slot = index.shareSlot();
    assertEquals(locksOn(`${path}-shm`, "OFDLCK"), [
      { pid: -1, access: "READ", start: LockByte.lastSlot, end: LockByte.lastSlot },
    ]);
    slot?.release();
    assertEquals(locksOn(`${path}-shm`, "OFDLCK"), []);
    connection.close();
    index.close();
  }));

Deno.test("Node's calls, which know no such locks, say that they cannot tell, and lock nothing", async () => {
  const system = new NodeCalls();
  assertEquals<unknown>(system.isLockedByOthers(), undefined);
  assertEquals(system.share(), false);
  assertEquals<unknown>([await system.lockLater(), await system.identityLater()], [undefined, undefined]);
});
