import { run } from "../../scripts/project.ts";
import { ResultCode, type SqliteConnection, SqliteError, type SqliteValue } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { isLocked, LockByte, locksOn } from "../support/locks.ts";
import { type OtherProcess, startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const ACTIONS = import.meta.resolve("./checkpoint_actions.ts");
const PROGRAM = new URL("./checkpoint_program.ts", import.meta.url).pathname;
const ROWS_PER_MB = 244;
/** The runtime keeps some descriptors once it has had Workers, whatever their number: fewer than one for each of these. */
const CHECKPOINTS = 20;
const KEPT_BY_RUNTIME_MAX = 12;

const driver = createNodeDriver();

function checkpointLater(path: string): Promise<SqliteValue[] | undefined> {
  return driver.checkpointLater(path);
}

/** Statements that leave a WAL of about that size, of which nothing is copied. */
function walOf(megabytes: number): string[] {
  const rows = Math.ceil(megabytes * ROWS_PER_MB);
  return [
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = OFF",
    "PRAGMA wal_autocheckpoint = 0",
    "CREATE TABLE entry (body)",
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
       INSERT INTO entry SELECT zeroblob(4000) FROM n`,
  ];
}

/** A database of this process with a WAL of that size; its connection is closed afterwards. */
async function withDatabase(
  megabytes: number,
  work: (path: string, connection: SqliteConnection) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    const connection = driver.open(path, { create: true });
    try {
      for (const sql of walOf(megabytes)) connection.execute(sql);
      await work(path, connection);
    } finally {
      connection.close();
    }
  });
}

/** The same in another process. */
async function withOtherProcess(
  megabytes: number,
  work: (other: OtherProcess, path: string, folder: string) => Promise<void>,
  options: { readonly isQuiet?: boolean } = {},
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    await using other = startOtherProcess(options);
    await other.open(path, { create: true });
    await other.runAll(walOf(megabytes));
    await work(other, path, folder);
  });
}

function frames(path: string): number {
  return (Deno.statSync(`${path}-wal`).size - 32) / (4096 + 24);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Gap {
  /** The longest time between two steps. */
  readonly gapMs: number;
  readonly totalMs: number;
}

/** Takes the step every 5 ms while the work goes on. */
async function largestGap(work: () => Promise<unknown>, step: () => void): Promise<Gap> {
  const start = performance.now();
  let last = start;
  let gapMs = 0;
  const tick = () => {
    step();
    const now = performance.now();
    gapMs = Math.max(gapMs, now - last);
    last = now;
  };
  const timer = setInterval(tick, 5);
  try {
    await work();
    tick();
  } finally {
    clearInterval(timer);
  }
  return { gapMs, totalMs: last - start };
}

Deno.test({
  name: "checkpointLater() copies a WAL of 200 MB while this thread goes on, with read transactions on it too",
  timeout: 60_000,
  fn: () =>
    withDatabase(200, async (path, connection) => {
      const walFrames = frames(path);
      assertGreater(walFrames * 4096, 199e6);
      const reader = driver.open(path, {});
      const readOnce = () => {
        reader.execute("BEGIN");
        reader.values("PRAGMA user_version");
        reader.execute("ROLLBACK");
      };
      let row: SqliteValue[] | undefined;
      const { gapMs, totalMs } = await largestGap(async () => row = await checkpointLater(path), readOnce);
      reader.close();
      assertEquals(row, [0, walFrames, walFrames]);
      assertEquals(Deno.statSync(path).size, 4096 * Number(connection.values("PRAGMA page_count")?.[0]));
      assertLess(gapMs, totalMs / 2, `${gapMs} of ${totalMs} ms without a step`);
    }),
});

Deno.test("checkpointLater() copies no further than a reader allows, and says how far", () =>
  withDatabase(1, async (path, connection) => {
    const reader = driver.open(path, {});
    reader.execute("BEGIN");
    reader.values("SELECT count(*) FROM entry");
    const readable = frames(path);
    connection.execute("INSERT INTO entry VALUES ('later')");
    assertEquals(await checkpointLater(path), [0, frames(path), readable]);
    assertLess(readable, frames(path));
    reader.close();
    assertEquals(await checkpointLater(path), [0, frames(path), frames(path)]);
  }));

Deno.test("checkpointLater() says that another connection is running a checkpoint", () =>
  withDatabase(1, async (path, connection) => {
    const writer = driver.open(path, {});
    writer.execute("BEGIN IMMEDIATE"); // A FULL checkpoint waits for it with the checkpoint lock in hand.
    await using other = startOtherProcess();
    await other.open(path, { busyTimeoutMs: 10_000 });
    const full = other.run("PRAGMA wal_checkpoint(FULL)");
    while (!isLocked(`${path}-shm`, other.pid, LockByte.checkpoint, "WRITE")) await sleep(1);
    assertEquals(await checkpointLater(path), [1, -1, -1]);
    writer.close();
    assertEquals((await full)[0]?.[0], 0);
    assertEquals(await checkpointLater(path), [0, frames(path), frames(path)]);
    assertGreater(Number(connection.values("SELECT count(*) FROM entry")?.[0]), 0);
  }));

Deno.test("checkpointLater() may be asked for many times at once, and one failure is the failure of one", () =>
  withDatabase(1, async (path) => {
    const results = await Promise.allSettled([path, `${path}.missing`, path].map(checkpointLater));
    assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  }));

Deno.test({
  name: "checkpointLater() keeps the locks of the main thread, while its connection is open and after",
  timeout: 60_000,
  fn: () =>
    withOtherProcess(100, async (other, path) => {
      await other.open(path, {}, "holder");
      await other.runAll(["BEGIN", "SELECT count(*) FROM entry"], "holder");
      const locks = () => [path, `${path}-shm`].map((file) => locksOn(file).filter(({ pid }) => pid === other.pid));
      const before = locks();
      assert(before.every((locksOfFile) => locksOfFile.length > 0));
      const walFrames = frames(path);
      let row: unknown;
      const done = other.call(ACTIONS, "checkpoint", path).then((answer) => row = answer);
      let sawCheckpoint = false;
      while (row === undefined) {
        const now = locks();
        before.forEach((locksOfFile, i) => locksOfFile.forEach((lock) => assertContains(now[i] ?? [], lock)));
        sawCheckpoint ||= isLocked(`${path}-shm`, other.pid, LockByte.checkpoint, "WRITE");
        await Promise.race([done, sleep(1)]);
      }
      assert(sawCheckpoint);
      assertEquals(row, [0, walFrames, walFrames]);
      assertEquals(await other.call(ACTIONS, "checkpoint", path, 3), row);
      await sleep(100); // The Worker's thread ends some time after it was told to.
      assertEquals(locks(), before);
      await using application = startOtherProcess();
      await application.open(path);
      assertEquals((await application.run("PRAGMA wal_checkpoint(TRUNCATE)"))[0]?.[0], 1);
    }),
});

function assertContains(locks: ReturnType<typeof locksOn>, wanted: ReturnType<typeof locksOn>[number]): void {
  const isThere = locks.some(({ access, start, end }) =>
    access === wanted.access && start <= wanted.start && wanted.end <= end
  );
  assert(isThere, `${JSON.stringify(wanted)} is not among ${JSON.stringify(locks)}`);
}

Deno.test({
  name: "checkpointLater() leaves no descriptor behind",
  timeout: 60_000,
  fn: () =>
    withOtherProcess(1, async (other, path) => {
      const descriptors = async () => await other.call(ACTIONS, "descriptors") as string[];
      const ours = async () => (await descriptors()).filter((name) => name.startsWith(path)).sort();
      const before = await descriptors();
      await other.call(ACTIONS, "checkpoint", path, CHECKPOINTS);
      // SQLite closes none of the database file while it has a lock on it: it keeps them for the next connections.
      assertEquals(await ours(), [path, path, path, `${path}-shm`, `${path}-wal`]);
      const start = performance.now();
      while ((await descriptors()).length > before.length + KEPT_BY_RUNTIME_MAX && performance.now() - start < 10_000) {
        await sleep(20); // The last Worker's thread ends some time after it was told to.
      }
      assertLessOrEqual((await descriptors()).length, before.length + KEPT_BY_RUNTIME_MAX);
      await other.close();
      assertEquals(await ours(), []);
    }),
});

Deno.test("checkpointLater() keeps the WAL even when its connections are the last to be closed", () =>
  withOtherProcess(1, async (other, path) => {
    const walFrames = frames(path);
    await other.exit();
    const wal = Deno.readFileSync(`${path}-wal`);
    assertEquals(await checkpointLater(path), [0, walFrames, walFrames]);
    assertEquals(Deno.readFileSync(`${path}-wal`), wal);
  }));

Deno.test({
  name: "checkpointLater() that is cut off by Deno.exit leaves the database whole and its WAL in place",
  timeout: 60_000,
  fn: () =>
    withOtherProcess(100, async (other, path) => {
      await other.call(ACTIONS, "startCheckpoint", path);
      while (!isLocked(`${path}-shm`, other.pid, LockByte.checkpoint, "WRITE")) await sleep(1);
      const walSize = Deno.statSync(`${path}-wal`).size;
      assertEquals((await other.exit()).code, 0);
      assertEquals(Deno.statSync(`${path}-wal`).size, walSize);
      const connection = driver.open(path, {});
      assertEquals(connection.values("PRAGMA integrity_check"), ["ok"]);
      assertEquals(connection.values("SELECT count(*) FROM entry"), [100 * ROWS_PER_MB]);
      connection.close();
    }),
});

async function resultCode(work: () => Promise<unknown>): Promise<number> {
  return (await assertRejects(work, SqliteError)).resultCode;
}

Deno.test("checkpointLater() refuses a database that is missing, and makes none", () =>
  withTemporaryFolder(async (folder) => {
    const error = await assertRejects(() => checkpointLater(`${folder}/app.db`), SqliteError);
    assertEquals(error.resultCode, ResultCode.cannotOpen);
    assertEquals(error.message, `unable to open database file ${folder}/app.db`);
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("checkpointLater() keeps SQLite's result code", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/app.db`, "no database, but long enough to be taken for one".repeat(20));
    assertEquals(await resultCode(() => checkpointLater(`${folder}/app.db`)), ResultCode.notADatabase);
  }));

