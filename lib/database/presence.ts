/**
 * Who has a database open, as SQLite's own locks tell, and how its files are kept while nobody of us has.
 *
 * Every connection in WAL mode holds two bytes shared for as long as it is open: one of `-shm` that tells that the wal-index
 * is alive, and those of the database file that the last one to close takes for itself before it checkpoints and deletes
 * the WAL. A program loses all its locks on a file when it closes any descriptor of it, so that one of the two proves little;
 * both are asked.
 */
import type { ByteLock, FileHandle, FileSystem } from "../platform/file_system.ts";
import { type FileUser, readLocks, whoHasLocked } from "../platform/open_files.ts";
import { OPEN_LOCK_AT, WalIndex } from "./wal_index.ts";

/** SQLite's SHARED lock on a database file. */
const SHARED_AT = 0x40000002;
const SHARED_LENGTH = 510;

export interface SharedFiles {
  readonly databaseFile: FileHandle;
  readonly walIndex: WalIndex;
}

/** Whether no other process has the database open; false also where that cannot be told. Takes no lock. */
export function isAlone({ databaseFile, walIndex }: SharedFiles): boolean {
  return walIndex.isOpenElsewhere() === false && databaseFile.isLockedByOthers(SHARED_AT) === false;
}

export type WalUsers =
  | { readonly kind: "none" }
  | { readonly kind: "here" }
  /** At another database file; as far as the system tells who. */
  | { readonly kind: "elsewhere"; readonly others: readonly FileUser[] };

/**
 * Who has the wal-index open, and whether with this database file. One that is renamed over a database in use gets its `-wal`
 * and `-shm` by name, while its users go on at the old one: SQLite would read frames of the one over pages of the other, and
 * a checkpoint of ours would copy them there, and have the users of the old one believe that they stand in theirs. Asked
 * before this process has any lock on the two files. Takes none.
 */
export function usersOfWal(files: FileSystem, path: string, databaseFile: FileHandle): WalUsers {
  if (files.linkStatus(`${path}-shm`) === undefined) return { kind: "none" };
  const walIndex = WalIndex.open(files, `${path}-shm`);
  try {
    if (walIndex.isOpenElsewhere() !== true) return { kind: "none" };
    const locks = readLocks();
    const here = new Set(whoHasLocked(path, SHARED_AT, locks).map(({ pid }) => pid));
    const others = whoHasLocked(`${path}-shm`, OPEN_LOCK_AT, locks).filter(({ pid }) => !here.has(pid));
    if (others.length > 0 || databaseFile.isLockedByOthers(SHARED_AT) === false) return { kind: "elsewhere", others };
    return { kind: "here" };
  } finally {
    walIndex.close();
  }
}

/**
 * While this is held no connection is the last one to close, whoever closes: nothing is checkpointed by it, and `-wal` and
 * `-shm` stay. Undefined where that cannot be had.
 */
export function keepFiles(databaseFile: FileHandle): ByteLock | undefined {
  return databaseFile.share(SHARED_AT, SHARED_LENGTH);
}

/**
 * While this is held, and no connection of ours, whatever is committed stays in the WAL as well: nobody can restart or cut
 * it. Undefined where that cannot be had.
 */
export function keepWal({ databaseFile, walIndex }: SharedFiles): ByteLock | undefined {
  const files = keepFiles(databaseFile);
  const frames = files && walIndex.shareSlot();
  if (frames === undefined) {
    files?.release();
    return undefined;
  }
  return {
    release: () => {
      frames.release();
      files?.release();
    },
  };
}
