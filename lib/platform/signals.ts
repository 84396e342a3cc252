/**
 * What signals do to this process before anybody asks for them. By default some end it without a word, and one opens the
 * run-time's debugger to everybody on this machine.
 *
 * The run-time takes some signals for itself, SIGUSR1 half a second after the start. It asks the system for each of them
 * once: what the C library is told behind that stays, and whoever listens in the run-time afterwards hears nothing. A
 * handler is not handed on to children, as ignoring is: theirs is the system's default.
 */
const SYMBOLS = {
  signal: { parameters: ["i32", "pointer"], result: "pointer" },
  /** A function that a signal may call at any moment, and that does nothing: `int abs(int)`. */
  abs: { type: "pointer" },
} as const;

const SIGHUP = 1;
const SIGUSR1 = 10;
const SIG_IGN = 1n;

/** To be called before anything else, once. */
export function settleSignals(): void {
  if (Deno.build.os !== "linux") return;
  const isHangUpIgnored = isIgnored(SIGHUP); // With its first listener the run-time takes this signal as well.
  // A file that would exceed RLIMIT_FSIZE is an error of its write then, as a full disk is.
  Deno.addSignalListener("SIGXFSZ", nothing);
  const libc = openLibc();
  if (libc === undefined) return;
  pin(libc, "SIGUSR1", SIGUSR1, libc.abs);
  if (isHangUpIgnored) pin(libc, "SIGHUP", SIGHUP, Deno.UnsafePointer.create(SIG_IGN)); // By `nohup`.
}

/** Whether whoever started this process has it ignore the signal. */
function isIgnored(signal: number): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) >> BigInt(signal - 1) & 1n) === 1n;
}

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

function openLibc(): Libc | undefined {
  try {
    return Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  } catch {
    return undefined; // Foreign functions may not be called.
  }
}

/** The run-time's handler first, so that it is put in no more. */
function pin(libc: Libc, name: Deno.Signal, number: number, handler: Deno.PointerValue): void {
  Deno.addSignalListener(name, nothing);
  libc.signal(number, handler);
}

function nothing(): void {}
