/** What every SQLite driver must do; a new driver is done when this is green. */
import { DatabaseSync, type DatabaseSyncOptions } from "node:sqlite";
import { ResultCode, type SqliteConnection, type SqliteDriver, SqliteError } from "../../lib/sqlite/driver.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { isLocked, LockByte, locksOn } from "../support/locks.ts";
import { openBelow } from "../support/open_below.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const CONSTRAINT_PRIMARY_KEY = 1555;
const CONSTRAINT_UNIQUE = 2067;

interface DriverTest {
  readonly name: string;
  readonly run: (driver: SqliteDriver, folder: string) => void | Promise<void>;
}

export function testSqliteDriver(driver: SqliteDriver): void {
  for (const { name, run } of SQLITE_DRIVER_CONTRACT) {
    Deno.test(`${driver.name} SQLite driver: ${name}`, () => withTemporaryFolder((folder) => run(driver, folder)));
  }
}

/** A new database in WAL mode with a table `entry (id, body)`. */
function aDatabase(driver: SqliteDriver, path: string): SqliteConnection {
  const connection = driver.open(path, { create: true });
  connection.execute("PRAGMA journal_mode = WAL");
  connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, body TEXT UNIQUE)");
  return connection;
}

/** Runs the work with connections that are closed afterwards, the last one first. */
function using<Connections extends readonly SqliteConnection[]>(
  connections: Connections,
  work: (...connections: Connections) => void,
): void {
  try {
    work(...connections);
  } finally {
    for (const connection of [...connections].reverse()) connection.close();
  }
}

function errorCode(work: () => unknown): number {
  return assertThrows(work, SqliteError).resultCode;
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

/** The `busy` column: 1 when somebody's read transaction is in the way. */
function truncateIsBusy(connection: SqliteConnection): boolean {
  return connection.values("PRAGMA wal_checkpoint(TRUNCATE)")?.[0] === 1;
}

const OPENING: readonly DriverTest[] = [
  {
    name: "checkpoints and reads a database whose schema this SQLite cannot parse",
    run: async (driver, folder) => {
      const path = `${folder}/newer.db`;
      const rude = new DatabaseSync(path, { defensive: false } as DatabaseSyncOptions);
      rude.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(a); PRAGMA writable_schema = ON");
      rude.exec("INSERT INTO sqlite_schema VALUES('trigger', 'tr', 't', 0, 'CREATE TRIGGER tr NEWER SYNTAX')");
      rude.close(); // Two libraries on one file would take each other's locks.
      using([driver.open(path, {}), driver.open(path, { readOnly: true })], (connection, reader) => {
        assertEquals(connection.values("PRAGMA journal_mode"), ["wal"]);
        connection.values("PRAGMA synchronous = NORMAL");
        assertEquals(reader.values("PRAGMA page_count"), [2]);
        assertEquals(connection.values("PRAGMA wal_checkpoint(PASSIVE)")?.[0], 0);
      });
      const kept = driver.open(path, {});
      kept.values("PRAGMA page_count");
      assertEquals((await driver.checkpointLater(path))?.[0], 0);
      kept.close();
    },
  },
  {
    name: "open() refuses a file that is missing, and makes none",
    run: (driver, folder) => {
      assertEquals(errorCode(() => driver.open(`${folder}/app.db`, {})) & 0xff, ResultCode.cannotOpen);
      assertEquals(names(folder), []);
    },
  },
  {
    name: "open() makes the file when asked to, whatever its name",
    run: (driver, folder) => {
      const name = "a b%20?#&é.db";
      using([aDatabase(driver, `${folder}/${name}`)], (_connection) => {
        assertEquals(names(folder), [name, `${name}-shm`, `${name}-wal`]);
      });
    },
  },
  {
    name: "open() names the path of a folder that it cannot open",
    run: (driver, folder) => {
      const error = assertThrows(() => driver.open(folder, {}), SqliteError);
      assertEquals(error.primaryCode, ResultCode.cannotOpen);
      assertStringIncludes(error.message, folder);
    },
  },
  {
    name: "open() of a read-only connection can read and not write",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, { readOnly: true })], (_writer, reader) => {
        assertEquals(reader.values("SELECT count(*) FROM entry"), [0]);
        assertEquals(errorCode(() => reader.execute("INSERT INTO entry VALUES (1, 'one')")), ResultCode.readOnly);
      });
    },
  },
  {
    name: "open() of any connection waits for locks as long as it was told, by default not at all",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path)], (_database) => {
        for (const options of [{}, { readOnly: true }, { create: true }]) {
          using([driver.open(path, options), driver.open(path, { ...options, busyTimeoutMs: 70 })], (none, some) => {
            assertEquals([none, some].map((one) => one.values("PRAGMA busy_timeout")), [[0], [70]]);
          });
        }
      });
    },
  },
  {
    name: "open() of a read-only connection refuses a missing file",
    run: (driver, folder) => {
      assertEquals(errorCode(() => driver.open(`${folder}/app.db`, { readOnly: true })) & 0xff, ResultCode.cannotOpen);
      assertEquals(names(folder), []);
    },
  },
];

