import { inBatches } from "../base/batches.ts";
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { addAll } from "../base/many.ts";
import { Semaphore } from "../base/semaphore.ts";
import { fileError, translated, translatedLater } from "./file_error.ts";
import type { FileHandle, FileStatus, FileSystem, FolderEntry, OpenMode, PathLock, PipeReader } from "./file_system.ts";
import { DescriptorHandle } from "./descriptor_handle.ts";
import { type FileKind, nameKind } from "./file_kind.ts";
import { openLibcCalls } from "./libc_calls.ts";
import { NodeCalls } from "./node_calls.ts";
import { notAFile, openPipe, openPlain, openPlainLater } from "./plain_file.ts";
import { node } from "./node_modules.ts";
import type { SystemCalls } from "./system_calls.ts";
import { decodeUtf8 } from "./utf8_text.ts";

/** What the system says of a folder that holds something, or that is not there; POSIX permits either of the first two. */
const KEPT_FOLDER: readonly string[] = ["ENOTEMPTY", "EEXIST", "ENOENT"];

const EXACT = { bigint: true } as const;

const TEXT_PIECE_BYTES = 16 << 10;

/** Of a folder's names so many are looked at in one call, one after the other: others wait for its thread as long. */
const LOOKS_A_CALL_MAX = 64;
const LOOKS_A_CALL_MIN = 8;
/** Of the device calls that there are: others find some free. */
const LOOK_CALLS_AT_ONCE = limits.deviceCallsAtOnce / 2;

const systemCalls: SystemCalls = openLibcCalls() ?? new NodeCalls();

/** One for the process, as its threads are. */
const deviceCalls = new Semaphore(limits.deviceCallsAtOnce);

export class DenoFileSystem implements FileSystem {
  /** Not `#system`: other file systems have this one as their prototype. */
  private readonly system: SystemCalls;

  constructor(system: SystemCalls = systemCalls) {
    this.system = system;
  }

  open(path: string, mode: OpenMode, permissions = 0o600): FileHandle {
    return translated("open", path, () => {
      return new DescriptorHandle(this.system, openPlain(this.system, path, mode, permissions), path);
    });
  }

  openLater(path: string, mode: OpenMode, permissions = 0o600): Promise<FileHandle> {
    return later("open", path, async () => {
      const descriptor = await openPlainLater(this.system, path, mode, permissions);
      return new DescriptorHandle(this.system, descriptor, path, deviceCalls);
    });
  }

  status(path: string): FileStatus | undefined {
    return statusOf(path, () => {
      const found = Deno.statSync(path);
      return isExact(found) ? asFileStatus(found) : asFileStatus(found, node.fs.statSync(path, EXACT));
    });
  }

  statusLater(path: string): Promise<FileStatus | undefined> {
    return statusOfLater(path, async () => {
      const found = await Deno.stat(path);
      return isExact(found) ? asFileStatus(found) : asFileStatus(found, await statExactly(node.fs.stat, path));
    });
  }

  linkStatus(path: string): FileStatus | undefined {
    return statusOf(path, () => {
      const found = Deno.lstatSync(path);
      return isExact(found) ? asFileStatus(found) : asFileStatus(found, node.fs.lstatSync(path, EXACT));
    });
  }

  linkStatusLater(path: string): Promise<FileStatus | undefined> {
    return statusOfLater(path, async () => {
      const found = await Deno.lstat(path);
      return isExact(found) ? asFileStatus(found) : asFileStatus(found, await statExactly(node.fs.lstat, path));
    });
  }

  realPath(path: string): string {
    return translated("resolve", path, () => Deno.realPathSync(path));
  }

  realPathLater(path: string): Promise<string> {
    return later("resolve", path, () => Deno.realPath(path));
  }

  readLink(path: string): string {
    return translated("read the link", path, () => Deno.readLinkSync(path));
  }

  list(path: string): string[] {
    return translated("list", path, () => [...Deno.readDirSync(path)].map(({ name }) => name).sort());
  }

  listLater(path: string): Promise<string[]> {
    const names = () => this.system.namesLater?.(path) ?? Array.fromAsync(Deno.readDir(path), ({ name }) => name);
    return later("list", path, async () => (await names()).sort());
  }

  async entriesLater(path: string): Promise<FolderEntry[]> {
    const names = await this.listLater(path);
    const found: FolderEntry[] = [];
    for (const some of await inBatches(groupsOf(names), LOOK_CALLS_AT_ONCE, (group) => this.entriesAt(path, group))) {
      addAll(found, some);
    }
    return found;
  }

