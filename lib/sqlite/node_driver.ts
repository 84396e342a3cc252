/**
 * The driver over SQLite as it is built into the runtime. What shapes it:
 *
 * - Only statements that were prepared carry a result code in their errors; `exec()` gives none. An error of the constructor
 *   has none either and is always "cannot open".
 * - `run()` and `iterate()` pass over errors that come after the first row; `all()` and `get()` do not, and leave the
 *   statement reset, so that no read lock stays behind.
 * - A connection that nobody references would be closed by the garbage collector, which may delete the WAL.
 * - The constructor's `timeout` is not heard where `readOnly` is: such a connection would wait 5 s for every lock.
 */
import { DatabaseSync, type DatabaseSyncOptions, type StatementSync } from "node:sqlite";
import { assert } from "../base/assert.ts";
import { checkpointInWorker, CheckpointQueue } from "./checkpoint_worker.ts";
import {
  type OpenOptions,
  ResultCode,
  type SqliteConnection,
  type SqliteDriver,
  SqliteError,
  type SqliteValue,
  TAKE_ANY_SCHEMA,
} from "./driver.ts";
import { explained } from "./out_of_files.ts";
import { prepareInWorker } from "./preparation.ts";
import { StatementCache } from "./statement_cache.ts";
import { hasNoopCheckpoint } from "./version.ts";

/** Everything open, so that only `close()` closes it. */
const openConnections = new Set<DatabaseSync>();

export function createNodeDriver(): SqliteDriver {
  const version = builtInVersion();
  const checkpoints = new CheckpointQueue((path, identity) => {
    const [readOnlyUri, readWriteUri] = [uriOf(path, { readOnly: true }), uriOf(path, {})];
    return checkpointInWorker({ path, identity, readOnlyUri, readWriteUri });
  });
  return {
    name: "built-in",
    version,
    capabilities: { persistWal: false, noopCheckpoint: hasNoopCheckpoint(version), mayReadEncrypted: false },
    open: (path, options) => new NodeConnection(path, options),
    checkpointLater: (path) => checkpoints.checkpoint(path),
    prepareLater: (path, options) => {
      const [readOnlyUri, readWriteUri] = [uriOf(path, { readOnly: true }), uriOf(path, {})];
      return prepareInWorker({ path, readOnlyUri, readWriteUri, ...options });
    },
  };
}

class NodeConnection implements SqliteConnection {
  readonly #database: DatabaseSync;
  readonly #statements: StatementCache<StatementSync>;
  #isOpen = true;

  constructor(path: string, options: OpenOptions) {
    assert(options.persistWal !== true, "the built-in driver is not asked to keep the WAL on close");
    this.#database = openDatabase(path, options);
    openConnections.add(this.#database);
    // The library finalizes statements when they are collected, or the connection closed.
    this.#statements = new StatementCache((sql) => this.#database.prepare(sql), () => {});
  }

  execute(sql: string): void {
    this.#run(sql, (statement) => statement.all());
  }

  values(sql: string): SqliteValue[] | undefined {
    return this.#run(sql, (statement) => statement.get()) as SqliteValue[] | undefined;
  }

  allValues(sql: string): SqliteValue[][] {
    return this.#run(sql, (statement) => statement.all()) as unknown as SqliteValue[][];
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    openConnections.delete(this.#database);
    this.#statements.clear();
    this.#database.close();
  }

  #run<Result>(sql: string, work: (statement: StatementSync) => Result): Result {
    if (!this.#isOpen) throw new SqliteError(ResultCode.misuse, "the connection is closed");
    try {
      return this.#statements.use(sql, work);
    } catch (error) {
      throw sqliteError(error);
    }
  }
}

function openDatabase(path: string, options: OpenOptions): DatabaseSync {
  const timeout = options.busyTimeoutMs ?? 0;
  // `returnArrays` and `defensive` are missing in the runtime's types.
  const openOptions: DatabaseSyncOptions & { returnArrays: boolean; defensive: boolean } = {
    readOnly: options.readOnly ?? false,
    timeout,
    returnArrays: true,
    defensive: false, // Else `TAKE_ANY_SCHEMA` does nothing.
  };
  try {
    const database = new DatabaseSync(uriOf(path, options), openOptions);
    database.exec(`PRAGMA busy_timeout = ${timeout}; ${TAKE_ANY_SCHEMA}`); // Opens nothing, so that nothing of it can fail.
    return database;
  } catch {
    throw explained(new SqliteError(ResultCode.cannotOpen, `unable to open database file ${path}`));
  }
}

/** A plain path would be opened in a mode that makes the file when it is absent. */
export function uriOf(path: string, options: OpenOptions): string {
  const mode = options.readOnly ? "ro" : options.create ? "rwc" : "rw";
  return `file:${path.startsWith("/") ? "//" : ""}${path.split("/").map(encodeURIComponent).join("/")}?mode=${mode}`;
}

function sqliteError(error: unknown): unknown {
  if (error instanceof RangeError) return new SqliteError(ResultCode.mismatch, error.message);
  if (!(error instanceof Error)) return error;
  const code: unknown = (error as Error & { errcode?: unknown }).errcode;
  return typeof code === "number" ? explained(new SqliteError(code, error.message)) : error;
}

function builtInVersion(): string {
  const database = new DatabaseSync(":memory:", { timeout: 0 });
  try {
    return String(database.prepare("SELECT sqlite_version() AS version").get()?.["version"]);
  } finally {
    database.close();
  }
}