const VALUES: readonly DriverTest[] = [
  {
    name: "values() returns every type of value",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        const numbers = [0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 1.5, 1e300, 2];
        const others = ["grüße", "", Uint8Array.of(0, 255, 16), new Uint8Array(0), null];
        const selected = "0, -1, 9007199254740991, -9007199254740991, 1.5, 1e300, 2.0";
        const row = connection.values(`SELECT ${selected}, 'grüße', '', x'00ff10', x'', NULL`);
        assertEquals(row, [...numbers, ...others]);
      });
    },
  },
  {
    name: "values() refuses an integer that a number cannot hold, and leaves no read lock behind",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, {})], (writer, reader) => {
        writer.execute("INSERT INTO entry VALUES (9007199254740993, 'large')");
        assertEquals(errorCode(() => reader.values("SELECT id FROM entry")), ResultCode.mismatch);
        assertEquals(truncateIsBusy(writer), false);
      });
    },
  },
  {
    name: "values() of no rows is undefined, allValues() is empty",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        assertEquals(connection.values("SELECT * FROM entry"), undefined);
        assertEquals(connection.allValues("SELECT * FROM entry"), []);
      });
    },
  },
  {
    name: "allValues() returns all rows in order",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        connection.execute("INSERT INTO entry VALUES (2, 'two'), (1, 'one')");
        assertEquals(connection.allValues("SELECT id, body FROM entry ORDER BY id"), [[1, "one"], [2, "two"]]);
      });
    },
  },
  {
    name: "values() of a statement that is kept follows a change of the schema",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, {})], (writer, reader) => {
        writer.execute("INSERT INTO entry VALUES (1, 'one')");
        assertEquals(reader.values("SELECT * FROM entry"), [1, "one"]);
        writer.execute("ALTER TABLE entry ADD COLUMN extra DEFAULT 7");
        assertEquals(reader.values("SELECT * FROM entry"), [1, "one", 7]);
      });
    },
  },
  {
    name: "execute() of a PRAGMA that sets takes effect each time",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        for (const level of [0, 2, 0, 2, 1]) {
          connection.execute(`PRAGMA synchronous = ${level}`);
          assertEquals(connection.values("PRAGMA synchronous"), [level]);
        }
      });
    },
  },
  {
    name: "values() serves more statements than are kept",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        for (let round = 0; round < 2; round++) {
          for (let i = 0; i < 100; i++) assertEquals(connection.values(`SELECT ${i}`), [i]);
        }
      });
    },
  },
];

