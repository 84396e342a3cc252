import { viewOf } from "../base/bytes.ts";
import { isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { type SqliteConnection, type SqliteDriver, SqliteError } from "../sqlite/driver.ts";
import { identify, type Identity, judgeHeader, rollbackJournalError } from "./identity.ts";
import { ReadHold } from "./read_hold.ts";
import { WalIndex } from "./wal_index.ts";

/** A database with a read hold on it. Its handles are opened once and closed after the last connection. */
export interface OpenDatabase {
  /** Links resolved: the path that SQLite derives `-wal` and `-shm` from. */
  readonly path: string;
  readonly identity: Identity;
  readonly databaseFile: FileHandle;
  readonly walFile: FileHandle;
  readonly walIndex: WalIndex;
  readonly hold: ReadHold;
}

export interface OpenSettings {
  readonly enableWal: boolean;
  /** The first bytes of an encrypted database are noise: then SQLite is asked. */
  readonly mayBeEncrypted: boolean;
}

/**
 * Why this process can never follow the file that stands there now: SQLite ties a file that it has open already to the `-shm`
 * it had then, which is another one if the file was moved away and back. Only a new process begins without that memory.
 */
export function whyNeverAgain(identity: string, path: string): ReplicationError | undefined {
  if (parked.some(({ open }) => open.identity.database === identity)) {
    return new ReplicationError(
      "failed",
      `Cannot go on with ${path}: it was moved away and back (should be a new start)`,
      {
        advice: "start the program again",
      },
    );
  }
  if (parked.length < limits.parkedDatabasesMax) return undefined;
  return new ReplicationError("failed", `Cannot go on with ${path}: files were replaced ${parked.length} times`, {
    advice: "start the program again",
  });
}

/** Opens and takes the first hold. Nothing stays open when it fails. */
export function openDatabase(
  files: FileSystem,
  driver: SqliteDriver,
  path: string,
  settings: OpenSettings,
): OpenDatabase {
  const databaseFile = files.open(path, "read");
  let walIndex: WalIndex | undefined;
  const hold = new ReadHold(
    () => openConnection(driver, path),
    () => walIndex ??= WalIndex.open(files, `${path}-shm`),
  );
  try {
    const mode = judgeHeader(databaseFile, path, settings.mayBeEncrypted) ??
      hold.free.values("PRAGMA journal_mode")?.[0];
    if (mode !== "wal") {
      if (!settings.enableWal) throw rollbackJournalError(path);
      hold.free.values("PRAGMA journal_mode = WAL");
    }
    hold.take();
    if (walIndex === undefined) {
      throw new ReplicationError("failed", `Cannot replicate ${path}: SQLite made no wal-index`);
    }
    const walFile = files.open(`${path}-wal`, "read");
    return { path, identity: identify(files, path), databaseFile, walFile, walIndex, hold };
  } catch (error) {
    closeReadOnlyLast(driver, path, hold.surrender());
    walIndex?.close();
    databaseFile.close();
    throw translate(path, error);
  }
}

function openConnection(driver: SqliteDriver, path: string): SqliteConnection {
  const connection = driver.open(path, driver.capabilities.persistWal ? { persistWal: true } : {});
  try {
    // Checkpoints are ours to decide; NORMAL syncs the WAL before and the database after each of them.
    connection.values("PRAGMA wal_autocheckpoint = 0");
    connection.values("PRAGMA synchronous = NORMAL");
    connection.values("PRAGMA cache_size = -64");
    return connection;
  } catch (error) {
    closeReadOnlyLast(driver, path, [connection]);
    throw error;
  }
}

const NOT_A_DATABASE = 26;
const CANNOT_OPEN = 14;

function translate(path: string, error: unknown): unknown {
  if (!(error instanceof SqliteError)) return error;
  const primary = error.resultCode & 0xff;
  if (primary === NOT_A_DATABASE) {
    return new ReplicationError("config-invalid", `Cannot replicate ${path}: it is not a SQLite database`, {
      cause: error,
    });
  }
  const code = error.isBusy || primary === CANNOT_OPEN ? "unavailable" : "failed";
  return new ReplicationError(code, `Cannot open ${path}: ${messageOf(error)}`, { cause: error });
}

/** Databases that are no longer under their names: closing one would delete the new file's `-wal` by name. */
const parked: { readonly open: OpenDatabase; readonly connections: readonly SqliteConnection[] }[] = [];

/**
 * Lets go of a database without writing to it. Closing the last read-write connection checkpoints and deletes the WAL; so a
 * read-only one is opened first and closed last. Where another file stands under the name now, nothing is closed at all:
 * the hold is rolled back and the rest is kept until the process ends.
 */
export function letGo(files: FileSystem, driver: SqliteDriver, open: OpenDatabase): void {
  const connections = open.hold.surrender();
  if (identify(files, open.path).database !== open.identity.database) {
    parked.push({ open, connections });
    return;
  }
  closeReadOnlyLast(driver, open.path, connections);
  open.walFile.close();
  open.walIndex.close();
  open.databaseFile.close();
}

function closeReadOnlyLast(driver: SqliteDriver, path: string, connections: readonly SqliteConnection[]): void {
  if (connections.length === 0) return;
  let last: SqliteConnection | undefined;
  try {
    last = driver.open(path, { readOnly: true });
    last.values("PRAGMA user_version");
  } catch (error) {
    // An error is fine: what counts is that a read-only connection is the last one to go.
    if (last === undefined && isRetryable(error)) throw error;
  }
  for (const connection of connections) connection.close();
  last?.close();
}

const PAGE_SIZE_AT = 16;

/** Page size as the database header says, for a generation that has no WAL yet; 0 where there is no header. */
export function pageSizeOfFile({ databaseFile }: OpenDatabase): number {
  const bytes = new Uint8Array(PAGE_SIZE_AT + 2);
  if (databaseFile.readAt(bytes, 0) < bytes.length) return 0;
  const stored = viewOf(bytes).getUint16(PAGE_SIZE_AT);
  return stored === 1 ? 65_536 : stored;
}