Deno.test("checkpointLater() does not touch a database that took the other's place since it was asked for", () =>
  withDatabase(1, async (path, connection) => {
    const other = driver.open(`${path}.other`, { create: true });
    for (const sql of walOf(0.1)) other.execute(sql);
    const bytes = Deno.readFileSync(`${path}.other`);
    const checkpoint = checkpointLater(path);
    for (const suffix of ["", "-wal", "-shm"]) Deno.renameSync(`${path}.other${suffix}`, `${path}${suffix}`);
    const error = await assertRejects(() => checkpoint, SqliteError);
    assertEquals(error.resultCode, ResultCode.cannotOpen);
    assertStringIncludes(error.message, "other files stand under the name");
    assertEquals(Deno.readFileSync(path), bytes);
    other.close();
    assertGreater(Number(connection.values("SELECT count(*) FROM entry")?.[0]), 0);
  }));

for (const suffix of ["-wal", "-shm"]) {
  Deno.test(`checkpointLater() copies nothing when another ${suffix} took the place of the database's own`, () =>
    withDatabase(1, async (path) => {
      const bytes = Deno.readFileSync(path);
      const checkpoint = checkpointLater(path);
      Deno.copyFileSync(`${path}${suffix}`, `${path}.copy`);
      Deno.renameSync(`${path}.copy`, `${path}${suffix}`);
      assertEquals(await resultCode(() => checkpoint), ResultCode.cannotOpen);
      assertEquals(Deno.readFileSync(path), bytes);
    }));
}