const ERRORS: readonly DriverTest[] = [
  {
    name: "execute() says which constraint failed",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        connection.execute("INSERT INTO entry VALUES (1, 'one')");
        const insert = (row: string) => errorCode(() => connection.execute(`INSERT INTO entry VALUES ${row}`));
        assertEquals(insert("(1, 'two')"), CONSTRAINT_PRIMARY_KEY);
        assertEquals(insert("(2, 'one')"), CONSTRAINT_UNIQUE);
      });
    },
  },
  {
    name: "execute() of bad SQL says what SQLite says",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        const error = assertThrows(() => connection.execute("SELCT 1"), SqliteError, "syntax error");
        assertEquals(error.resultCode, 1);
        assertEquals(error.isBusy, false);
      });
    },
  },
  {
    name: "execute() sees an error that comes after the first row",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        const overflow = "SELECT abs(column1) FROM (VALUES (1), (-9223372036854775807 - 1))";
        assertEquals(errorCode(() => connection.execute(overflow)), 1);
        assertEquals(errorCode(() => connection.allValues(overflow)), 1);
      });
    },
  },
  {
    name: "values() of a file that is no database is error 26",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      Deno.writeFileSync(path, new Uint8Array(8192).fill(0x5a));
      using([driver.open(path, {})], (connection) => {
        assertEquals(errorCode(() => connection.values("PRAGMA user_version")), ResultCode.notADatabase);
      });
    },
  },
  {
    name: "allValues() of a damaged table is error 11",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path)], (connection) => {
        connection.execute("PRAGMA journal_mode = DELETE");
        connection.execute("CREATE TABLE wide AS SELECT 1 AS id");
      });
      const bytes = Deno.readFileSync(path);
      bytes.fill(0xff, bytes.length - 4096); // The last page is the table's root.
      Deno.writeFileSync(path, bytes);
      using([driver.open(path, {})], (connection) => {
        assertEquals(errorCode(() => connection.allValues("SELECT * FROM wide")) & 0xff, ResultCode.corrupt);
      });
    },
  },
  {
    name: "execute() of a text without a statement is a misuse",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        assertEquals(errorCode(() => connection.execute("-- nothing")), ResultCode.misuse);
      });
    },
  },
];

const LOCKS: readonly DriverTest[] = [
  {
    name: "execute() with the default busy timeout does not wait for a lock",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, {})], (holder, other) => {
        holder.execute("BEGIN IMMEDIATE");
        const refuse = () => assertThrows(() => other.execute("BEGIN IMMEDIATE"), SqliteError);
        const error = refuse();
        const waits = [1, 2, 3, 4, 5].map(() => {
          const start = performance.now();
          refuse();
          return performance.now() - start;
        });
        assertLess(Math.min(...waits), 1_000); // Deno's own default is to wait for 5 s.
        assertEquals(error.resultCode, ResultCode.busy);
        assert(error.isBusy);
      });
    },
  },
  {
    name: "execute() with a busy timeout waits that long",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, { busyTimeoutMs: 50 })], (holder, other) => {
        holder.execute("BEGIN IMMEDIATE");
        const start = performance.now();
        assertEquals(errorCode(() => other.execute("BEGIN IMMEDIATE")), ResultCode.busy);
        const waited = performance.now() - start;
        assertGreater(waited, 40);
        assertLess(waited, 4_000);
      });
    },
  },
  {
    name: "execute() of a write upon an old snapshot is BUSY_SNAPSHOT, which counts as busy",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, {})], (writer, reader) => {
        reader.execute("BEGIN");
        reader.values("SELECT count(*) FROM entry");
        writer.execute("INSERT INTO entry VALUES (1, 'one')");
        const error = assertThrows(() => reader.execute("INSERT INTO entry VALUES (2, 'two')"), SqliteError);
        assertEquals(error.resultCode, ResultCode.busySnapshot);
        assert(error.isBusy);
      });
    },
  },
  {
    name: "BEGIN holds the WAL only once something was read",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, {})], (writer, holder) => {
        holder.execute("BEGIN");
        writer.execute("INSERT INTO entry VALUES (1, 'one')");
        assertEquals(truncateIsBusy(writer), false);
        writer.execute("INSERT INTO entry VALUES (2, 'two')");
        holder.values("PRAGMA user_version");
        assertEquals(truncateIsBusy(writer), true);
        holder.execute("ROLLBACK");
        assertEquals(truncateIsBusy(writer), false);
      });
    },
  },
  {
    name: "values() and allValues() outside a transaction leave no read lock behind",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, {})], (writer, reader) => {
        writer.execute("INSERT INTO entry VALUES (1, 'one'), (2, 'two')");
        for (let round = 0; round < 2; round++) {
          assertEquals(reader.values("SELECT id FROM entry ORDER BY id"), [1]);
          assertEquals(reader.allValues("SELECT id FROM entry ORDER BY id"), [[1], [2]]);
          assertEquals(truncateIsBusy(writer), false);
        }
      });
    },
  },
  {
    name: "BEGIN IMMEDIATE of a read-only connection succeeds and locks nothing",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path), driver.open(path, { readOnly: true })], (writer, reader) => {
        reader.execute("BEGIN IMMEDIATE");
        assertEquals(isLocked(`${path}-shm`, Deno.pid, LockByte.write, "WRITE"), false);
        writer.execute("INSERT INTO entry VALUES (1, 'one')");
        writer.execute("BEGIN IMMEDIATE");
        assertEquals(isLocked(`${path}-shm`, Deno.pid, LockByte.write, "WRITE"), true);
      });
    },
  },
  {
    name: "wal_checkpoint(NOOP) copies nothing where the driver is capable of it",
    run: (driver, folder) => {
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        const [, log, checkpointed] = connection.values("PRAGMA wal_checkpoint(NOOP)") ?? [];
        assertGreater(Number(log), 0);
        // An SQLite that does not know the word takes it for PASSIVE.
        assertEquals(checkpointed, driver.capabilities.noopCheckpoint ? 0 : log);
      });
    },
  },
];

