/**
 * Which other processes have a file open, as Linux tells in `/proc`: by their descriptors where we may look at them, and by
 * the POSIX locks on the file, which are listed for everybody. A line of `/proc/locks`:
 *
 *     4: POSIX  ADVISORY  READ 1234 fe:00:9977924 128 128
 *
 * number, type, kind, access, process, device (major:minor in hex) and inode, first and last byte. The line of one who waits
 * has `->` after the number. Nothing is opened but files of `/proc`.
 */
import type { Stats } from "node:fs";
import { basename } from "../base/path.ts";
import { fileError, translated } from "./file_error.ts";
import { node } from "./node_modules.ts";
import { isOutOfDescriptors } from "./spare_descriptors.ts";

const LOCK_READS = 3;

export interface FileUser {
  readonly pid: number;
  readonly command: string;
}

/** Empty on systems other than Linux: nobody is known, which is not the same as nobody is there. */
export function whoHasOpen(path: string): readonly FileUser[] {
  if (Deno.build.os !== "linux") return [];
  const file = node.fs.statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return [];
  const users = new Set(lockHolders(readLocks(), file.dev, file.ino));
  for (const pid of processes()) if (hasOpen(pid, file)) users.add(pid);
  users.delete(Deno.pid);
  return [...users].sort((a, b) => a - b).map((pid) => ({ pid, command: commandOf(pid) }));
}

/**
 * The text of `/proc/locks`, read more than once: the kernel hands it out in pieces, and skips a line when a lock that stood
 * before it goes in between. Lines appear more than once; the numbers they begin with mean nothing.
 */
export function readLocks(): string {
  let text = "";
  for (let i = 0; i < LOCK_READS; i++) text += `${readProc("locks") ?? ""}\n`;
  return text;
}

/** The process that has a file of ours locked as a whole (`FileSystem.tryLock`); undefined when none has, or nobody tells. */
export function lockHolder(path: string): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const file = unlessGone(() => Deno.statSync(path), undefined);
  return file === undefined ? undefined : lockHolders(readLocks(), file.dev, file.ino ?? 0, "FLOCK")[0];
}

/** The processes that hold a POSIX lock on that byte of the file; empty where nobody tells. */
export function whoHasLocked(path: string, byte: number, locks = readLocks()): readonly FileUser[] {
  if (Deno.build.os !== "linux") return [];
  const file = node.fs.statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return [];
  const wanted = `${formatDevice(file.dev)}:${file.ino}`;
  const pids = new Set<number>();
  for (const line of locks.split("\n")) {
    const [, type, , , pid, locked, start, end] = line.trim().split(/\s+/);
    if (type !== "POSIX" || locked !== wanted || !(Number(pid) > 0)) continue;
    if (Number(start) <= byte && (end === "EOF" || byte <= Number(end))) pids.add(Number(pid));
  }
  pids.delete(Deno.pid);
  return [...pids].sort((a, b) => a - b).map((pid) => ({ pid, command: commandOf(pid) }));
}

/** The processes that hold or await a lock of that type on the file, from the text of `/proc/locks`. */
export function lockHolders(
  locks: string,
  device: number,
  inode: number,
  wantedType: "POSIX" | "FLOCK" = "POSIX",
): readonly number[] {
  const wanted = `${formatDevice(device)}:${inode}`;
  const holders = new Set<number>();
  for (const line of locks.split("\n")) {
    const [, type, , , pid, file] = line.replace("-> ", "").trim().split(/\s+/);
    if (type === wantedType && file === wanted && Number(pid) > 0) holders.add(Number(pid));
  }
  return [...holders];
}

/** Linux packs 12 bits of the major number above 8 of the minor, and the rest of both above these. */
export function formatDevice(device: number): string {
  const packed = BigInt(device);
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn);
  const minor = (packed & 0xffn) | ((packed >> 12n) & 0xffffff00n);
  return `${hex2(major)}:${hex2(minor)}`;
}

function hex2(value: bigint): string {
  return value.toString(16).padStart(2, "0");
}

function processes(): readonly number[] {
  const names = translated("list", "/proc", () => node.fs.readdirSync("/proc"));
  return names.filter((name) => /^[0-9]+$/.test(name)).map(Number);
}

function hasOpen(pid: number, file: Stats): boolean {
  const folder = `/proc/${pid}/fd`;
  return unlessGone(() => node.fs.readdirSync(folder), []).some((descriptor) => {
    const open = unlessGone(() => node.fs.statSync(`${folder}/${descriptor}`, { throwIfNoEntry: false }), undefined);
    return open !== undefined && open.ino === file.ino && open.dev === file.dev;
  });
}

/** The name of the program as it was started; a process may have renamed its threads. */
function commandOf(pid: number): string {
  const [program = ""] = (readProc(`${pid}/cmdline`) ?? "").split("\0");
  return basename(program) || (readProc(`${pid}/comm`) ?? "").trim();
}

function readProc(name: string): string | undefined {
  return unlessGone(() => node.fs.readFileSync(`/proc/${name}`, "utf8"), undefined);
}

/** Processes end, and others' descriptors may not be looked at, while we walk over them. */
function unlessGone<Result>(look: () => Result, otherwise: Result): Result {
  try {
    return look();
  } catch (error) {
    if (isOutOfDescriptors(error)) throw fileError("look at", "/proc", error); // Nobody was asked, which is no answer.
    return otherwise;
  }
}