Deno.test("checkpointLater() opens nothing, which would make a new -wal, once the database's own is gone", () =>
  withDatabase(1, async (path) => {
    const checkpoint = checkpointLater(path);
    Deno.removeSync(`${path}-wal`);
    assertEquals(await resultCode(() => checkpoint), ResultCode.cannotOpen);
    assertThrows(() => Deno.statSync(`${path}-wal`), Deno.errors.NotFound);
  }));

Deno.test("checkpointLater() copies nothing out of a -wal that was gone before", () =>
  withDatabase(1, async (path) => {
    const bytes = Deno.readFileSync(path);
    Deno.removeSync(`${path}-wal`);
    const error = await assertRejects(() => checkpointLater(path), SqliteError);
    assertEquals(error.primaryCode, ResultCode.ioError);
    assertEquals(Deno.readFileSync(path), bytes);
  }));

Deno.test("checkpointLater() says that its Worker ended, and the program goes on", () =>
  withOtherProcess(1, async (other, path) => {
    const walFrames = frames(path);
    const message = await other.call(ACTIONS, "checkpointByBrokenWorker", path);
    assertStringIncludes(String(message), `ReplicationError: Cannot checkpoint ${path} beside other work: `);
    assertStringIncludes(String(message), "the program is broken");
    assertEquals(await other.call(ACTIONS, "checkpoint", path), [0, walFrames, walFrames]);
  }, { isQuiet: true }));

Deno.test({
  name: "checkpointLater() works in a bundle that was moved elsewhere, and prints nothing of its errors",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const made = `${folder}/made/program.js`;
      Deno.mkdirSync(`${folder}/made`);
      const bundled = await run(Deno.execPath(), [
        "bundle",
        "--quiet",
        "--platform",
        "deno",
        "--output",
        made,
        PROGRAM,
      ]);
      assertEquals(bundled.code, 0, bundled.stderr);
      const moved = `${folder}/elsewhere/tool.js`;
      Deno.mkdirSync(`${folder}/elsewhere`);
      Deno.renameSync(made, moved);
      const parameters = ["run", "--allow-all", moved, `${folder}/an app?#%.db`, moved];
      const ended = await run(Deno.execPath(), parameters, { cwd: `${folder}/elsewhere` });
      assertEquals(ended, { code: 0, stdout: `{"row":[0,3,3],"codes":[14,26]}\n`, stderr: "" });
    }),
});
