/** Called in another process. */

/** As a program does that copies its own database: all its locks on the file are gone. */
export function openAndClose(path: string): void {
  Deno.openSync(path).close();
}

const F_SETLK = 6;
const F_WRLCK = 1;
const O_RDWR = 2;

/** Locks one byte until the process ends. */
export function lockForItself(path: string, at: number): void {
  const libc = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  });
  const descriptor = libc.symbols.open(new TextEncoder().encode(`${path}\0`).subarray(), O_RDWR);
  const fields = new BigInt64Array(4);
  fields[1] = BigInt(at);
  fields[2] = 1n;
  const bytes = new Uint8Array(fields.buffer);
  bytes[0] = F_WRLCK;
  if (libc.symbols.fcntl(descriptor, F_SETLK, bytes) !== 0) throw new Error(`byte ${at} is locked`);
}
