import fs from "node:fs";
import { limits } from "../base/limits.ts";
import { Semaphore } from "../base/semaphore.ts";
import { fileError, translated, translatedLater } from "./file_error.ts";
import type { FileHandle, FileLock, FileStatus, FileSystem, OpenMode } from "./file_system.ts";
import { mayAccess } from "./libc.ts";
import { NodeFileHandle, promised } from "./node_file_handle.ts";

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  "read": fs.constants.O_RDONLY,
  "write": fs.constants.O_RDWR,
  "create": fs.constants.O_RDWR | fs.constants.O_CREAT,
  "create-new": fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
};

/** What the system says of a folder that holds something, or that is not there; POSIX permits either of the first two. */
const KEPT_FOLDER: readonly string[] = ["ENOTEMPTY", "EEXIST", "ENOENT"];

/** One for the process, as its threads are. */
const deviceCalls = new Semaphore(limits.deviceCallsAtOnce);

export class DenoFileSystem implements FileSystem {
  open(path: string, mode: OpenMode, permissions = 0o600): FileHandle {
    return translated("open", path, () => {
      const flags = OPEN_FLAGS[mode] | fs.constants.O_NOFOLLOW;
      return new NodeFileHandle(fs.openSync(path, flags, permissions), path);
    });
  }

  openLater(path: string, mode: OpenMode, permissions = 0o600): Promise<FileHandle> {
    return later("open", path, async () => {
      const flags = OPEN_FLAGS[mode] | fs.constants.O_NOFOLLOW;
      const descriptor = await promised<number>((done) => fs.open(path, flags, permissions, done));
      return new NodeFileHandle(descriptor, path, deviceCalls);
    });
  }

  status(path: string): FileStatus | undefined {
    return statusOf(path, () => fs.statSync(path, { throwIfNoEntry: false, bigint: true }));
  }

  statusLater(path: string): Promise<FileStatus | undefined> {
    return statusOfLater(path, () => promised<fs.BigIntStats>((done) => fs.stat(path, { bigint: true }, done)));
  }

  linkStatus(path: string): FileStatus | undefined {
    return statusOf(path, () => fs.lstatSync(path, { throwIfNoEntry: false, bigint: true }));
  }

  linkStatusLater(path: string): Promise<FileStatus | undefined> {
    return statusOfLater(path, () => promised<fs.BigIntStats>((done) => fs.lstat(path, { bigint: true }, done)));
  }

  realPath(path: string): string {
    return translated("resolve", path, () => Deno.realPathSync(path));
  }

  realPathLater(path: string): Promise<string> {
    return later("resolve", path, () => Deno.realPath(path));
  }

  list(path: string): string[] {
    return translated("list", path, () => fs.readdirSync(path).sort());
  }

  listLater(path: string): Promise<string[]> {
    return later("list", path, async () => (await promised<string[]>((done) => fs.readdir(path, done))).sort());
  }

  makeFolder(path: string, permissions = 0o700): void {
    translated("make folder", path, () => fs.mkdirSync(path, { recursive: true, mode: permissions }));
  }

  makeFolderLater(path: string, permissions = 0o700): Promise<void> {
    // `fs.mkdir` looks at each part of the path on the event loop.
    return later("make folder", path, () => Deno.mkdir(path, { recursive: true, mode: permissions }));
  }

  rename(from: string, to: string): void {
    translated("rename", from, () => fs.renameSync(from, to));
  }

  renameLater(from: string, to: string): Promise<void> {
    return later("rename", from, () => promised<void>((done) => fs.rename(from, to, done)));
  }

  remove(path: string): void {
    translated("remove", path, () => fs.unlinkSync(path));
  }

  removeLater(path: string): Promise<void> {
    return later("remove", path, () => promised<void>((done) => fs.unlink(path, done)));
  }

  removeEmptyFolderLater(path: string): Promise<boolean> {
    return later("remove folder", path, async () => {
      try {
        await promised<void>((done) => fs.rmdir(path, done));
        return true;
      } catch (error) {
        if (KEPT_FOLDER.includes(String((error as { code?: unknown }).code))) return false;
        throw error;
      }
    });
  }

  removeTree(path: string): void {
    translated("remove", path, () => fs.rmSync(path, { recursive: true, force: true }));
  }

  readText(path: string): string | undefined {
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      if ((error as { code?: unknown }).code === "ENOENT") return undefined;
      throw fileError("read", path, error);
    }
  }

  syncFolder(path: string): void {
    translated("sync folder", path, () => {
      const descriptor = fs.openSync(path, fs.constants.O_RDONLY);
      try {
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
    });
  }

  syncFolderLater(path: string): Promise<void> {
    return later("sync folder", path, async () => {
      const descriptor = await promised<number>((done) => fs.open(path, fs.constants.O_RDONLY, done));
      try {
        await promised<void>((done) => fs.fsync(descriptor, done));
      } finally {
        fs.closeSync(descriptor); // To close a folder no device is asked.
      }
    });
  }

  setMode(path: string, mode: number): void {
    translated("change the mode of", path, () => fs.chmodSync(path, mode));
  }

  setOwner(path: string, owner: number, group: number): void {
    translated("change the owner of", path, () => fs.chownSync(path, owner, group));
  }

  mayAccess(path: string, access: "read" | "write"): boolean {
    // The runtime compares the mode's bits itself, and knows neither of root, nor of groups, nor of access lists.
    const judged = mayAccess(path, access);
    if (judged !== undefined) return judged;
    try {
      fs.accessSync(path, access === "read" ? fs.constants.R_OK : fs.constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  freeBytes(path: string): number {
    return translated("look at", path, () => {
      const { bavail, bsize } = fs.statfsSync(path);
      return bavail * bsize;
    });
  }

  fileSystemType(path: string): number {
    return translated("look at", path, () => fs.statfsSync(path).type);
  }

  tryLock(path: string): FileLock | undefined {
    return translated("lock", path, () => {
      const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
      if (!file.tryLockSync(true)) {
        file.close();
        return undefined;
      }
      return { release: () => file.close() };
    });
  }
}

function later<T>(act: string, path: string, work: () => Promise<T>): Promise<T> {
  return deviceCalls.run(() => translatedLater(act, path, work));
}

function statusOf(path: string, look: () => fs.BigIntStats | undefined): FileStatus | undefined {
  try {
    const found = look();
    return found === undefined ? undefined : asFileStatus(found);
  } catch (error) {
    return undefinedWhenAbsent(path, error);
  }
}

function statusOfLater(path: string, look: () => Promise<fs.BigIntStats>): Promise<FileStatus | undefined> {
  return deviceCalls.run(async () => {
    try {
      return asFileStatus(await look());
    } catch (error) {
      return undefinedWhenAbsent(path, error);
    }
  });
}

function asFileStatus(found: fs.BigIntStats): FileStatus {
  return {
    kind: found.isFile() ? "file" : found.isDirectory() ? "folder" : found.isSymbolicLink() ? "link" : "other",
    size: Number(found.size),
    modifiedAtMs: Number(found.mtimeMs),
    identity: `${found.dev}:${found.ino}`,
    device: Number(found.dev),
    inode: Number(found.ino),
    linkCount: Number(found.nlink),
    mode: Number(found.mode) & 0o7777,
    owner: Number(found.uid),
    group: Number(found.gid),
  };
}

function undefinedWhenAbsent(path: string, error: unknown): undefined {
  const errno = (error as { code?: unknown }).code;
  if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
  throw fileError("look at", path, error);
}
