/** The POSIX locks on a file, as `/proc/locks` shows them; reading that opens no file of the database. */
import { formatDevice, readLocks } from "../../lib/platform/open_files.ts";

export interface FileLockEntry {
  readonly pid: number;
  readonly access: "READ" | "WRITE";
  /** First and last byte. */
  readonly start: number;
  readonly end: number;
}

/** Bytes of `-shm` that stand for the locks of a WAL database. */
export const LockByte = {
  write: 120,
  checkpoint: 121,
  recover: 122,
  /** Slot k is byte 123 + k. */
  firstSlot: 123,
  lastSlot: 127,
  /** Every connection in WAL mode holds it shared. */
  alive: 128,
} as const;

/** Of processes, as SQLite takes them; or of open files, which belong to no process: then `pid` is -1. */
export function locksOn(path: string, kind: "POSIX" | "OFDLCK" = "POSIX"): readonly FileLockEntry[] {
  const { dev, ino } = Deno.statSync(path);
  const file = `${formatDevice(dev)}:${ino}`;
  const locks = new Map<string, FileLockEntry>();
  for (const line of readLocks().split("\n")) {
    const [, type, , access, pid, lockedFile, start, end] = line.trim().split(/\s+/);
    if (type !== kind || lockedFile !== file) continue;
    const lock = { pid: Number(pid), access: access === "WRITE" ? "WRITE" : "READ", start: Number(start) } as const;
    locks.set(`${access} ${pid} ${start} ${end}`, { ...lock, end: end === "EOF" ? Infinity : Number(end) });
  }
  return [...locks.values()];
}

/** Slots 0 to 4 that the process holds shared, on the `-shm` of a database; adjacent ones may be listed as one lock. */
export function heldSlots(shmPath: string, pid: number): readonly number[] {
  const slots: number[] = [];
  for (let byte = LockByte.firstSlot; byte <= LockByte.lastSlot; byte++) {
    if (isLocked(shmPath, pid, byte, "READ")) slots.push(byte - LockByte.firstSlot);
  }
  return slots;
}

export function isLocked(path: string, pid: number, byte: number, access: "READ" | "WRITE"): boolean {
  return locksOn(path).some((lock) =>
    lock.pid === pid && lock.access === access && lock.start <= byte && byte <= lock.end
  );
}
