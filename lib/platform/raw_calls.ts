/**
 * Linux's own calls, made on other threads. The C library leaves the reason of a failure in a number of the thread that
 * made the call, which nobody knows afterwards, and a second call to learn it could hang where the first one failed. The
 * kernel itself answers with the reason: a negative result. A few instructions ask it, as the C library's `syscall()`
 * does, and leave the answer as it is.
 */
const SYMBOLS = {
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
} as const;

const PAGE_BYTES = 65_536; // The largest page of any machine that is listed here.
const PROT_READ_WRITE = 3;
const PROT_READ_EXECUTE = 5;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 2n ** 64n - 1n;

interface Machine {
  /** `int64 call(number, first, second, third, fourth)`. */
  readonly code: readonly number[];
  /**
   * `void looks(paths, stride, statuses, count)`, with a count of at least 1: `newfstatat` for each of the paths, without
   * following a link. What it answers goes behind its `struct stat`.
   */
  readonly looksCode: readonly number[];
  readonly numbers: Readonly<Record<CallName, bigint>>;
  /** Where `struct stat` has the mode, 32 bits. */
  readonly modeAt: number;
}

type CallName =
  | "openat"
  | "close"
  | "pread64"
  | "pwrite64"
  | "ftruncate"
  | "fdatasync"
  | "fsync"
  | "unlinkat"
  | "fcntl"
  | "fstat"
  | "getdents64";

/** For each path its `struct stat`, and at the end of that space what the kernel answered, 64 bits. */
export const LOOK_BYTES = 256;
export const ANSWER_AT = 248;

const MACHINES: Readonly<Record<string, Machine>> = {
  x86_64: {
    code: [
      [0x48, 0x89, 0xf8], // mov rax, rdi
      [0x48, 0x89, 0xf7], // mov rdi, rsi
      [0x48, 0x89, 0xd6], // mov rsi, rdx
      [0x48, 0x89, 0xca], // mov rdx, rcx
      [0x4d, 0x89, 0xc2], // mov r10, r8
      [0x0f, 0x05], // syscall
      [0xc3], // ret
    ].flat(),
    looksCode: [
      [0x49, 0x89, 0xf0], // mov r8, rsi            the stride
      [0x48, 0x89, 0xfe], // mov rsi, rdi           the path
      [0x49, 0x89, 0xc9], // mov r9, rcx            how many are left
      [0x48, 0xc7, 0xc7, 0x9c, 0xff, 0xff, 0xff], // mov rdi, AT_FDCWD
      [0x41, 0xba, 0x00, 0x01, 0x00, 0x00], // mov r10d, AT_SYMLINK_NOFOLLOW
      [0xb8, 0x06, 0x01, 0x00, 0x00], // mov eax, 262 (newfstatat); the kernel keeps all but rax, rcx, r11
      [0x0f, 0x05], // syscall
      [0x48, 0x89, 0x82, 0xf8, 0x00, 0x00, 0x00], // mov [rdx + ANSWER_AT], rax
      [0x4c, 0x01, 0xc6], // add rsi, r8
      [0x48, 0x81, 0xc2, 0x00, 0x01, 0x00, 0x00], // add rdx, LOOK_BYTES
      [0x49, 0xff, 0xc9], // dec r9
      [0x75, 0xe3], // jnz mov eax
      [0xc3], // ret
    ].flat(),
    numbers: {
      openat: 257n,
      close: 3n,
      pread64: 17n,
      pwrite64: 18n,
      ftruncate: 77n,
      fdatasync: 75n,
      fsync: 74n,
      unlinkat: 263n,
      fcntl: 72n,
      fstat: 5n,
      getdents64: 217n,
    },
    modeAt: 24,
  },
  aarch64: {
    code: [
      [0xe8, 0x03, 0x00, 0xaa], // mov x8, x0
      [0xe0, 0x03, 0x01, 0xaa], // mov x0, x1
      [0xe1, 0x03, 0x02, 0xaa], // mov x1, x2
      [0xe2, 0x03, 0x03, 0xaa], // mov x2, x3
      [0xe3, 0x03, 0x04, 0xaa], // mov x3, x4
      [0x01, 0x00, 0x00, 0xd4], // svc 0
      [0xc0, 0x03, 0x5f, 0xd6], // ret
    ].flat(),
    looksCode: [
      [0xe4, 0x03, 0x01, 0xaa], // mov x4, x1        the stride
      [0xe1, 0x03, 0x00, 0xaa], // mov x1, x0        the path
      [0xe5, 0x03, 0x03, 0xaa], // mov x5, x3        how many are left
      [0x03, 0x20, 0x80, 0xd2], // mov x3, AT_SYMLINK_NOFOLLOW
      [0xe8, 0x09, 0x80, 0xd2], // mov x8, 79 (newfstatat); the kernel keeps all but x0
      [0x60, 0x0c, 0x80, 0x92], // mov x0, AT_FDCWD
      [0x01, 0x00, 0x00, 0xd4], // svc 0
      [0x40, 0x7c, 0x00, 0xf9], // str x0, [x2, ANSWER_AT]
      [0x21, 0x00, 0x04, 0x8b], // add x1, x1, x4
      [0x42, 0x00, 0x04, 0x91], // add x2, x2, LOOK_BYTES
      [0xa5, 0x04, 0x00, 0xf1], // subs x5, x5, 1
      [0x41, 0xff, 0xff, 0x54], // b.ne mov x0
      [0xc0, 0x03, 0x5f, 0xd6], // ret
    ].flat(),
    numbers: {
      openat: 56n,
      close: 57n,
      pread64: 67n,
      pwrite64: 68n,
      ftruncate: 46n,
      fdatasync: 83n,
      fsync: 82n,
      unlinkat: 35n,
      fcntl: 25n,
      fstat: 80n,
      getdents64: 61n,
    },
    modeAt: 16,
  },
};

