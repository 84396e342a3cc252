/** With as many files open as may be: what says so, and what must not say anything else. */
import { isRetryable, ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { DenoProcess } from "../../lib/platform/deno_process.ts";
import { plainAnswer } from "../../lib/platform/http_connection.ts";
import { serveHttp } from "../../lib/platform/http_server.ts";
import { isMountPoint } from "../../lib/platform/mounts.ts";
import { lockHolder, readLocks, whoHasOpen } from "../../lib/platform/open_files.ts";
import { hasSpareDescriptors, isOutOfDescriptors } from "../../lib/platform/spare_descriptors.ts";
import { SqliteError } from "../../lib/sqlite/driver.ts";
import { selectDriver } from "../../lib/sqlite/select_driver.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { limitOpenFiles } from "../support/open_files_limit.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** Opens all that may be opened but so many, for as long as the work takes. */
async function withFewFiles(left: number, work: () => void | Promise<void>): Promise<void> {
  const limit = limitOpenFiles(Deno.pid, 512);
  const opened: Deno.FsFile[] = [];
  try {
    try {
      for (;;) opened.push(Deno.openSync("/dev/null"));
    } catch {
      // All of them.
    }
    for (let count = 0; count < left; count++) opened.pop()?.close();
    await work();
  } finally {
    limitOpenFiles(Deno.pid, limit);
    for (const file of opened) file.close();
  }
}

function assertSaid(error: unknown): void {
  assert(error instanceof ReplicationError, String(error));
  assertMatch(error.message, /^Cannot [^:]+: too many open files$/);
  assert(isRetryable(error), error.code);
  assertMatch(error.advice ?? "", /raise the limit/);
}

function thrownBy(work: () => unknown): unknown {
  return assertThrows(work);
}

Deno.test("hasSpareDescriptors() tells how many files may still be opened", async () => {
  assertEquals(hasSpareDescriptors(64), true);
  for (const left of [0, 3]) {
    await withFewFiles(left, () => {
      assertEquals([hasSpareDescriptors(left), hasSpareDescriptors(left + 1)], [true, false]);
    });
  }
});

Deno.test("isOutOfDescriptors() knows the limit of the process and that of the system, by code or by number", () => {
  for (const code of ["EMFILE", "ENFILE"]) assert(isOutOfDescriptors(Object.assign(new Error("x"), { code })), code);
  for (const number of [23, 24]) assert(isOutOfDescriptors(new Error(`Too many (os error ${number})`)), `${number}`);
  for (const other of [new Error("x (os error 2)"), Object.assign(new Error(), { code: "ENOENT" }), null, undefined]) {
    assertEquals(isOutOfDescriptors(other), false);
  }
});

Deno.test("too many open files is said as that and may pass, whatever is opened, and nobody is taken for absent", () =>
  withTemporaryFolder(async (folder) => {
    const files = new DenoFileSystem();
    const path = `${folder}/file`;
    Deno.writeTextFileSync(path, "text");
    lockHolder(path); // What is loaded once is loaded.
    const process = new DenoProcess();
    await withFewFiles(0, async () => {
      const acts: readonly (() => unknown)[] = [
        () => files.open(path, "read"),
        () => files.open(path, "create"),
        () => files.list(folder),
        () => files.readText(path),
        () => files.readUtf8(path),
        () => files.syncFolder(folder),
        () => files.tryLock(path),
        () => isMountPoint(files, path),
        () => whoHasOpen(path),
        () => lockHolder(path),
        () => readLocks(),
        () => process.spawn("/bin/true", []),
      ];
      for (const act of acts) assertSaid(thrownBy(act));
      const later = [
        () => files.openLater(path, "read"),
        () => files.listLater(folder),
        () => files.syncFolderLater(folder),
        () => process.runAgain(["version"], new AbortController().signal),
      ];
      for (const act of later) assertSaid(await assertRejects(act));
    });
  }));

Deno.test("a SQLite driver says that too many files are open, not that a database cannot be opened, and starts no Worker", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    const driver = await selectDriver(undefined);
    const connection = driver.open(path, { create: true });
    connection.execute("PRAGMA journal_mode = WAL");
    connection.execute("CREATE TABLE t(x)");
    for (const left of [0, 1]) {
      await withFewFiles(left, () => {
        const error = thrownBy(() => {
          const second = driver.open(path, {});
          try {
            second.values("SELECT count(*) FROM t");
          } finally {
            second.close();
          }
        });
        assert(error instanceof SqliteError, `${left}: ${error}`);
        assertEquals([error.primaryCode, error.isOutOfFiles], [14, true]);
        assertMatch(error.message, /unable to open database file.*: too many open files$/);
      });
    }
    for (const left of [0, 2, 4, 6, 8]) {
      await withFewFiles(left, async () => {
        assertSaid(await assertRejects(() => driver.prepareLater(path, { mayWrite: false, enableWal: false })));
        assertSaid(await assertRejects(() => driver.checkpointLater(path)));
      });
    }
    await withFewFiles(24, async () => {
      const prepared = await driver.prepareLater(path, { mayWrite: false, enableWal: false });
      await prepared.close();
    });
    connection.close();
    const missing = thrownBy(() => driver.open(`${folder}/missing.db`, {}));
    assertEquals(missing instanceof SqliteError && missing.isOutOfFiles, false);
  }));