const CLOSING: readonly DriverTest[] = [
  {
    name: "close() rolls back what is open",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      using([aDatabase(driver, path)], (keeper) => {
        const writer = driver.open(path, {});
        writer.execute("BEGIN IMMEDIATE");
        writer.execute("INSERT INTO entry VALUES (1, 'one')");
        writer.close();
        assertEquals(keeper.values("SELECT count(*) FROM entry"), [0]);
        keeper.execute("BEGIN IMMEDIATE");
      });
    },
  },
  {
    name: "close() of a closed connection does nothing, any other use of it is a misuse",
    run: (driver, folder) => {
      const connection = aDatabase(driver, `${folder}/app.db`);
      connection.close();
      connection.close();
      assertEquals(errorCode(() => connection.execute("BEGIN")), ResultCode.misuse);
      assertEquals(errorCode(() => connection.values("SELECT 1")), ResultCode.misuse);
      assertEquals(errorCode(() => connection.allValues("SELECT 1")), ResultCode.misuse);
    },
  },
  {
    name: "close() of the last connection deletes the WAL unless the driver was asked to keep it",
    run: (driver, folder) => {
      const path = `${folder}/app.db`;
      aDatabase(driver, path).close();
      assertEquals(names(folder), ["app.db"]);
      if (!driver.capabilities.persistWal) {
        assertThrows(() => driver.open(path, { persistWal: true }), Error, "keep the WAL");
        return;
      }
      const keeper = driver.open(path, { persistWal: true });
      keeper.execute("INSERT INTO entry VALUES (1, 'one')");
      const frames = Deno.statSync(`${path}-wal`).size;
      keeper.close();
      assertEquals(names(folder), ["app.db", "app.db-shm", "app.db-wal"]);
      assertEquals(Deno.statSync(`${path}-wal`).size, frames);
    },
  },
];

/** Files as a process leaves them that is killed now, under another name. */
function leaveBehind(path: string, copy: string, suffixes: readonly string[]): void {
  for (const suffix of suffixes) Deno.copyFileSync(`${path}${suffix}`, `${copy}${suffix}`);
}

/** A transaction that was cut off when it had written to the file. */
function leaveHotJournal(driver: SqliteDriver, path: string, copy: string): void {
  using([driver.open(path, { create: true })], (connection) => {
    for (const sql of ["CREATE TABLE entry (body)", "INSERT INTO entry VALUES ('kept')", "PRAGMA cache_size = 5"]) {
      connection.execute(sql);
    }
    connection.execute("BEGIN");
    const many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)";
    connection.execute(`${many} INSERT INTO entry SELECT zeroblob(4000) FROM n`);
    leaveBehind(path, copy, ["", "-journal"]);
    connection.execute("ROLLBACK");
  });
}

