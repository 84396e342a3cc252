/**
 * What is done with files below `FileSystem`: calls of the system, by descriptor or path. Each throws an `Error` whose
 * `code` is the system's name of what is wrong (`ENOENT`); `file_error.ts` makes it an error of this program.
 *
 * On Linux they are the C library's own (`libc_calls.ts`), else Node's (`node_calls.ts`). A name with `Later` works on
 * another thread.
 */

import type { FileKind } from "./file_kind.ts";

/**
 * `read`: must exist · `write`: must exist, read and write · `create`: made when absent · `create-new`: must be absent ·
 * `read-named`: must exist, and a link in the last component is followed, as for what a person names.
 */
export type OpenMode = "read" | "read-named" | "write" | "create" | "create-new";

/** What stands at a path; a link is one, wherever it leads. */
export interface PathLook {
  readonly kind: FileKind;
  readonly size: number;
  readonly modifiedAtMs: number;
}

/** Undefined where nothing is. */
export type FoundAtPath = PathLook | Error | undefined;

export interface SystemCalls {
  /** The names in a folder, in any order. Absent where the run-time's own call serves as well. */
  namesLater?(path: string): Promise<string[]>;
  /** One after the other in one call, without following a link. Absent where each takes a call of its own. */
  looksLater?(paths: readonly string[]): Promise<readonly FoundAtPath[]>;
  /**
   * Without following a link in the last component; children do not inherit the descriptor. Waits for no other end of a pipe
   * and for no terminal: what was opened may be no file.
   */
  open(path: string, mode: OpenMode, permissions: number): number;
  openLater(path: string, mode: OpenMode, permissions: number): Promise<number>;
  kindOf(descriptor: number): FileKind;
  kindOfLater(descriptor: number): Promise<FileKind>;
  /** Some of what is asked for; 0 at the end of the file. */
  read(descriptor: number, into: Uint8Array, position: number): number;
  readLater(descriptor: number, into: Uint8Array, position: number): Promise<number>;
  /** What a pipe holds now, 0 when nobody writes to it; fails with EAGAIN while nothing is there. */
  readPipe(descriptor: number, into: Uint8Array): number;
  /** Some of the bytes. */
  write(descriptor: number, bytes: Uint8Array, position: number): number;
  writeLater(descriptor: number, bytes: Uint8Array, position: number): Promise<number>;
  size(descriptor: number): number;
  /** Device and inode, as `FileStatus.identity` has them; undefined where it cannot be told. */
  identityLater(descriptor: number): Promise<string | undefined>;
  truncate(descriptor: number, size: number): void;
  truncateLater(descriptor: number, size: number): Promise<void>;
  /** The data, and what is needed to read it, is on stable storage. An error is told once: it is never tried again. */
  syncData(descriptor: number): void;
  syncDataLater(descriptor: number): Promise<void>;
  /** The names in a folder are on stable storage. Throws ENOTDIR, without opening it, for anything else. */
  syncFolder(path: string): void;
  syncFolderLater(path: string): Promise<void>;
  /**
   * Has the device begin with what a sync would wait for, without another descriptor of the file. Whether that was done, and
   * succeeded, is told to nobody: the system tells each descriptor of what is lost.
   */
  flushLater(descriptor: number): Promise<void>;
  /** What of the file is on stable storage need not be kept in memory, as far as we are concerned. */
  forgetLater(descriptor: number): Promise<void>;
  close(descriptor: number): void;
  closeLater(descriptor: number): Promise<void>;
  /**
   * Whether another process has locked that byte in any way, or so that nobody may share it; undefined where it cannot be
   * told. Takes no lock.
   */
  isLockedByOthers(descriptor: number, at: number, how?: "forItself"): boolean | undefined;
  /**
   * Locks bytes against whoever wants them for himself alone. The lock is the open file's, not this process's: closing
   * another descriptor of the file does not end it. False when somebody has them so, or there are no such locks.
   */
  share(descriptor: number, at: number, length: number): boolean;
  unshare(descriptor: number, at: number, length: number): void;
  /**
   * Locks a byte for oneself alone, as the open file's lock. False when somebody else has it; undefined where the device has
   * no such locks.
   */
  lockLater(descriptor: number, at: number): Promise<boolean | undefined>;
  unlockLater(descriptor: number, at: number): Promise<void>;
  /** A file or a link, never a folder. */
  remove(path: string): void;
  removeLater(path: string): Promise<void>;
  removeFolderLater(path: string): Promise<void>;
  mayAccess(path: string, access: "read" | "write"): boolean;
  fileSystem(path: string): { readonly type: number; readonly freeBytes: number };
}
