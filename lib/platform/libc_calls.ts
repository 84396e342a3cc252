/**
 * The calls of Linux's C library, on 64-bit machines. Node's functions do the same at three times the cost and some 7 MB of
 * memory, and write on the event loop what they are asked to write later.
 *
 * - A call that fails says why in `errno`, a number of the calling thread at a place that never moves. It is read as memory,
 *   with nothing between: one more call, and the collector may have set another.
 * - What fails on another thread would leave its reason there: what is done later asks the kernel itself (`raw_calls.ts`).
 *   Nothing is done again to learn why it failed: it might hang here, and the system tells of bytes that it has lost once.
 * - Foreign code must not be handed the bytes of a small typed array that has no buffer yet, for they move. `subarray()`
 *   gives it one.
 */
import { type FileKind, kindOfMode } from "./file_kind.ts";
import { Looks, readNames } from "./folder_looks.ts";
import { openRawCalls, type RawCalls } from "./raw_calls.ts";
import type { FoundAtPath, OpenMode, SystemCalls } from "./system_calls.ts";

const SYMBOLS = {
  errno: { name: "__errno_location", parameters: [], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" },
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  /** The length is bounded, so that these results fit 32 bits. */
  read: { name: "pread", parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  readPipe: { name: "read", parameters: ["i32", "buffer", "usize"], result: "i32" },
  write: { name: "pwrite", parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  seek: { name: "lseek", parameters: ["i32", "i64", "i32"], result: "i64" },
  truncate: { name: "ftruncate", parameters: ["i32", "i64"], result: "i32" },
  sync: { name: "fsync", parameters: ["i32"], result: "i32" },
  syncData: { name: "fdatasync", parameters: ["i32"], result: "i32" },
  advise: { name: "posix_fadvise", parameters: ["i32", "i64", "i64", "i32"], result: "i32", nonblocking: true },
  close: { parameters: ["i32"], result: "i32" },
  lock: { name: "fcntl", parameters: ["i32", "i32", "buffer"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  access: { parameters: ["buffer", "i32"], result: "i32" },
  statfs: { parameters: ["buffer", "buffer"], result: "i32" },
} as const;

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** The names of errors that `file_error.ts` and its callers tell from others. */
const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  5: "EIO",
  6: "ENXIO",
  9: "EBADF",
  11: "EAGAIN",
  13: "EACCES",
  16: "EBUSY",
  17: "EEXIST",
  20: "ENOTDIR",
  21: "EISDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  26: "ETXTBSY",
  27: "EFBIG",
  28: "ENOSPC",
  30: "EROFS",
  39: "ENOTEMPTY",
  40: "ELOOP",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  112: "EHOSTDOWN",
  116: "ESTALE",
  122: "EDQUOT",
};
const ENOENT = 2;
const EINTR = 4;
/** EAGAIN and EACCES. */
const LOCKED_BY_OTHERS: readonly number[] = [11, 13];
const EINVAL = 22;

const O_RDONLY = 0;
const O_RDWR = 0o2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
/** Machines number these two differently. */
const O_NOFOLLOW: Readonly<Record<string, number>> = { x86_64: 0o400000, aarch64: 0o100000 };
const O_DIRECTORY: Readonly<Record<string, number>> = { x86_64: 0o200000, aarch64: 0o40000 };
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  "read": O_RDONLY,
  "read-named": O_RDONLY,
  "write": O_RDWR,
  "create": O_RDWR | O_CREAT,
  "create-new": O_RDWR | O_CREAT | O_EXCL,
};

const POSIX_FADV_DONTNEED = 4;

const CALL_BYTES_MAX = 1 << 30;
const SEEK_END = 2;

const F_GETLK = 5;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** struct flock: i16 type, i16 whence (0: from the start), 4 bytes padding, i64 start, i64 length, i32 process. */
const FLOCK_BYTES = 32;
const FLOCK_START_AT = 8;
const FLOCK_LENGTH_AT = 16;

/** struct statfs begins with words of 64 bits: type, size of a block, blocks, free ones, free ones for everybody. */
const STATFS_BYTES = 256;
const BLOCK_SIZE_WORD = 1;
const AVAILABLE_WORD = 4;

/** struct stat begins with words of 64 bits, too, on the machines of `raw_calls.ts`. */
const STAT_BYTES = 256;
const DEVICE_WORD = 0;
const INODE_WORD = 1;

const ACCESS_MODES = { read: 4, write: 2 } as const;

/** Undefined where there is no such library, or foreign functions may not be called. */
export function openLibcCalls(): SystemCalls | undefined {
  const noFollow = O_NOFOLLOW[Deno.build.arch];
  if (Deno.build.os !== "linux" || noFollow === undefined) return undefined;
  try {
    const raw = openRawCalls();
    return raw && new LibcCalls(Deno.dlopen("libc.so.6", SYMBOLS).symbols, raw, noFollow);
  } catch {
    return undefined;
  }
}

class LibcCalls implements SystemCalls {
  readonly #libc: Symbols;
  readonly #raw: RawCalls;
  readonly #errno: Int32Array;
  readonly #noFollow: number;
  readonly #looks: Looks;

  constructor(libc: Symbols, raw: RawCalls, noFollow: number) {
    const place = libc.errno();
    if (place === null) throw new Error("errno has no place");
    this.#libc = libc;
    this.#raw = raw;
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(place, Int32Array.BYTES_PER_ELEMENT));
    this.#noFollow = noFollow;
    this.#looks = new Looks(raw, (errno) => this.#error(errno));
  }

  async namesLater(path: string): Promise<string[]> {
    const name = cString(path);
    const folder = await this.#doneLater(() => this.#raw.open(name, folderFlags(), 0));
    try {
      return await readNames((into) => this.#doneLater(() => this.#raw.entries(folder, into).then(endWhenGone)));
    } finally {
      this.close(folder); // No device is asked.
    }
  }

  looksLater(paths: readonly string[]): Promise<readonly FoundAtPath[]> {
    return this.#looks.at(paths);
  }

  open(path: string, mode: OpenMode, permissions: number): number {
    const name = cString(path);
    return this.#done(() => this.#libc.open(name, this.#flagsOf(mode), permissions));
  }

  openLater(path: string, mode: OpenMode, permissions: number): Promise<number> {
    const name = cString(path);
    return this.#doneLater(() => this.#raw.open(name, this.#flagsOf(mode), permissions));
  }

  kindOf(descriptor: number): FileKind {
    const status = new Uint8Array(new ArrayBuffer(STAT_BYTES));
    const result = this.#raw.statusNow(descriptor, status);
    if (result < 0) throw this.#error(-result);
    return this.#kindIn(status);
  }

  async kindOfLater(descriptor: number): Promise<FileKind> {
    const status = new Uint8Array(new ArrayBuffer(STAT_BYTES));
    await this.#doneLater(() => this.#raw.status(descriptor, status));
    return this.#kindIn(status);
  }

  read(descriptor: number, into: Uint8Array, position: number): number {
    const bytes = bounded(into);
    return this.#done(() => this.#libc.read(descriptor, bytes, BigInt(bytes.length), BigInt(position)));
  }

  readLater(descriptor: number, into: Uint8Array, position: number): Promise<number> {
    const bytes = bounded(into);
    return this.#doneLater(() => this.#raw.read(descriptor, bytes, position));
  }

  readPipe(descriptor: number, into: Uint8Array): number {
    const bytes = bounded(into);
    return this.#done(() => this.#libc.readPipe(descriptor, bytes, BigInt(bytes.length)));
  }

  write(descriptor: number, bytes: Uint8Array, position: number): number {
    const some = bounded(bytes);
    return this.#done(() => this.#libc.write(descriptor, some, BigInt(some.length), BigInt(position)));
  }

  writeLater(descriptor: number, bytes: Uint8Array, position: number): Promise<number> {
    const some = bounded(bytes);
    return this.#doneLater(() => this.#raw.write(descriptor, some, position));
  }

  /** The position that this moves is used by nobody. */
  size(descriptor: number): number {
    return this.#done(() => Number(this.#libc.seek(descriptor, 0n, SEEK_END)));
  }

  async identityLater(descriptor: number): Promise<string> {
    const words = new BigUint64Array(STAT_BYTES / 8);
    await this.#doneLater(() => this.#raw.status(descriptor, new Uint8Array(words.buffer)));
    return `${words[DEVICE_WORD]}:${words[INODE_WORD]}`;
  }

  truncate(descriptor: number, size: number): void {
    this.#done(() => this.#libc.truncate(descriptor, BigInt(size)));
  }

  async truncateLater(descriptor: number, size: number): Promise<void> {
    await this.#doneLater(() => this.#raw.truncate(descriptor, size));
  }

  syncData(descriptor: number): void {
    if (this.#libc.syncData(descriptor) !== 0) throw this.#error(this.#errno[0]);
  }

  async syncDataLater(descriptor: number): Promise<void> {
    const result = await this.#raw.syncData(descriptor);
    if (result < 0) throw this.#error(-result);
  }

  syncFolder(path: string): void {
    const name = cString(path);
    const folder = this.#done(() => this.#libc.open(name, folderFlags(), 0));
    try {
      if (this.#libc.sync(folder) !== 0) throw this.#error(this.#errno[0]);
    } finally {
      this.close(folder);
    }
  }

  async syncFolderLater(path: string): Promise<void> {
    const name = cString(path);
    const folder = await this.#doneLater(() => this.#raw.open(name, folderFlags(), 0));
    try {
      const result = await this.#raw.sync(folder);
      if (result < 0) throw this.#error(-result);
    } finally {
      this.close(folder); // No device is asked.
    }
  }

  async flushLater(descriptor: number): Promise<void> {
    await this.#raw.syncData(descriptor);
  }

  /** Advice that is not taken costs nothing. */
  async forgetLater(descriptor: number): Promise<void> {
    await this.#libc.advise(descriptor, 0n, 0n, POSIX_FADV_DONTNEED);
  }

  /** Whatever it answers, the descriptor is closed. */
  close(descriptor: number): void {
    if (this.#libc.close(descriptor) === 0) return;
    const errno = this.#errno[0];
    if (errno !== EINTR) throw this.#error(errno);
  }

  async closeLater(descriptor: number): Promise<void> {
    const result = await this.#raw.close(descriptor);
    if (result < 0 && -result !== EINTR) throw this.#error(-result);
  }

  isLockedByOthers(descriptor: number, at: number, how?: "forItself"): boolean | undefined {
    const bytes = lockBytes(how === undefined ? F_WRLCK : F_RDLCK, at, 1);
    if (this.#libc.lock(descriptor, F_GETLK, bytes) !== 0) return undefined;
    return new Int16Array(bytes.buffer)[0] !== F_UNLCK;
  }

  share(descriptor: number, at: number, length: number): boolean {
    return this.#libc.lock(descriptor, F_OFD_SETLK, lockBytes(F_RDLCK, at, length)) === 0;
  }

  unshare(descriptor: number, at: number, length: number): void {
    this.#done(() => this.#libc.lock(descriptor, F_OFD_SETLK, lockBytes(F_UNLCK, at, length)));
  }

  async lockLater(descriptor: number, at: number): Promise<boolean | undefined> {
    const bytes = lockBytes(F_WRLCK, at, 1);
    for (;;) {
      const result = await this.#raw.control(descriptor, F_OFD_SETLK, bytes);
      if (result === 0) return true;
      if (-result !== EINTR) return LOCKED_BY_OTHERS.includes(-result) ? false : undefined;
    }
  }

  async unlockLater(descriptor: number, at: number): Promise<void> {
    await this.#raw.control(descriptor, F_OFD_SETLK, lockBytes(F_UNLCK, at, 1));
  }

  remove(path: string): void {
    const name = cString(path);
    this.#done(() => this.#libc.unlink(name));
  }

  async removeLater(path: string): Promise<void> {
    const name = cString(path);
    await this.#doneLater(() => this.#raw.unlink(name));
  }

  async removeFolderLater(path: string): Promise<void> {
    const name = cString(path);
    await this.#doneLater(() => this.#raw.rmdir(name));
  }

  mayAccess(path: string, access: "read" | "write"): boolean {
    return this.#libc.access(cString(path), ACCESS_MODES[access]) === 0;
  }

  fileSystem(path: string): { readonly type: number; readonly freeBytes: number } {
    const words = new BigInt64Array(STATFS_BYTES / 8);
    const name = cString(path);
    this.#done(() => this.#libc.statfs(name, new Uint8Array(words.buffer)));
    const word = (at: number) => Number(words[at]);
    return { type: word(0), freeBytes: word(AVAILABLE_WORD) * word(BLOCK_SIZE_WORD) };
  }

  #flagsOf(mode: OpenMode): number {
    const links = mode === "read-named" ? 0 : this.#noFollow;
    return OPEN_FLAGS[mode] | links | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  }

  #kindIn(status: Uint8Array<ArrayBuffer>): FileKind {
    return kindOfMode(new DataView(status.buffer).getUint32(this.#raw.modeAt, true));
  }

  /** Calls, again when a signal came first, until the result is none of an error, which is negative. */
  #done(call: () => number): number {
    for (;;) {
      const result = call();
      if (result >= 0) return result;
      const errno = this.#errno[0];
      if (errno !== EINTR) throw this.#error(errno);
    }
  }

  /** The same of a call whose result tells the reason itself. */
  async #doneLater(call: () => Promise<number>): Promise<number> {
    for (;;) {
      const result = await call();
      if (result >= 0) return result;
      if (-result !== EINTR) throw this.#error(-result);
    }
  }

  #error(errno = EINVAL): Error {
    const text = this.#libc.strerror(errno);
    const reason = text === null ? "an unknown error" : new Deno.UnsafePointerView(text).getCString();
    return Object.assign(new Error(`${reason} (os error ${errno})`), { code: NAMES[errno] });
  }
}

/** A folder that is removed while it is read holds no more. */
function endWhenGone(result: number): number {
  return result === -ENOENT ? 0 : result;
}

function folderFlags(): number {
  return O_RDONLY | (O_DIRECTORY[Deno.build.arch] ?? 0) | O_CLOEXEC;
}

function lockBytes(type: number, at: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(FLOCK_BYTES));
  const [types, fields] = [new Int16Array(bytes.buffer), new BigInt64Array(bytes.buffer)];
  types[0] = type;
  fields[FLOCK_START_AT / 8] = BigInt(at);
  fields[FLOCK_LENGTH_AT / 8] = BigInt(length);
  return bytes;
}

function bounded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.subarray(0, CALL_BYTES_MAX) as Uint8Array<ArrayBuffer>;
}

/** Paths end at their first zero byte, so none may be inside. */
function cString(path: string): Uint8Array<ArrayBuffer> {
  if (path.includes("\0")) throw new Error(`a path holds a zero byte: ${JSON.stringify(path)}`);
  return new TextEncoder().encode(`${path}\0`).subarray();
}