function isIndexReady(path: string): boolean {
  const bytes = Deno.readFileSync(`${path}-shm`);
  return bytes.length >= 136 && bytes[12] === 1;
}

const PREPARING: readonly DriverTest[] = [
  {
    name: "prepareLater() recovers a WAL that nobody has open, keeps it so, and leaves the WAL as it was",
    run: async (driver, folder) => {
      const [path, copy] = [`${folder}/app.db`, `${folder}/copy.db`];
      using([aDatabase(driver, path)], (connection) => {
        connection.execute("INSERT INTO entry VALUES (1, 'one')");
        leaveBehind(path, copy, ["", "-wal"]);
      });
      const before = Deno.readFileSync(`${copy}-wal`);
      const prepared = await driver.prepareLater(copy, { mayWrite: false, enableWal: false });
      assert(isLocked(`${copy}-shm`, Deno.pid, LockByte.alive, "READ"));
      assert(isIndexReady(copy)); // Looking into it takes the lock.
      await prepared.close();
      assertEquals(Deno.readFileSync(`${copy}-wal`), before);
      using([driver.open(copy, {})], (connection) => {
        assertEquals(connection.values("SELECT body FROM entry"), ["one"]);
      });
    },
  },
  {
    name: "prepareLater() that may write rolls back a hot journal, and changes the mode when it is told to",
    run: async (driver, folder) => {
      for (const enableWal of [false, true]) {
        const copy = `${folder}/copy-${enableWal}.db`;
        leaveHotJournal(driver, `${folder}/app-${enableWal}.db`, copy);
        const prepared = await driver.prepareLater(copy, { mayWrite: true, enableWal });
        using([driver.open(copy, {})], (connection) => {
          assertEquals(connection.values("SELECT count(*) FROM entry"), [1]);
          assertEquals(connection.values("PRAGMA journal_mode"), [enableWal ? "wal" : "delete"]);
        });
        await prepared.close();
      }
    },
  },
  {
    name: "prepareLater() says why it cannot, and leaves nothing open",
    run: async (driver, folder) => {
      Deno.writeTextFileSync(`${folder}/garbage`, "no database at all ".repeat(100));
      const codes: number[] = [];
      for (const name of ["garbage", "none"]) {
        const options = { mayWrite: true, enableWal: true };
        const error = await assertRejects(() => driver.prepareLater(`${folder}/${name}`, options), SqliteError);
        codes.push(error.primaryCode);
      }
      assertEquals(codes, [ResultCode.notADatabase, ResultCode.cannotOpen]);
      assertEquals(names(folder), ["garbage"]);
    },
  },
  {
    name: "prepareLater() that cannot has closed everything when it says so, and has left the WAL as it was",
    run: async (driver, folder) => {
      const copy = `${folder}/copy.db`;
      using([aDatabase(driver, `${folder}/app.db`)], (connection) => {
        connection.values("PRAGMA wal_checkpoint(TRUNCATE)");
        connection.execute("INSERT INTO entry VALUES (1, 'one')");
        leaveBehind(`${folder}/app.db`, copy, ["", "-wal"]);
      });
      const [database, wal] = [Deno.readFileSync(copy).fill(0, 0, 16), Deno.readFileSync(`${copy}-wal`)];
      Deno.writeFileSync(copy, database); // Not the first bytes of a database any more.
      await assertRejects(() => driver.prepareLater(copy, { mayWrite: false, enableWal: false }), SqliteError);
      assertEquals(openBelow(copy), []);
      assertEquals([Deno.readFileSync(copy), Deno.readFileSync(`${copy}-wal`)], [database, wal]);
      await assertRejects(() => driver.prepareLater(copy, { mayWrite: true, enableWal: false }), SqliteError);
      assertEquals(openBelow(copy), []);
    },
  },
];

