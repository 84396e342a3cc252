/** The few functions of the C library that no runtime API stands for. Linux only; whoever opens it closes it. */

const SYMBOLS = {
  inotify_init1: { parameters: ["i32"], result: "i32" },
  inotify_add_watch: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  inotify_rm_watch: { parameters: ["i32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  /** Waits on a thread of its own, so that the event loop goes on. */
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  access: { parameters: ["buffer", "i32"], result: "i32" },
} as const;

/** What is done with an open file. */
const DESCRIPTOR_SYMBOLS = {
  getLock: { name: "fcntl", parameters: ["i32", "i32", "buffer"], result: "i32" },
  duplicate: { name: "fcntl", parameters: ["i32", "i32", "i32"], result: "i32" },
  /** These wait on threads of their own; what `errno` says there is lost to the caller. */
  writeLater: { name: "pwrite", parameters: ["i32", "buffer", "usize", "i64"], result: "isize", nonblocking: true },
  truncateLater: { name: "ftruncate", parameters: ["i32", "i64"], result: "i32", nonblocking: true },
  closeLater: { name: "close", parameters: ["i32"], result: "i32", nonblocking: true },
} as const;

export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>;

/** Undefined where there is none, or foreign functions may not be called. */
export function openLibc(): Libc | undefined {
  return open(SYMBOLS);
}

/** Opened with the program, since every file may need it, and never closed; undefined as above. */
export const descriptorCalls = open(DESCRIPTOR_SYMBOLS)?.symbols;

function open<Symbols extends Deno.ForeignLibraryInterface>(symbols: Symbols) {
  if (Deno.build.os !== "linux") return undefined;
  try {
    return Deno.dlopen("libc.so.6", symbols);
  } catch {
    return undefined;
  }
}

const F_GETLK = 5;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** struct flock on 64-bit Linux: i16 type, i16 whence (0: from the start), 4 bytes padding, i64 start, i64 length, i32 pid. */
const FLOCK_SIZE = 32;
const machineIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const F_DUPFD_CLOEXEC = 1030;

/** A second descriptor of the same open file, which children do not inherit; undefined where there can be none. */
export function duplicate(descriptor: number): number | undefined {
  const copy = descriptorCalls?.duplicate(descriptor, F_DUPFD_CLOEXEC, 0);
  return copy === undefined || copy < 0 ? undefined : copy;
}

/** Whether another process has locked that byte of the file in any way; undefined where it cannot be told. Takes no lock. */
export function isLockedByOthers(descriptor: number, at: number): boolean | undefined {
  if (descriptorCalls === undefined) return undefined;
  const bytes = new Uint8Array(new ArrayBuffer(FLOCK_SIZE));
  const view = new DataView(bytes.buffer);
  view.setInt16(0, F_WRLCK, machineIsLittleEndian);
  view.setInt32(8, at, machineIsLittleEndian);
  view.setInt32(16, 1, machineIsLittleEndian);
  if (descriptorCalls.getLock(descriptor, F_GETLK, bytes) !== 0) return undefined;
  return view.getInt16(0, machineIsLittleEndian) !== F_UNLCK;
}

const ACCESS_MODES = { read: 4, write: 2 } as const;

/** Whether this process may read or write the file, as the kernel judges it; undefined where it cannot be asked. */
export function mayAccess(path: string, access: keyof typeof ACCESS_MODES): boolean | undefined {
  const libc = openLibc();
  const result = libc?.symbols.access(new TextEncoder().encode(`${path}\0`), ACCESS_MODES[access]);
  libc?.close();
  return result === undefined ? undefined : result === 0;
}
