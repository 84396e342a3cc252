/** What another process does that keeps everybody from reading a database; called in it by name. */
const F_SETLK = 6;
const F_WRLCK = 1;
/** The locks of writers, of checkpoints and of recovery. */
const FIRST_BYTE = 120n;
const BYTES = 3n;

/** As a connection does that recovers a WAL, and never comes to an end. */
export function recoverForEver(path: string): void {
  const file = Deno.openSync(`${path}-shm`, { read: true, write: true });
  file.writeSync(new Uint8Array(96)); // Nothing is initialised.
  const { symbols } = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  });
  const lock = new BigInt64Array(4);
  lock[0] = BigInt(F_WRLCK);
  lock[1] = FIRST_BYTE;
  lock[2] = BYTES;
  const descriptor = symbols.open(new TextEncoder().encode(`${path}-shm\0`).subarray(), 2);
  if (symbols.fcntl(descriptor, F_SETLK, new Uint8Array(lock.buffer)) !== 0) throw new Error("it is locked already");
}