/** From the working folder, should a path be relative. */
const AT_FDCWD = -100;
const AT_REMOVEDIR = 0x200;

/** Each resolves with the call's result; a negative one is the number of what is wrong, negated. */
export interface RawCalls {
  /** Of a `struct stat`. */
  readonly modeAt: number;
  open(path: Uint8Array<ArrayBuffer>, flags: number, permissions: number): Promise<number>;
  close(descriptor: number): Promise<number>;
  /** The length is bounded by the caller, so that the results fit 32 bits. */
  read(descriptor: number, into: Uint8Array<ArrayBuffer>, position: number): Promise<number>;
  write(descriptor: number, bytes: Uint8Array<ArrayBuffer>, position: number): Promise<number>;
  truncate(descriptor: number, size: number): Promise<number>;
  syncData(descriptor: number): Promise<number>;
  /** With all that is known of the file. */
  sync(descriptor: number): Promise<number>;
  unlink(path: Uint8Array<ArrayBuffer>): Promise<number>;
  rmdir(path: Uint8Array<ArrayBuffer>): Promise<number>;
  /** `into`: a `struct stat`. */
  status(descriptor: number, into: Uint8Array<ArrayBuffer>): Promise<number>;
  /** The same at once, on this thread. */
  statusNow(descriptor: number, into: Uint8Array<ArrayBuffer>): number;
  /** Some of what an open folder holds, `struct dirent64` each; 0 at its end. */
  entries(descriptor: number, into: Uint8Array<ArrayBuffer>): Promise<number>;
  /** One after the other: paths of at most `stride` bytes, each with a zero byte at its end; `into`: LOOK_BYTES for each. */
  looks(paths: Uint8Array<ArrayBuffer>, stride: number, into: Uint8Array<ArrayBuffer>, count: number): Promise<void>;
  /** `lock`: a `struct flock`. */
  control(descriptor: number, command: number, lock: Uint8Array<ArrayBuffer>): Promise<number>;
}

/** Undefined on machines that are not listed, and where no foreign code may be made. */
export function openRawCalls(): RawCalls | undefined {
  const machine = MACHINES[Deno.build.arch];
  if (Deno.build.os !== "linux" || machine === undefined) return undefined;
  const place = placeInMemory(machine.code);
  const looksPlace = placeInMemory(machine.looksCode);
  if (place === undefined || looksPlace === undefined) return undefined;
  const later = { result: "i32", nonblocking: true } as const;
  const ofFile = new Deno.UnsafeFnPointer(place, { parameters: ["u64", "i32", "i64"], ...later });
  const ofBytes = new Deno.UnsafeFnPointer(place, { parameters: ["u64", "i32", "buffer", "usize", "i64"], ...later });
  const ofBytesNow = new Deno.UnsafeFnPointer(
    place,
    { parameters: ["u64", "i32", "buffer", "usize", "i64"], result: "i32" } as const,
  );
  const ofPath = new Deno.UnsafeFnPointer(place, { parameters: ["u64", "i32", "buffer", "i32", "u32"], ...later });
  const ofLock = new Deno.UnsafeFnPointer(place, { parameters: ["u64", "i32", "i32", "buffer"], ...later });
  const looks = new Deno.UnsafeFnPointer(
    looksPlace,
    { parameters: ["buffer", "usize", "buffer", "usize"], result: "void", nonblocking: true } as const,
  );
  const { openat, close, pread64, pwrite64, ftruncate, fdatasync, fsync, unlinkat } = machine.numbers;
  const { fcntl, fstat, getdents64 } = machine.numbers;
  return {
    modeAt: machine.modeAt,
    open: (path, flags, permissions) => ofPath.call(openat, AT_FDCWD, path, flags, permissions),
    close: (descriptor) => ofFile.call(close, descriptor, 0n),
    read: (descriptor, into, at) => ofBytes.call(pread64, descriptor, into, BigInt(into.length), BigInt(at)),
    write: (descriptor, bytes, at) => ofBytes.call(pwrite64, descriptor, bytes, BigInt(bytes.length), BigInt(at)),
    truncate: (descriptor, size) => ofFile.call(ftruncate, descriptor, BigInt(size)),
    syncData: (descriptor) => ofFile.call(fdatasync, descriptor, 0n),
    sync: (descriptor) => ofFile.call(fsync, descriptor, 0n),
    unlink: (path) => ofPath.call(unlinkat, AT_FDCWD, path, 0, 0),
    status: (descriptor, into) => ofBytes.call(fstat, descriptor, into, 0n, 0n),
    statusNow: (descriptor, into) => ofBytesNow.call(fstat, descriptor, into, 0n, 0n),
    entries: (descriptor, into) => ofBytes.call(getdents64, descriptor, into, BigInt(into.length), 0n),
    looks: (paths, stride, into, count) => looks.call(paths, BigInt(stride), into, BigInt(count)),
    control: (descriptor, command, lock) => ofLock.call(fcntl, descriptor, command, lock),
    rmdir: (path) => ofPath.call(unlinkat, AT_FDCWD, path, AT_REMOVEDIR, 0),
  };
}

/** Never both writable and executable; it stays to the end of the process. */
function placeInMemory(code: readonly number[]): Deno.PointerObject<never> | undefined {
  const { mmap, mprotect } = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  const place = mmap(null, BigInt(PAGE_BYTES), PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
  if (place === null || Deno.UnsafePointer.value(place) === MAP_FAILED) return undefined;
  new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(place, code.length)).set(code);
  return mprotect(place, BigInt(PAGE_BYTES), PROT_READ_EXECUTE) === 0 ? place as Deno.PointerObject<never> : undefined;
}
