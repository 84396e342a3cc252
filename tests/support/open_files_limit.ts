/** The limit on the open files of a process that runs, as `prlimit` sets it. */

const RLIMIT_NOFILE = 7;
/** Stays: it may be needed when nothing more can be opened. */
const libc = Deno.dlopen("libc.so.6", {
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
});

/** Sets the soft limit, and gives back the former one. */
export function limitOpenFiles(pid: number, count: number): number {
  const before = limitsOf(pid, null);
  limitsOf(pid, BigUint64Array.of(BigInt(count), before[1] ?? 0n));
  return Number(before[0]);
}

export function openFilesOf(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Soft and hard limit as they were. */
function limitsOf(pid: number, next: BigUint64Array<ArrayBuffer> | null): BigUint64Array {
  const before = new BigUint64Array(2);
  const bytes = next === null ? null : new Uint8Array(next.buffer);
  const result = libc.symbols.prlimit(pid, RLIMIT_NOFILE, bytes, new Uint8Array(before.buffer));
  if (result !== 0) throw new Error(`the limit of process ${pid} cannot be set`);
  return before;
}
