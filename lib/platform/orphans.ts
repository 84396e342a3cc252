/**
 * The first process of a container becomes the parent of every process there that loses its own, and so does one that has
 * asked for it. When such an orphan ends, the system keeps its number until its parent asks how it ended: else it stays for
 * ever, as a zombie. Our own children are none of this: the run-time asks about them, and only one can.
 */
const SYMBOLS = {
  prctl: { parameters: ["i32", "buffer", "u64", "u64", "u64"], result: "i32" },
  waitid: { parameters: ["i32", "u32", "buffer", "i32"], result: "i32" },
} as const;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>;

const PR_GET_CHILD_SUBREAPER = 37;

const P_ALL = 0;
const P_PID = 1;
const WNOHANG = 1;
const WEXITED = 4;
/** It looks, and leaves the process to be asked about again. */
const WNOWAIT = 0x1000000;

/** siginfo_t, whose process stands at 16; the bytes are 0 when nobody has ended. */
const SIGINFO_BYTES = 128;
const PROCESS_WORD = 4;

/** The run-time asks about a child of ours as soon as it hears that one has ended; who ended behind it waits so long. */
const OURS_FIRST_MS = 20;

/** From here on orphans are asked about where that is up to this process; what is returned ends that. */
export function adoptOrphans(isOurs: (pid: number) => boolean): () => void {
  const libc = Deno.build.os === "linux" ? openLibc() : undefined;
  if (libc === undefined) return () => {};
  if (Deno.pid !== 1 && !isSubreaper(libc)) {
    libc.close();
    return () => {};
  }
  const orphans = new Orphans(libc, isOurs);
  Deno.addSignalListener("SIGCHLD", orphans.look);
  orphans.look();
  return () => {
    Deno.removeSignalListener("SIGCHLD", orphans.look);
    orphans.close();
  };
}

class Orphans {
  readonly #libc: Libc;
  readonly #isOurs: (pid: number) => boolean;
  readonly #found = new Int32Array(new ArrayBuffer(SIGINFO_BYTES));
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(libc: Libc, isOurs: (pid: number) => boolean) {
    this.#libc = libc;
    this.#isOurs = isOurs;
  }

  readonly look = (): void => {
    clearTimeout(this.#again);
    for (;;) {
      const pid = this.#wait(P_ALL, 0, WNOWAIT);
      if (pid === 0) return;
      if (this.#isOurs(pid)) {
        this.#again = setTimeout(this.look, OURS_FIRST_MS);
        return;
      }
      this.#wait(P_PID, pid, 0);
    }
  };

  close(): void {
    clearTimeout(this.#again);
    this.#libc.close();
  }

  /** A process that has ended; 0 when there is none. */
  #wait(which: number, pid: number, options: number): number {
    this.#found.fill(0);
    const bytes = new Uint8Array(this.#found.buffer);
    const isFound = this.#libc.symbols.waitid(which, pid, bytes, WEXITED | WNOHANG | options) === 0;
    return isFound ? this.#found[PROCESS_WORD] ?? 0 : 0;
  }
}

function isSubreaper(libc: Libc): boolean {
  const answer = new Int32Array(new ArrayBuffer(4));
  return libc.symbols.prctl(PR_GET_CHILD_SUBREAPER, new Uint8Array(answer.buffer), 0n, 0n, 0n) === 0 && answer[0] !== 0;
}

function openLibc(): Libc | undefined {
  try {
    return Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return undefined; // Foreign functions may not be called.
  }
}
