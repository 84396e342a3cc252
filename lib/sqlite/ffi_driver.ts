/**
 * The driver over a C library of SQLite that the user names: for special builds, and where the WAL is to be kept on close.
 * The library is opened when the driver is made, never at import.
 */
import { assert } from "../base/assert.ts";
import { CheckpointQueue, identify } from "./checkpoint_worker.ts";
import {
  type OpenOptions,
  type Preparation,
  type PreparationOptions,
  ResultCode,
  type SqliteConnection,
  type SqliteDriver,
  SqliteError,
  type SqliteValue,
  TAKE_ANY_SCHEMA,
} from "./driver.ts";
import { openLibrary, type SqliteLibrary } from "./ffi_symbols.ts";
import { explained } from "./out_of_files.ts";
import { StatementCache } from "./statement_cache.ts";
import { hasNoopCheckpoint } from "./version.ts";

type Handle = Deno.PointerObject;

const OK = 0;
const ROW = 100;
const DONE = 101;
const OPEN_READ_ONLY = 0x1;
const OPEN_READ_WRITE = 0x2;
const OPEN_CREATE = 0x4;
const FILE_CONTROL_PERSIST_WAL = 10;
const TYPE_INTEGER = 1;
const TYPE_FLOAT = 2;
const TYPE_TEXT = 3;
const TYPE_BLOB = 4;

export function createFfiDriver(library: string): SqliteDriver {
  const sqlite = openLibrary(library);
  const version = stringAt(sqlite.sqlite3_libversion());
  const checkpoints = new CheckpointQueue((path, identity) => checkpoint(sqlite, path, identity));
  return {
    name: library,
    version,
    capabilities: { persistWal: true, noopCheckpoint: hasNoopCheckpoint(version), mayReadEncrypted: true },
    open: (path, options) => new FfiConnection(sqlite, path, options),
    checkpointLater: (path) => checkpoints.checkpoint(path),
    prepareLater: (path, options) => prepareLater(sqlite, path, options),
  };
}

/** As `preparation.ts` does it for the built-in library. */
async function prepareLater(
  sqlite: SqliteLibrary,
  path: string,
  { mayWrite, enableWal }: PreparationOptions,
): Promise<Preparation> {
  const kept = new FfiConnection(sqlite, path, { readOnly: true });
  let writing: FfiConnection | undefined;
  try {
    if (mayWrite) {
      writing = new FfiConnection(sqlite, path, { persistWal: true });
      await writing.runLater("PRAGMA wal_autocheckpoint = 0");
      await writing.runLater("PRAGMA user_version");
      if (enableWal) await writing.runLater("PRAGMA journal_mode = WAL");
    }
    await kept.runLater("PRAGMA user_version");
  } catch (error) {
    await writing?.closeLater();
    await kept.closeLater();
    throw error;
  }
  await writing?.closeLater();
  return { close: () => kept.closeLater() };
}

/** As `checkpoint_worker.ts` does it for the built-in library, and with the same looks at what stands there. */
async function checkpoint(sqlite: SqliteLibrary, path: string, identity: string): Promise<SqliteValue[] | undefined> {
  requireSameFiles(path, identity);
  const last = new FfiConnection(sqlite, path, { readOnly: true });
  try {
    await last.runLater("PRAGMA user_version");
    const database = new FfiConnection(sqlite, path, {});
    try {
      await database.runLater("PRAGMA synchronous = NORMAL");
      await database.runLater("PRAGMA wal_autocheckpoint = 0");
      await database.runLater("PRAGMA user_version");
      requireSameFiles(path, identity);
      return await database.runLater("PRAGMA wal_checkpoint(PASSIVE)");
    } finally {
      await database.closeLater();
    }
  } finally {
    await last.closeLater();
  }
}

function requireSameFiles(path: string, identity: string): void {
  if (identify(path) === identity) return;
  throw new SqliteError(ResultCode.cannotOpen, `other files stand under the name of ${path}`);
}

class FfiConnection implements SqliteConnection {
  readonly #sqlite: SqliteLibrary;
  readonly #statements: StatementCache<Handle>;
  #database: Handle | undefined;

  constructor(sqlite: SqliteLibrary, path: string, options: OpenOptions) {
    this.#sqlite = sqlite;
    const database = openDatabase(sqlite, path, options);
    this.#database = database;
    this.#statements = new StatementCache(
      (sql) => this.#compile(database, sql),
      (statement) => sqlite.sqlite3_finalize(statement),
    );
    try {
      this.execute(TAKE_ANY_SCHEMA);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  execute(sql: string): void {
    this.#run(sql, (database, statement) => {
      while (this.#step(database, statement));
    });
  }

