/**
 * What the program asks of SQLite, whichever library serves it. Everything is synchronous and never waits: the busy timeout
 * is 0 unless asked for, and callers retry on their own Clock.
 *
 * One process uses ONE driver for all databases: two SQLite libraries on one file in one process destroy each other's POSIX
 * locks. Errors are `SqliteError`; its `resultCode` is SQLite's extended result code.
 */
export interface SqliteDriver {
  readonly name: string;
  /** The library's version, `3.53.2`. */
  readonly version: string;
  readonly capabilities: SqliteCapabilities;
  open(path: string, options: OpenOptions): SqliteConnection;
  /**
   * `PRAGMA wal_checkpoint(PASSIVE)` beside other work, on a connection of its own: the row `[busy, log, checkpointed]`.
   * Rejects with `SqliteError`, also when other files come to stand under the database's names before it begins, and with
   * `ReplicationError` when it cannot be run beside other work at all.
   *
   * The caller has connections to the database, and keeps them and its own descriptors of the files open until the promise
   * has settled: closing such a descriptor would take the checkpoint's locks from it.
   */
  checkpointLater(path: string): Promise<SqliteValue[] | undefined>;
  /**
   * Reads from the database beside other work, with all that a first read must do before. What is resolved with keeps it
   * done, until the caller has read by a connection of its own. Rejects with `SqliteError`, and with `ReplicationError`
   * when it cannot be done beside other work at all.
   */
  prepareLater(path: string, options: PreparationOptions): Promise<Preparation>;
}

export interface PreparationOptions {
  /** A hot journal is rolled back into the database file, by whoever reads first and may write. */
  readonly mayWrite: boolean;
  /** Changes the mode to WAL; only where it may write. */
  readonly enableWal: boolean;
}

export interface Preparation {
  close(): Promise<void>;
}

export interface SqliteCapabilities {
  /** Whether `SQLITE_FCNTL_PERSIST_WAL` can be set, so that the last close keeps the WAL. */
  readonly persistWal: boolean;
  /** Whether `PRAGMA wal_checkpoint(NOOP)` exists (SQLite >= 3.51). */
  readonly noopCheckpoint: boolean;
  /** Whether it may be a build that reads encrypted files, whose first bytes are no SQLite header. */
  readonly mayReadEncrypted: boolean;
}

export interface OpenOptions {
  readonly readOnly?: boolean;
  /** Makes the file when there is none. Nobody who only watches asks for it: without it a missing file is an error. */
  readonly create?: boolean;
  /** How long SQLite itself waits for locks, blocking; default 0. */
  readonly busyTimeoutMs?: number;
  /** Asks for PERSIST_WAL; only where `capabilities.persistWal`. */
  readonly persistWal?: boolean;
}

export type SqliteValue = number | string | Uint8Array | null;

export interface SqliteConnection {
  /** Runs one statement, dropping rows. */
  execute(sql: string): void;
  /** The first row, as an array of its columns; undefined when there is none. Integers beyond 2^53 throw. */
  values(sql: string): SqliteValue[] | undefined;
  /** All rows. For small results. */
  allValues(sql: string): SqliteValue[][];
  /** Rolls back what is open. Using a closed connection throws; closing it again does nothing. */
  close(): void;
}

/**
 * Run on every connection: a schema that this SQLite cannot parse, written by a newer one, is none of our business, but
 * PRAGMA wal_checkpoint and others would refuse the database because of it. Nothing here ever writes into a schema.
 */
export const TAKE_ANY_SCHEMA = "PRAGMA writable_schema = ON";

/** The result codes of SQLite that somebody judges by; the low byte of an extended code is one of the primary codes. */
export const ResultCode = {
  error: 1,
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  mismatch: 20,
  misuse: 21,
  notADatabase: 26,
  busySnapshot: 517,
} as const;

export class SqliteError extends Error {
  override readonly name = "SqliteError";

  /** `isOutOfFiles`: so many files are open that no more can be, which passes and says nothing of the database. */
  constructor(readonly resultCode: number, message: string, readonly isOutOfFiles = false) {
    super(message);
  }

  get primaryCode(): number {
    return this.resultCode & 0xff;
  }

  /** Low byte 5 or 6 (BUSY, LOCKED), every extended form of BUSY among them. */
  get isBusy(): boolean {
    const primary = this.primaryCode;
    return primary === ResultCode.busy || primary === ResultCode.locked;
  }
}