  private async entriesAt(folder: string, names: readonly string[]): Promise<FolderEntry[]> {
    const paths = names.map((name) => `${folder}/${name}`);
    const looks = this.system.looksLater === undefined
      ? await inBatches(paths, paths.length, (path) => this.linkStatusLater(path))
      : await deviceCalls.run(() => this.system.looksLater?.(paths) ?? Promise.resolve([]));
    const entries: FolderEntry[] = [];
    for (const [slot, name] of names.entries()) {
      const look = looks[slot];
      if (look instanceof Error) throw fileError("look at", `${folder}/${name}`, look);
      if (look === undefined) continue;
      entries.push({ name, kind: look.kind, size: look.size, modifiedAtMs: look.modifiedAtMs });
    }
    return entries;
  }

  makeFolder(path: string, permissions = 0o700): void {
    translated("make folder", path, () => Deno.mkdirSync(path, { recursive: true, mode: permissions }));
  }

  makeFolderLater(path: string, permissions = 0o700): Promise<void> {
    return later("make folder", path, () => Deno.mkdir(path, { recursive: true, mode: permissions }));
  }

  rename(from: string, to: string): void {
    translated("rename", from, () => Deno.renameSync(from, to));
  }

  renameLater(from: string, to: string): Promise<void> {
    return later("rename", from, () => Deno.rename(from, to));
  }

  renameToNewLater(from: string, to: string): Promise<boolean> {
    return later("rename", from, async () => {
      try {
        await Deno.link(from, to);
      } catch {
        const there = await this.linkStatusLater(to);
        if (there === undefined) { // The device knows no second names, or what is wrong shows in this call.
          await Deno.rename(from, to);
          return true;
        }
        // A server that was asked twice may have done it at the first time.
        if (there.identity !== (await this.linkStatusLater(from))?.identity) return false;
      }
      await this.system.removeLater(from);
      return true;
    });
  }

  remove(path: string): void {
    translated("remove", path, () => this.system.remove(path));
  }

  removeLater(path: string): Promise<void> {
    return later("remove", path, () => this.system.removeLater(path));
  }

  removeEmptyFolderLater(path: string): Promise<boolean> {
    return later("remove folder", path, async () => {
      try {
        await this.system.removeFolderLater(path);
        return true;
      } catch (error) {
        if (KEPT_FOLDER.includes(String(errnoOf(error)))) return false;
        throw error;
      }
    });
  }

  removeTree(path: string): void {
    translated("remove", path, () => {
      try {
        Deno.removeSync(path, { recursive: true });
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
      }
    });
  }

  readText(path: string): string | undefined {
    try {
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(readWhole(this.system, path));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw fileError("read", path, error);
    }
  }

  readUtf8(path: string): string {
    return decodeUtf8(translated("read", path, () => readWhole(this.system, path)), path);
  }

  openPipe(path: string): PipeReader {
    return translated("open", path, () => openPipe(this.system, path));
  }

  syncFolder(path: string): void {
    translated("sync folder", path, () => this.system.syncFolder(path));
  }

  syncFolderLater(path: string): Promise<void> {
    return later("sync folder", path, () => this.system.syncFolderLater(path));
  }

  setMode(path: string, mode: number): void {
    translated("change the mode of", path, () => Deno.chmodSync(path, mode));
  }

  setOwner(path: string, owner: number, group: number): void {
    translated("change the owner of", path, () => Deno.chownSync(path, owner, group));
  }

  mayAccess(path: string, access: "read" | "write"): boolean {
    return this.system.mayAccess(path, access);
  }

  freeBytes(path: string): number {
    return translated("look at", path, () => this.system.fileSystem(path).freeBytes);
  }

  fileSystemType(path: string): number {
    return translated("look at", path, () => this.system.fileSystem(path).type);
  }

  tryLock(path: string): PathLock | undefined {
    return translated("lock", path, () => {
      // The run-time opens what it locks, and may wait for a device: nobody but root makes one appear after this look.
      const found = this.linkStatus(path);
      if (found !== undefined && found.kind !== "file") throw notAFile(path, nameKind(found.kind));
      const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
      let lock: PathLock | undefined;
      try {
        if (file.tryLockSync(true)) lock = lockOf(this, file);
      } finally {
        if (lock === undefined) file.close();
      }
      return lock;
    });
  }
}