  values(sql: string): SqliteValue[] | undefined {
    return this.#run(
      sql,
      (database, statement) => this.#step(database, statement) ? this.#row(statement) : undefined,
    );
  }

  allValues(sql: string): SqliteValue[][] {
    return this.#run(sql, (database, statement) => {
      const rows: SqliteValue[][] = [];
      while (this.#step(database, statement)) rows.push(this.#row(statement));
      return rows;
    });
  }

  /** Runs one statement to its first row on another thread; that row. Nothing else may be asked of the connection meanwhile. */
  async runLater(sql: string): Promise<SqliteValue[] | undefined> {
    const database = this.#database;
    if (database === undefined) throw new SqliteError(ResultCode.misuse, "the connection is closed");
    const [text, out] = [cString(sql), new BigUint64Array(1)];
    if (await this.#sqlite.prepare_later(database, text, -1, bytesOf(out), null) !== OK) {
      throw errorOf(this.#sqlite, database);
    }
    const statement = Deno.UnsafePointer.create(out[0] ?? 0n);
    const code = await this.#sqlite.step_later(statement);
    try {
      if (code === DONE || statement === null) return undefined;
      if (code === ROW) return this.#row(statement);
      throw errorOf(this.#sqlite, database);
    } finally {
      this.#sqlite.sqlite3_finalize(statement);
    }
  }

  async closeLater(): Promise<void> {
    const database = this.#database;
    if (database === undefined) return;
    this.#database = undefined;
    this.#statements.clear();
    assert(await this.#sqlite.close_later(database) === OK, "a connection without statements can be closed");
  }

  close(): void {
    const database = this.#database;
    if (database === undefined) return;
    this.#database = undefined;
    this.#statements.clear();
    assert(this.#sqlite.sqlite3_close(database) === OK, "a connection without statements can be closed");
  }

  #run<Result>(sql: string, work: (database: Handle, statement: Handle) => Result): Result {
    const database = this.#database;
    if (database === undefined) throw new SqliteError(ResultCode.misuse, "the connection is closed");
    return this.#statements.use(sql, (statement) => {
      try {
        return work(database, statement);
      } finally {
        this.#sqlite.sqlite3_reset(statement); // Else it would keep its read lock.
      }
    });
  }

  #compile(database: Handle, sql: string): Handle {
    const statement = new BigUint64Array(1);
    const code = this.#sqlite.sqlite3_prepare_v2(database, cString(sql), -1, bytesOf(statement), null);
    if (code !== OK) throw errorOf(this.#sqlite, database);
    const handle = Deno.UnsafePointer.create(statement[0] ?? 0n);
    if (handle === null) throw new SqliteError(ResultCode.misuse, "the text holds no statement");
    return handle;
  }

  /** Whether there is a row. */
  #step(database: Handle, statement: Handle): boolean {
    const code = this.#sqlite.sqlite3_step(statement);
    if (code === ROW) return true;
    if (code === DONE) return false;
    throw errorOf(this.#sqlite, database);
  }

  #row(statement: Handle): SqliteValue[] {
    const row: SqliteValue[] = [];
    const columns = this.#sqlite.sqlite3_column_count(statement);
    for (let column = 0; column < columns; column++) row.push(this.#value(statement, column));
    return row;
  }

  #value(statement: Handle, column: number): SqliteValue {
    const sqlite = this.#sqlite;
    switch (sqlite.sqlite3_column_type(statement, column)) {
      case TYPE_INTEGER:
        return safeInteger(sqlite.sqlite3_column_int64(statement, column));
      case TYPE_FLOAT:
        return sqlite.sqlite3_column_double(statement, column);
      case TYPE_TEXT: // The pointer is asked for first: asking converts, and the length is that of the converted text.
        return new TextDecoder().decode(this.#bytes(sqlite.sqlite3_column_text(statement, column), statement, column));
      case TYPE_BLOB:
        return this.#bytes(sqlite.sqlite3_column_blob(statement, column), statement, column);
      default:
        return null;
    }
  }

  /** A copy: the library's own bytes live only until the next step. */
  #bytes(start: Deno.PointerValue, statement: Handle, column: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#sqlite.sqlite3_column_bytes(statement, column));
    if (start !== null && bytes.length > 0) Deno.UnsafePointerView.copyInto(start, bytes);
    return bytes;
  }
}

function openDatabase(sqlite: SqliteLibrary, path: string, options: OpenOptions): Handle {
  const flags = options.readOnly ? OPEN_READ_ONLY : OPEN_READ_WRITE | (options.create ? OPEN_CREATE : 0);
  const out = new BigUint64Array(1);
  const code = sqlite.sqlite3_open_v2(cString(path), bytesOf(out), flags, null);
  const database = Deno.UnsafePointer.create(out[0] ?? 0n);
  assert(database !== null, "SQLite has memory for a connection");
  try {
    if (code !== OK) throw explained(new SqliteError(code, `${messageOf(sqlite, database)} ${path}`));
    sqlite.sqlite3_extended_result_codes(database, 1);
    sqlite.sqlite3_busy_timeout(database, options.busyTimeoutMs ?? 0);
    if (options.persistWal) keepWalOnClose(sqlite, database);
    return database;
  } catch (error) {
    sqlite.sqlite3_close(database); // Also a connection that could not be opened is one.
    throw error;
  }
}

function keepWalOnClose(sqlite: SqliteLibrary, database: Handle): void {
  const code = sqlite.sqlite3_file_control(
    database,
    cString("main"),
    FILE_CONTROL_PERSIST_WAL,
    bytesOf(Int32Array.of(1)),
  );
  if (code !== OK) throw new SqliteError(code, "the library cannot keep the WAL on close");
}

function errorOf(sqlite: SqliteLibrary, database: Handle): SqliteError {
  return explained(new SqliteError(sqlite.sqlite3_extended_errcode(database), messageOf(sqlite, database)));
}

function messageOf(sqlite: SqliteLibrary, database: Handle): string {
  return stringAt(sqlite.sqlite3_errmsg(database));
}

function safeInteger(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new SqliteError(ResultCode.mismatch, `the integer ${value} is too large to be a number`);
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

function stringAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

function bytesOf(numbers: BigUint64Array<ArrayBuffer> | Int32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(numbers.buffer);
}
