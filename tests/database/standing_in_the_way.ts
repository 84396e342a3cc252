/** What another process does that keeps everybody from reading a database; called in it by name. */
const F_SETLK = 6;
const F_WRLCK = 1;
/** The locks of writers, of checkpoints and of recovery. */
const FIRST_BYTE = 120n;
const BYTES = 3n;

/** The writer's lock, and the first slot of readers. */
const WRITE_AT = 120n;
const FIRST_SLOT_AT = 123n;
const COPY_SIZE = 48;
const MAX_FRAME_AT = 16;
const MARKS_AT = 100;

/** As a writer that was stopped between the two copies of the header. */
export function stopBetweenCopies(path: string): void {
  const file = Deno.openSync(`${path}-shm`, { read: true, write: true });
  lockForItself(path, WRITE_AT, 1n);
  const header = new Uint8Array(COPY_SIZE);
  file.readSync(header);
  header[8] = (header[8] ?? 0) ^ 255; // The change counter; a writer writes the second copy first.
  file.seekSync(COPY_SIZE, Deno.SeekMode.Start);
  file.writeSync(header);
}

/** As a reader that was stopped when it had just set the mark of a slot to all that is committed. */
export function stopAtSlot(path: string, slot: number): void {
  const file = Deno.openSync(`${path}-shm`, { read: true, write: true });
  lockForItself(path, FIRST_SLOT_AT + BigInt(slot), 1n);
  const mark = new Uint8Array(4);
  file.seekSync(MAX_FRAME_AT, Deno.SeekMode.Start);
  file.readSync(mark);
  file.seekSync(MARKS_AT + 4 * slot, Deno.SeekMode.Start);
  file.writeSync(mark);
}

/** As a connection does that recovers a WAL, and never comes to an end. */
export function recoverForEver(path: string): void {
  const file = Deno.openSync(`${path}-shm`, { read: true, write: true });
  file.writeSync(new Uint8Array(96)); // Nothing is initialised.
  lockForItself(path, FIRST_BYTE, BYTES);
}

/** Until the process ends. */
function lockForItself(path: string, at: bigint, bytes: bigint): void {
  const { symbols } = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  });
  const lock = new BigInt64Array(4);
  lock[0] = BigInt(F_WRLCK);
  lock[1] = at;
  lock[2] = bytes;
  const descriptor = symbols.open(new TextEncoder().encode(`${path}-shm\0`).subarray(), 2);
  if (symbols.fcntl(descriptor, F_SETLK, new Uint8Array(lock.buffer)) !== 0) throw new Error("it is locked already");
}