function lockOf(files: Pick<FileSystem, "linkStatus">, file: Deno.FsFile): PathLock {
  const own = file.statSync();
  return {
    isAt: (where) => {
      const found = files.linkStatus(where);
      return found !== undefined && found.device === own.dev && found.inode === own.ino;
    },
    release: () => {
      try {
        file.unlockSync(); // A child that is being started has this descriptor, too, until its own program runs.
      } finally {
        file.close();
      }
    },
  };
}

/** Few enough in each that a slow device is asked by several calls, however few names there are. */
function groupsOf(names: readonly string[]): string[][] {
  const wanted = Math.max(LOOKS_A_CALL_MIN, Math.min(LOOKS_A_CALL_MAX, Math.ceil(names.length / LOOK_CALLS_AT_ONCE)));
  const groups: string[][] = [];
  for (let at = 0; at < names.length; at += wanted) groups.push(names.slice(at, at + wanted));
  return groups;
}

function later<T>(act: string, path: string, work: () => Promise<T>): Promise<T> {
  return deviceCalls.run(() => translatedLater(act, path, work));
}

function statusOf(path: string, look: () => FileStatus): FileStatus | undefined {
  try {
    return look();
  } catch (error) {
    return undefinedWhenAbsent(path, error);
  }
}

function statusOfLater(path: string, look: () => Promise<FileStatus>): Promise<FileStatus | undefined> {
  return deviceCalls.run(async () => {
    try {
      return await look();
    } catch (error) {
      return undefinedWhenAbsent(path, error);
    }
  });
}

/** Not where the file system numbers its files beyond 2^53, which the run-time rounds. */
function isExact({ ino }: Deno.FileInfo): boolean {
  return Number.isSafeInteger(ino ?? 0);
}

interface ExactIdentity {
  readonly dev: number | bigint;
  readonly ino: number | bigint | null;
}

function statExactly(stat: typeof node.fs.stat, path: string): Promise<ExactIdentity> {
  return new Promise((resolve, reject) => {
    stat(path, EXACT, (error, found) => error === null ? resolve(found) : reject(error));
  });
}

function asFileStatus(found: Deno.FileInfo, { dev, ino }: ExactIdentity = found): FileStatus {
  const inode = found.ino ?? 0;
  return {
    kind: kindOf(found),
    size: found.size,
    modifiedAtMs: timeOf(found.mtime) ?? 0,
    identity: `${dev}:${ino ?? 0}`,
    changedAtMs: timeOf(found.ctime),
    bornAtMs: timeOf(found.birthtime),
    device: found.dev,
    inode,
    linkCount: found.nlink ?? 1,
    mode: (found.mode ?? 0) & 0o7777,
    owner: found.uid ?? 0,
    group: found.gid ?? 0,
  };
}

/** Some file systems keep times that no date can be: the nearest that one can. */
function timeOf(date: Date | null): number | undefined {
  const ms = date?.getTime();
  return ms === undefined || !Number.isNaN(ms) ? ms : limits.latestMs;
}

function kindOf({ isFile, isDirectory, isSymlink, isFifo, isSocket }: Deno.FileInfo): FileKind {
  if (isFile) return "file";
  if (isDirectory) return "folder";
  return isSymlink ? "link" : isFifo ? "pipe" : isSocket ? "socket" : "device";
}

/** In pieces until its end: files of the system's own tell no size. */
function readWhole(system: SystemCalls, path: string): Uint8Array {
  const descriptor = openPlain(system, path, "read-named", 0);
  try {
    let bytes = new Uint8Array(TEXT_PIECE_BYTES);
    let size = 0;
    for (;;) {
      const got = system.read(descriptor, bytes.subarray(size), size);
      if (got === 0) return bytes.subarray(0, size);
      size += got;
      if (size > limits.textFileMaxBytes) throw tooLarge(path);
      if (size < bytes.length) continue;
      const larger = new Uint8Array(2 * size);
      larger.set(bytes);
      bytes = larger;
    }
  } finally {
    system.close(descriptor);
  }
}

function tooLarge(path: string): ReplicationError {
  const expected = `at most ${limits.textFileMaxBytes} bytes of text`;
  return new ReplicationError("corrupt", `Cannot read ${path}: it is larger than any such file (expected ${expected})`);
}

function undefinedWhenAbsent(path: string, error: unknown): undefined {
  const errno = errnoOf(error);
  if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
  throw fileError("look at", path, error);
}

function errnoOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
