import { viewOf } from "../base/bytes.ts";
import { isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { RAISE_OPEN_FILES } from "../platform/file_error.ts";
import {
  type Preparation,
  ResultCode,
  type SqliteConnection,
  type SqliteDriver,
  SqliteError,
} from "../sqlite/driver.ts";
import { identify, type Identity, judgeHeader, movedError, rollbackJournalError } from "./identity.ts";
import { prepareFirstRead } from "./first_read.ts";
import { isAlone, keepFiles, usersOfWal } from "./presence.ts";
import { ReadHold, truncatingCheckpoint } from "./read_hold.ts";
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
  /** Another file had the name before: whoever used that one may still do so, and `-wal` may be of that one. */
  readonly hasReplaced: boolean;
}

/** Opens and takes the first hold. Nothing stays open when it fails. */
export async function openDatabase(
  files: FileSystem,
  driver: SqliteDriver,
  path: string,
  settings: OpenSettings,
): Promise<OpenDatabase> {
  const first = files.linkStatus(path)?.identity;
  const databaseFile = files.open(path, "read");
  let walIndex: WalIndex | undefined;
  let walFile: FileHandle | undefined;
  const hold = new ReadHold(
    () => {
      // A connection that is opened later must not be one to another file, beside this one's WAL.
      if (files.linkStatus(path)?.identity !== first) throw movedError(files, path);
      return openConnection(driver, path, databaseFile);
    },
    () => walIndex ??= WalIndex.open(files, `${path}-shm`),
  );
  let prepared: Preparation | undefined;
  try {
    refuseHeldUp(files, path);
    if (settings.hasReplaced) refuseWalOfAnother(files, path, databaseFile);
    const judge = () => judgeHeader(databaseFile, path, settings.mayBeEncrypted);
    let mode = judge();
    if (mode === "rollback-journal" && !settings.enableWal) throw rollbackJournalError(path);
    prepared = await prepareFirstRead(files, driver, path, mode === undefined ? undefined : mode === "wal");
    mode = judge() ?? (hold.free.values("PRAGMA journal_mode")?.[0] === "wal" ? "wal" : "rollback-journal");
    if (mode !== "wal") {
      if (!settings.enableWal) throw rollbackJournalError(path);
      hold.free.values("PRAGMA journal_mode = WAL"); // Its first bytes had not told.
    }
    hold.take();
    if (walIndex === undefined) {
      throw new ReplicationError("failed", `Cannot replicate ${path}: SQLite made no wal-index`);
    }
    walFile = files.open(`${path}-wal`, "read");
    const open = { path, identity: identify(files, path), databaseFile, walFile, walIndex, hold };
    await prepared?.close();
    return open;
  } catch (error) {
    closeAll(driver, path, databaseFile, hold.surrender());
    await prepared?.close();
    walFile?.close();
    walIndex?.close();
    databaseFile.close();
    throw translateSqlite("open", path, error);
  }
}

/** Asked before this process has any lock on the wal-index. */
function refuseHeldUp(files: FileSystem, path: string): void {
  if (files.linkStatus(`${path}-shm`) === undefined) return;
  const walIndex = WalIndex.open(files, `${path}-shm`);
  try {
    if (!walIndex.isHeldUp()) return;
  } finally {
    walIndex.close();
  }
  throw new ReplicationError("unavailable", `Cannot open ${path}: its wal-index is held by another process`);
}

/**
 * Whether a WAL belongs to a file that was put beside it only its user knows. SQLite replays it into whatever has the name,
 * when the first one opens it: that must not be us.
 */
function refuseWalOfAnother(files: FileSystem, path: string, databaseFile: FileHandle): void {
  const users = usersOfWal(files, path, databaseFile);
  if (users.kind === "here") return;
  if (users.kind === "none") {
    const bytes = files.status(`${path}-wal`)?.size ?? 0;
    if (bytes === 0) return;
    throw new ReplicationError(
      "unavailable",
      `Cannot follow ${path}: another file has its name now, and a WAL of ${bytes} bytes, maybe of the file before, stands ` +
        `beside it (nobody has it open)`,
      { advice: `if it is of the file before, remove ${path}-wal and ${path}-shm; else open the database` },
    );
  }
  const who = users.others.map(({ pid, command }) => `${command} ${pid}`).join(", ") || "another process";
  throw new ReplicationError(
    "unavailable",
    `Cannot follow ${path}: ${who} still has the file open that had this name before, and its WAL stands beside this one`,
    { advice: `stop ${who}, and see to ${path}-wal before the new file is opened` },
  );
}

