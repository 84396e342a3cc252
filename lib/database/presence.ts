/**
 * Who has a database open, as SQLite's own locks tell, and how its files are kept while nobody of us has.
 *
 * Every connection in WAL mode holds two bytes shared for as long as it is open: one of `-shm` that tells that the wal-index
 * is alive, and those of the database file that the last one to close takes for itself before it checkpoints and deletes
 * the WAL. A program loses all its locks on a file when it closes any descriptor of it, so that one of the two proves little;
 * both are asked.
 */
import type { ByteLock, FileHandle } from "../platform/file_system.ts";
import type { WalIndex } from "./wal_index.ts";

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
