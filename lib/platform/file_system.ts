/**
 * Files, as the program needs them. Every method throws `ReplicationError` with a code of this program (`not-found`,
 * `denied`, `no-space`, `unavailable`, ...); errno is translated here and nowhere else.
 *
 * Invariant of POSIX that shapes this interface: when a process closes ANY descriptor of a file, all its locks on that
 * file are gone. The files of a watched database (`app.db`, `app.db-shm`) are opened once, by `lib/database/`, and their
 * handles are closed only after the last SQLite connection.
 */
import type { FileKind } from "./file_kind.ts";
import type { OpenMode, PathLook } from "./system_calls.ts";

export interface FileHandle {
  /** Fills `into` from `position`; returns the bytes read, fewer than asked only at the end of the file. */
  readAt(into: Uint8Array, position: number): number;
  /** Writes all of `bytes`; a short write is continued, never passed over. */
  writeAt(bytes: Uint8Array, position: number): void;
  /**
   * The same off the event loop, for bulk data and slow devices. Never on a file of a watched database: where Node's
   * functions serve the call they duplicate the descriptor and close the duplicate, which drops our locks on the file.
   */
  readAtLater(into: Uint8Array, position: number): Promise<number>;
  writeAtLater(bytes: Uint8Array, position: number): Promise<void>;
  size(): number;
  truncate(size: number): void;
  truncateLater(size: number): Promise<void>;
  /** Resolves when the file's data (and the size needed to read it) is on stable storage. Not on a watched database either. */
  sync(): Promise<void>;
  /** The same, blocking. */
  syncNow(): void;
  /** Somebody else will sync the file soon: he finds less left to do. Safe on a file of a watched database. Promises nothing. */
  flush(): Promise<void>;
  /** Nobody will read soon what is on stable storage: it need not take the machine's memory. */
  forget(): Promise<void>;
  /**
   * Whether another process holds a POSIX lock on that byte, or, `forItself`, one that nobody may share; undefined where the
   * system cannot tell. Takes none.
   */
  isLockedByOthers(at: number, how?: "forItself"): boolean | undefined;
  /**
   * Locks bytes against whoever wants them for himself alone, until released or the handle is closed. It is the handle's own
   * lock, not this process's: closing another descriptor of the file does not end it. Undefined when somebody has them so,
   * or the system has no such locks.
   */
  share(at: number, length: number): ByteLock | undefined;
  /**
   * Locks a byte for this handle alone, off the event loop, until it is closed. False when another handle has it, in whatever
   * process; undefined where the device has no such locks.
   */
  lockLater(at: number): Promise<boolean | undefined>;
  /** Which file it is, whatever has its name by now (`FileStatus.identity`); undefined where it cannot be told. */
  identityLater(): Promise<string | undefined>;
  close(): void;
  /** Closing may wait for a device, too: it is told what is still unwritten, and that the file is no longer open. */
  closeLater(): Promise<void>;
}

/** Of bytes of an open file. */
export interface ByteLock {
  release(): void;
}

export interface FileStatus {
  readonly kind: FileKind;
  readonly size: number;
  readonly modifiedAtMs: number;
  /** When content or properties changed last, which nobody can set; undefined where that is not kept. Whole seconds here. */
  readonly changedAtMs: number | undefined;
  /** Device and inode, exact: two files with the same are one file. */
  readonly identity: string;
  /** When the file was made, which tells it from an earlier one of the same number; undefined where that is not kept. */
  readonly bornAtMs: number | undefined;
  readonly device: number;
  /** Rounded where the file system numbers beyond 2^53. */
  readonly inode: number;
  readonly linkCount: number;
  readonly mode: number;
  readonly owner: number;
  readonly group: number;
}

/** Of what stands in a folder. */
export interface FolderEntry extends PathLook {
  readonly name: string;
}

export type { OpenMode };

/** The end of a pipe that is read. */
export interface PipeReader {
  /** What it holds now, as much as fits; 0 when nobody writes to it, undefined when nothing is there yet. */
  read(into: Uint8Array): number | undefined;
  close(): void;
}

export interface FileLock {
  release(): void;
}

/** The lock of a whole file that was opened by its path. */
export interface PathLock extends FileLock {
  /** Whether the file that is locked still stands under that path: another may have taken its place before it was locked. */
  isAt(path: string): boolean;
}

/**
 * A name with `Later` does the same off the event loop, so that a device that hangs keeps nobody else waiting: for the files
 * of replicas, never for those of a watched database. So many such calls are under way at once that a hanging device leaves
 * threads for the calls that do not hang.
 */
export interface FileSystem {
  /**
   * Opens a regular file, without following a link in the last component; throws `corrupt` for anything else that is there.
   * `permissions` apply to a file that is made (default 0600).
   */
  open(path: string, mode: OpenMode, permissions?: number): FileHandle;
  openLater(path: string, mode: OpenMode, permissions?: number): Promise<FileHandle>;
  /** Follows links; undefined when nothing is there. Opens nothing. */
  status(path: string): FileStatus | undefined;
  statusLater(path: string): Promise<FileStatus | undefined>;
  /** The same without following a link in the last component. */
  linkStatus(path: string): FileStatus | undefined;
  linkStatusLater(path: string): Promise<FileStatus | undefined>;
  realPath(path: string): string;
  /** Where a link points, as it is written in it. */
  readLink(path: string): string;
  realPathLater(path: string): Promise<string>;
  /** Names in the folder, sorted; throws `not-found` when there is no folder. */
  list(path: string): string[];
  listLater(path: string): Promise<string[]>;
  /** A look at all that stands in the folder, by the same names; without what is gone by then. Follows no link. */
  entriesLater(path: string): Promise<FolderEntry[]>;
  makeFolder(path: string, permissions?: number): void;
  makeFolderLater(path: string, permissions?: number): Promise<void>;
  rename(from: string, to: string): void;
  renameLater(from: string, to: string): Promise<void>;
  /**
   * The same for a name that nothing has. False when something has it, which is left: on a device that knows second names of
   * a file nobody else can come in between.
   */
  renameToNewLater(from: string, to: string): Promise<boolean>;
  remove(path: string): void;
  removeLater(path: string): Promise<void>;
  /** Removes a folder that holds nothing. False when something is in it, or it is not there. */
  removeEmptyFolderLater(path: string): Promise<boolean>;
  /** Removes a folder and all below it; nothing happens when it is not there. Links are removed, not followed. */
  removeTree(path: string): void;
  /** A small file whole, through links; undefined when nothing is there. Bytes that are no UTF-8 are replaced. */
  readText(path: string): string | undefined;
  /** The same for what a person wrote: throws `corrupt` when it is no UTF-8, and `not-found`. */
  readUtf8(path: string): string;
  /** A pipe by its path, through links; throws `corrupt` for anything else. Waits for nothing. */
  openPipe(path: string): PipeReader;
  syncFolder(path: string): void;
  syncFolderLater(path: string): Promise<void>;
  setMode(path: string, mode: number): void;
  setOwner(path: string, owner: number, group: number): void;
  /** Whether this process may do what is asked, as the kernel judges it. */
  mayAccess(path: string, access: "read" | "write"): boolean;
  freeBytes(path: string): number;
  /** The file system's magic number as statfs reports it. */
  fileSystemType(path: string): number;
  /** An advisory lock on a file of our own (never of a database); undefined when another process has it. */
  tryLock(path: string): PathLock | undefined;
}
