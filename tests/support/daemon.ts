/** The real program, replicating, as a process of its own: what it says, how it is stopped, how it ends. */
import { type Program, testedProgram } from "./program.ts";

/** Something has hung, on whatever machine. */
const PATIENCE_MS = 120_000;

export interface DaemonOptions {
  /** Before the database and the replicas. */
  readonly flags?: readonly string[];
  /** Words before the program's own: another program that starts it. */
  readonly wrapper?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Instead of the one that is tested. */
  readonly program?: Program;
}

/** Replicates one database to one folder. */
export function startDaemon(database: string, replica: string, options: DaemonOptions = {}): Daemon {
  return startReplicate([...(options.flags ?? []), database, `file://${replica}`], options);
}

/** Runs `replicate` with these words. */
export function startReplicate(words: readonly string[], options: DaemonOptions = {}): Daemon {
  const { wrapper = [], program = testedProgram } = options;
  const [command = "", ...args] = [...wrapper, program.command, ...program.parameters, "replicate", ...words];
  const child = new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { ...program.environment, ...options.environment },
    ...(options.user ?? {}),
  }).spawn();
  return new Daemon(child);
}

export class Daemon implements AsyncDisposable {
  /** What it has written on stderr so far, whole lines. */
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  #hasEnded = false;

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#read = this.#readLines();
  }

  get pid(): number {
    return this.#child.pid;
  }

  get text(): string {
    return this.lines.join("\n");
  }

  /** Lines that hold the text. */
  saying(text: string): readonly string[] {
    return this.lines.filter((line) => line.includes(text));
  }

  /** Resolves with the first line that holds the text, among those after the first so many. */
  async line(text: string, after = 0): Promise<string> {
    const find = () => this.lines.slice(after).find((line) => line.includes(text));
    await this.until(() => find() !== undefined, `a line with "${text}"`);
    return find() ?? "";
  }

  /** Following, with the first snapshot done or the replica's own found. */
  async ready(): Promise<void> {
    await this.line("Following");
  }

  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!await condition()) {
      if (this.#hasEnded && !await condition()) throw new Error(`The daemon ended before ${what}:\n${this.text}`);
      if (performance.now() > deadline) throw new Error(`Waited ${PATIENCE_MS} ms for ${what}:\n${this.text}`);
      await sleep(5);
    }
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** Does the work while the process stands still, which then meets all of it at once. */
  async whileStopped<T>(work: () => T): Promise<T> {
    this.signal("SIGSTOP");
    const state = () => Deno.readTextFileSync(`/proc/${this.pid}/stat`).split(") ")[1]?.[0];
    await this.until(() => state() === "T", "the daemon to be stopped");
    const result = work();
    this.signal("SIGCONT");
    return result;
  }

  /** The exit code; a child of its own may still write. */
  async exitCode(): Promise<number> {
    return (await this.#child.status).code;
  }

  /** The exit code, with everything read that was written. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#read;
    return code;
  }

  /** Sends the signal and resolves with the exit code. */
  async stop(name: Deno.Signal = "SIGTERM"): Promise<number> {
    this.signal(name);
    return await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    await this.ended();
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      this.lines.push(...parts);
    }
    if (rest !== "") this.lines.push(rest);
    this.#hasEnded = true;
  }
}

/**
 * Warnings and errors among the lines of a log. How long a lock is held is for the machine to say, which runs other tests
 * beside this one; serial tests hold the program to its budget.
 */
export function linesAmiss(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => / (WARN|ERROR) /.test(line) && !line.includes("The write lock was held longer"));
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for something outside of any daemon. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${PATIENCE_MS} ms for ${what}`);
    await sleep(5);
  }
}