Deno.test("serveHttp() takes no connection where few files are left or none, says so, and answers again after it", async () => {
  const problems: ReplicationError[] = [];
  const hostname = "127.0.0.1";
  const address = { hostname, port: 0 };
  const system = new SystemClock();
  const restsMs: number[] = [];
  const clock = Object.assign(new SystemClock(), {
    sleep: (ms: number, signal?: AbortSignal) => {
      if (ms !== limits.httpConnectionMaxMs) restsMs.push(ms);
      return system.sleep(ms, signal);
    },
  });
  const server = serveHttp(address, () => plainAnswer(200, "well"), (one) => problems.push(one), clock);
  const ask = async () => {
    using connection = await Deno.connect({ hostname, port: server.port });
    await connection.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n")).catch(() => {});
    const bytes = new Uint8Array(4_096);
    const count = await connection.read(bytes).catch(() => null);
    return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
  };
  await withFewFiles(8, async () => assertEquals(await ask(), ""));
  assertMatch(problems.at(-1)?.message ?? "", /the last open files are for replication/);
  assertEquals(restsMs, [limits.httpTryAgainMs]);
  await withFewFiles(1, async () => {
    const asked = ask();
    await until(
      () => problems.some(({ message }) => /take a connection.*too many open files$/.test(message)),
      "trouble",
    );
    limitOpenFiles(Deno.pid, 4_096);
    assertMatch(await asked, / 200 OK/);
  });
  assertMatch(await ask(), / 200 OK/);
  await server.close();
});

Deno.test("serveHttp() gives up connections that ask nothing when few files are left, and answers who asks", async () => {
  const problems: ReplicationError[] = [];
  const hostname = "127.0.0.1";
  const address = { hostname, port: 0 };
  const server = serveHttp(address, () => plainAnswer(200, "well"), (one) => problems.push(one), new SystemClock());
  const idle: Deno.Conn[] = [];
  while (idle.length < 16) idle.push(await Deno.connect({ hostname, port: server.port }));
  const ask = async () => {
    using connection = await Deno.connect({ hostname, port: server.port });
    await connection.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
    const bytes = new Uint8Array(4_096);
    const count = await connection.read(bytes);
    return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
  };
  assertMatch(await ask(), / 200 OK/); // All of the idle ones were taken before.
  await withFewFiles(limits.httpSpareDescriptors - 4, async () => {
    for (let count = 0; count < 3; count++) assertMatch(await ask(), / 200 OK/);
  });
  assertEquals(problems, []);
  for (const connection of idle) connection.close();
  await server.close();
});