function openConnection(driver: SqliteDriver, path: string, databaseFile: FileHandle): SqliteConnection {
  const connection = driver.open(path, driver.capabilities.persistWal ? { persistWal: true } : {});
  try {
    // Checkpoints are ours to decide; NORMAL syncs the WAL before and the database after each of them.
    connection.values("PRAGMA wal_autocheckpoint = 0");
    connection.values("PRAGMA synchronous = NORMAL");
    connection.values("PRAGMA cache_size = -64");
    return connection;
  } catch (error) {
    closeAll(driver, path, databaseFile, [connection]);
    throw error;
  }
}

/** What SQLite says is wrong while the database is worked on, as an error of this program. */
export function translateSqlite(act: string, path: string, error: unknown): unknown {
  if (!(error instanceof SqliteError)) return error;
  if (error.primaryCode === ResultCode.notADatabase) {
    return new ReplicationError("config-invalid", `Cannot replicate ${path}: it is not a SQLite database`, {
      cause: error,
    });
  }
  const code = error.isBusy || error.primaryCode === ResultCode.cannotOpen ? "unavailable" : "failed";
  const advice = error.isOutOfFiles ? { advice: RAISE_OPEN_FILES } : {};
  return new ReplicationError(code, `Cannot ${act} ${path}: ${messageOf(error)}`, { cause: error, ...advice });
}

/** Lets go of a database without writing to the file that has its name. */
export function letGo(files: FileSystem, driver: SqliteDriver, open: OpenDatabase): void {
  const isMoved = identify(files, open.path).database !== open.identity.database;
  if (isMoved) emptyAbandonedWal(files, open);
  closeAll(driver, open.path, open.databaseFile, open.hold.surrender(), isMoved);
  open.walFile.close();
  open.walIndex.close();
  open.databaseFile.close();
}

/**
 * Another file has the database's name now. Whoever opens that one would take this one's WAL for its own, so that goes where
 * the application's last close would have put it, if nobody else has it open: SQLite copies what is left of it into the file
 * that it belongs to, and empties it. Asking and emptying are one turn: nobody begins to write in between.
 */
function emptyAbandonedWal(files: FileSystem, open: OpenDatabase): void {
  const { hold, walFile } = open;
  const now = identify(files, open.path);
  const isOurs = now.wal === open.identity.wal && now.shm === open.identity.shm;
  if (!isOurs || hold.facts === undefined || walFile.size() === 0) return;
  try {
    hold.release();
    if (isAlone(open) && !hold.isHeldUp) truncatingCheckpoint(hold.free);
  } catch {
    // It stays as it is, as it would under a program that was killed.
  }
}

/** Closes connections without their writing to the database or deleting its WAL. */
function closeAll(
  driver: SqliteDriver,
  path: string,
  databaseFile: FileHandle,
  connections: readonly SqliteConnection[],
  isMoved = false,
): void {
  if (connections.length === 0) return;
  const kept = keepFiles(databaseFile);
  if (kept !== undefined) {
    for (const connection of connections) connection.close();
    kept.release();
    return;
  }
  if (isMoved) {
    throw new ReplicationError("failed", `Cannot let go of ${path}: the system has no locks of open files`, {
      advice: "start the program again",
    });
  }
  closeReadOnlyLast(driver, path, connections);
}

/**
 * Where files cannot be kept by a lock of ours: the last read-write connection to close would checkpoint and delete the WAL,
 * so a read-only one is opened first and closed last.
 */
function closeReadOnlyLast(driver: SqliteDriver, path: string, connections: readonly SqliteConnection[]): void {
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