/** An open database whose WAL is of some frames, none of them copied. */
async function withFrames(
  driver: SqliteDriver,
  folder: string,
  work: (path: string, connection: SqliteConnection, frames: () => number) => Promise<void>,
): Promise<void> {
  const path = `${folder}/app.db`;
  const connection = aDatabase(driver, path);
  try {
    connection.execute("PRAGMA wal_autocheckpoint = 0");
    connection.execute("INSERT INTO entry VALUES (1, 'one')");
    await work(path, connection, () => (Deno.statSync(`${path}-wal`).size - 32) / (4096 + 24));
  } finally {
    connection.close();
  }
}

async function checkpointCode(driver: SqliteDriver, path: string, meanwhile = () => {}): Promise<number> {
  const refused = assertRejects(() => driver.checkpointLater(path), SqliteError);
  meanwhile();
  return (await refused).primaryCode;
}

const CHECKPOINTING: readonly DriverTest[] = [
  {
    name: "checkpointLater() copies as far as a reader allows, and keeps the locks of other connections",
    run: (driver, folder) =>
      withFrames(driver, folder, async (path, connection, frames) => {
        const reader = driver.open(path, {});
        reader.execute("BEGIN");
        reader.values("SELECT count(*) FROM entry");
        const readable = frames();
        connection.execute("INSERT INTO entry VALUES (2, 'later')");
        const locks = () => [path, `${path}-shm`].map((name) => locksOn(name).filter(({ pid }) => pid === Deno.pid));
        const before = locks();
        assertEquals(await driver.checkpointLater(path), [0, frames(), readable]);
        assertEquals(locks(), before);
        reader.close();
        assertEquals(await driver.checkpointLater(path), [0, frames(), frames()]);
      }),
  },
  {
    name: "checkpointLater() many times at once: one failure is the failure of one",
    run: (driver, folder) =>
      withFrames(driver, folder, async (path) => {
        const paths = [path, `${path}.missing`, path];
        const results = await Promise.allSettled(paths.map(async (one) => await driver.checkpointLater(one)));
        assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
      }),
  },
  {
    name: "checkpointLater() goes on beside this thread's own work",
    run: (driver, folder) =>
      withFrames(driver, folder, async (path, connection) => {
        const many = "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)";
        connection.execute(`${many} INSERT INTO entry SELECT i, hex(randomblob(2000)) FROM n`);
        let sawLock = false;
        let isDone = false;
        const done = driver.checkpointLater(path).finally(() => isDone = true);
        while (!isDone) {
          sawLock ||= isLocked(`${path}-shm`, Deno.pid, LockByte.checkpoint, "WRITE");
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        assertEquals((await done)?.[0], 0);
        assert(sawLock, "the lock was seen from here while the checkpoint ran");
      }),
  },
  {
    name: "checkpointLater() refuses what is missing or no database, and makes nothing",
    run: async (driver, folder) => {
      Deno.writeTextFileSync(`${folder}/garbage`, "no database at all ".repeat(100));
      assertEquals(await checkpointCode(driver, `${folder}/none`), ResultCode.cannotOpen);
      assertEquals(await checkpointCode(driver, `${folder}/garbage`), ResultCode.notADatabase);
      assertEquals(names(folder), ["garbage"]);
    },
  },
  ...["", "-wal", "-shm"].map((suffix) => ({
    name: `checkpointLater() copies nothing when another app.db${suffix} has come since it was asked for`,
    run: (driver: SqliteDriver, folder: string) =>
      withFrames(driver, folder, async (path) => {
        const bytes = Deno.readFileSync(path);
        const code = await checkpointCode(driver, path, () => {
          Deno.writeFileSync(`${path}.copy`, suffix === "" ? bytes : Deno.readFileSync(`${path}${suffix}`));
          Deno.renameSync(`${path}.copy`, `${path}${suffix}`);
        });
        assertEquals(code, ResultCode.cannotOpen);
        assertEquals(Deno.readFileSync(path), bytes);
      }),
  })),
];

export const SQLITE_DRIVER_CONTRACT: readonly DriverTest[] = [
  ...OPENING,
  ...VALUES,
  ...ERRORS,
  ...LOCKS,
  ...CLOSING,
  ...PREPARING,
  ...CHECKPOINTING,
];
