import { lockHolders, readLocks, whoHasOpen } from "../../lib/platform/open_files.ts";
import { assertEquals } from "../support/assert.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test({
  name: "whoHasOpen() names another process that has the file open, under any of its names, until it closes it",
  timeout: 20_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const path = `${folder}/app.db`;
      await using other = startOtherProcess();
      await other.open(path, { create: true });
      const expected = [{ pid: other.pid, command: "deno" }];
      assertEquals(whoHasOpen(path), expected);
      Deno.symlinkSync(path, `${folder}/link.db`);
      Deno.linkSync(path, `${folder}/hard.db`);
      assertEquals(whoHasOpen(`${folder}/link.db`), expected);
      assertEquals(whoHasOpen(`${folder}/hard.db`), expected);
      await other.runAll(["PRAGMA journal_mode = WAL", "PRAGMA user_version"]);
      const { dev, ino } = Deno.statSync(`${path}-shm`);
      assertEquals(lockHolders(readLocks(), dev, ino ?? 0), [other.pid]);
      await other.close();
      assertEquals(whoHasOpen(path), []);
    }),
});

Deno.test("whoHasOpen() does not name this process, and nobody for a missing file", () =>
  withTemporaryFolder((folder) => {
    using _file = Deno.openSync(`${folder}/app.db`, { write: true, create: true });
    assertEquals(whoHasOpen(`${folder}/app.db`), []);
    assertEquals(whoHasOpen(`${folder}/missing.db`), []);
  }));

Deno.test("lockHolders() finds the holders of POSIX locks on the device and inode, and who waits for them", () => {
  const locks = [
    "1: POSIX  ADVISORY  READ 1234 fe:00:99 128 128",
    "1: -> POSIX  ADVISORY  WRITE 1235 fe:00:99 128 128",
    "2: POSIX  ADVISORY  WRITE 1234 fe:00:99 0 EOF",
    "3: POSIX  ADVISORY  READ 2000 fe:00:990 128 128",
    "4: POSIX  ADVISORY  READ 2001 fe:01:99 128 128",
    "5: FLOCK  ADVISORY  WRITE 2002 fe:00:99 0 EOF",
    "6: OFDLCK ADVISORY  READ -1 fe:00:99 0 EOF",
    "",
  ].join("\n");
  assertEquals(lockHolders(locks, 0xfe00, 99), [1234, 1235]);
  assertEquals(lockHolders(locks, 0xfe01, 99), [2001]);
});

Deno.test("lockHolders() unpacks device numbers beyond eight bits", () => {
  const locks = "1: POSIX  ADVISORY  READ 7 103:03:5 0 EOF\n2: POSIX  ADVISORY  READ 8 103:10002:5 0 EOF";
  assertEquals(lockHolders(locks, 0x10303, 5), [7]);
  assertEquals(lockHolders(locks, 0x10010302, 5), [8]);
});
