/** The calls of the system by way of Node's functions, where those of `libc_calls.ts` are not to be had. */
import { type FileKind, kindOfMode } from "./file_kind.ts";
import { node } from "./node_modules.ts";
import type { OpenMode, SystemCalls } from "./system_calls.ts";

export class NodeCalls implements SystemCalls {
  open(path: string, mode: OpenMode, permissions: number): number {
    return node.fs.openSync(path, openFlags(mode), permissions);
  }

  openLater(path: string, mode: OpenMode, permissions: number): Promise<number> {
    return promised<number>((done) => node.fs.open(path, openFlags(mode), permissions, done));
  }

  kindOf(descriptor: number): FileKind {
    return kindOfMode(node.fs.fstatSync(descriptor).mode);
  }

  async kindOfLater(descriptor: number): Promise<FileKind> {
    const { mode } = await promised<{ mode: number }>((done) => node.fs.fstat(descriptor, done));
    return kindOfMode(mode);
  }

  readPipe(descriptor: number, into: Uint8Array): number {
    return node.fs.readSync(descriptor, into, 0, into.length, null);
  }

  read(descriptor: number, into: Uint8Array, position: number): number {
    return node.fs.readSync(descriptor, into, 0, into.length, position);
  }

  readLater(descriptor: number, into: Uint8Array, position: number): Promise<number> {
    return promised<number>((done) => node.fs.read(descriptor, into, 0, into.length, position, done));
  }

  write(descriptor: number, bytes: Uint8Array, position: number): number {
    return node.fs.writeSync(descriptor, bytes, 0, bytes.length, position);
  }

  writeLater(descriptor: number, bytes: Uint8Array, position: number): Promise<number> {
    return promised<number>((done) => node.fs.write(descriptor, bytes, 0, bytes.length, position, done));
  }

  size(descriptor: number): number {
    return node.fs.fstatSync(descriptor).size;
  }

  truncate(descriptor: number, size: number): void {
    node.fs.ftruncateSync(descriptor, size);
  }

  truncateLater(descriptor: number, size: number): Promise<void> {
    return promised<void>((done) => node.fs.ftruncate(descriptor, size, done));
  }

  syncData(descriptor: number): void {
    node.fs.fdatasyncSync(descriptor);
  }

  syncDataLater(descriptor: number): Promise<void> {
    return promised<void>((done) => node.fs.fdatasync(descriptor, done));
  }

  syncFolder(path: string): void {
    const folder = node.fs.openSync(path, folderFlags());
    try {
      node.fs.fsyncSync(folder);
    } finally {
      this.close(folder);
    }
  }

  async syncFolderLater(path: string): Promise<void> {
    const folder = await promised<number>((done) => node.fs.open(path, folderFlags(), done));
    try {
      await promised<void>((done) => node.fs.fsync(folder, done));
    } finally {
      this.close(folder);
    }
  }

  /** Node would duplicate the descriptor. */
  flushLater(): Promise<void> {
    return Promise.resolve();
  }

  forgetLater(): Promise<void> {
    return Promise.resolve();
  }

  close(descriptor: number): void {
    node.fs.closeSync(descriptor);
  }

  closeLater(descriptor: number): Promise<void> {
    return promised<void>((done) => node.fs.close(descriptor, done));
  }

  isLockedByOthers(): undefined {
    return undefined;
  }

  share(): boolean {
    return false;
  }

  unshare(): void {}

  identityLater(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  lockLater(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async unlockLater(): Promise<void> {}

  remove(path: string): void {
    if (Deno.lstatSync(path).isDirectory) throw isFolder(path);
    Deno.removeSync(path);
  }

  async removeLater(path: string): Promise<void> {
    if ((await Deno.lstat(path)).isDirectory) throw isFolder(path);
    await Deno.remove(path);
  }

  removeFolderLater(path: string): Promise<void> {
    return promised<void>((done) => node.fs.rmdir(path, done));
  }

  /** From the mode's bits alone: it knows neither of root, nor of groups, nor of access lists. */
  mayAccess(path: string, access: "read" | "write"): boolean {
    const { accessSync, constants } = node.fs;
    try {
      accessSync(path, access === "read" ? constants.R_OK : constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  fileSystem(path: string): { readonly type: number; readonly freeBytes: number } {
    const { type, bavail, bsize } = node.fs.statfsSync(path);
    return { type, freeBytes: bavail * bsize };
  }
}

function openFlags(mode: OpenMode): number {
  const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = node.fs.constants;
  const flags: Readonly<Record<OpenMode, number>> = {
    "read": O_RDONLY,
    "read-named": O_RDONLY,
    "write": O_RDWR,
    "create": O_RDWR | O_CREAT,
    "create-new": O_RDWR | O_CREAT | O_EXCL,
  };
  const links = mode === "read-named" ? 0 : O_NOFOLLOW ?? 0; // Windows has none of these.
  return flags[mode] | links | (O_NONBLOCK ?? 0) | (O_NOCTTY ?? 0);
}

function folderFlags(): number {
  const { O_RDONLY, O_DIRECTORY } = node.fs.constants;
  return O_RDONLY | (O_DIRECTORY ?? 0);
}

/** The run-time would remove it, were it empty. */
function isFolder(path: string): Error {
  return Object.assign(new Error(`${path} is a folder`), { code: "EISDIR" });
}

/** A callback function of `node:fs` as a promise. */
function promised<T>(start: (callback: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, value) => error ? reject(error) : resolve(value as T)));
}
