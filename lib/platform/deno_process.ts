import { cleanEnvironment } from "../base/environment_value.ts";
import { product } from "../base/product.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { fileError, translated } from "./file_error.ts";
import { adoptOrphans } from "./orphans.ts";
import { OutputQueue } from "./output_queue.ts";
import { isOutOfDescriptors } from "./spare_descriptors.ts";
import {
  type ChildHandle,
  type ChildOutput,
  type OutputStream,
  type Process,
  STOP_SIGNALS,
  type StopSignal,
} from "./process.ts";

interface Terminal {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/** Shared with nobody: waiting on it is a sleep that needs no event loop. */
const PAUSE = new Int32Array(new SharedArrayBuffer(4));
const FULL_PIPE_PAUSE_MS = 1;

const environment = cleanEnvironment((name) => Deno.env.get(name));

const isLinux = Deno.build.os === "linux";

/** The path by which it was started: when an upgrade puts another file there, the system calls ours `<path> (deleted)`. */
const EXECUTABLE = Deno.execPath();

class DenoOutput implements OutputStream {
  readonly #terminal: Terminal;
  readonly #name: string;
  readonly #mayFail: boolean;
  #closed = false;
  #queue: OutputQueue | undefined;

  constructor(terminal: Terminal, name: string, mayFail: boolean) {
    this.#terminal = terminal;
    this.#name = name;
    this.#mayFail = mayFail;
  }

  /** Synchronous, because what is only queued is lost when the program ends by `Deno.exit`. */
  write(text: string): void {
    if (this.#queue !== undefined) {
      if (!this.#closed) this.#queue.add(text);
      return;
    }
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0 && !this.#closed) {
      try {
        rest = rest.subarray(this.#terminal.writeSync(rest));
      } catch (error) {
        if (this.#isLost(error)) return;
      }
    }
  }

  neverWait(lost: (lines: number) => void): void {
    this.#queue ??= new OutputQueue({
      write: (bytes) => this.#closed ? Promise.resolve(bytes.length) : this.#terminal.write(bytes),
      hasFailed: async (error) => {
        if (!(error instanceof Deno.errors.WouldBlock)) return this.#isLost(error);
        await pause(FULL_PIPE_PAUSE_MS);
        return false;
      },
      lost,
    });
  }

  /** Resolves when all is delivered, or the reader takes nothing for a while. */
  async drain(): Promise<void> {
    const queue = this.#queue;
    if (queue === undefined) return;
    const drained = queue.drained().then(() => "drained" as const);
    for (let before = -1; before < queue.writtenBytes;) {
      before = queue.writtenBytes;
      if (await Promise.race([drained, pause(limits.outputStillMaxMs)]) === "drained") return;
    }
  }

  /** Of a program that ends at once. Where others wait to be read, nobody reads. */
  writeLast(text: string): void {
    if (this.#queue !== undefined && !this.#queue.isEmpty) return;
    this.#queue = undefined;
    this.write(text);
  }

  get isTerminal(): boolean {
    return this.#terminal.isTerminal();
  }

  columns(): number | undefined {
    if (!this.isTerminal) return undefined;
    try {
      return Deno.consoleSize().columns;
    } catch {
      return undefined; // Another of our outputs is the terminal's only known size, or it has none.
    }
  }

  /** Whether what is left of the text cannot be delivered. */
  #isLost(error: unknown): boolean {
    if (error instanceof Deno.errors.WouldBlock) {
      Atomics.wait(PAUSE, 0, 0, FULL_PIPE_PAUSE_MS); // A pipe that somebody made non-blocking is full.
      return false;
    }
    const isReaderGone = error instanceof Deno.errors.BrokenPipe;
    this.#closed = isReaderGone || !this.#mayFail; // The log of a full disk goes on when there is space again.
    if (this.#closed && !isReaderGone) {
      throw new ReplicationError("failed", `Cannot write to ${this.#name}: ${messageOf(error)}`, { cause: error });
    }
    return true;
  }
}

export class DenoProcess implements Process {
  readonly stdout: OutputStream = new DenoOutput(Deno.stdout, "stdout", false);
  /** Messages that cannot be delivered must not stop replication. */
  readonly stderr: DenoOutput = new DenoOutput(Deno.stderr, "stderr", true);
  readonly runtimeVersion: string = Deno.version.deno;
  readonly userId: number | undefined = Deno.uid() ?? undefined;
  readonly environment = environment;

  /** Children that the run-time has not told the end of. */
  readonly #children = new Set<number>();

  get invocation(): readonly string[] {
    const named = environment(COMMAND_VARIABLE)?.text ?? "";
    if (named !== "") return named.split(" ");
    if (isOnPath(product.name)) return [product.name];
    return [EXECUTABLE, ...runtimeWords([]).map(asPath)];
  }

  currentFolder(): string {
    return Deno.cwd();
  }

  onSignal(callback: (name: StopSignal) => void): () => void {
    const names = (Object.keys(STOP_SIGNALS) as StopSignal[]).filter((name) => name !== "SIGPWR" || isLinux);
    const listeners = names.map((name) => ({ name, listener: () => callback(name) }));
    for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
    return () => {
      for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
    };
  }

  adoptOrphans(): () => void {
    return adoptOrphans((pid) => this.#children.has(pid));
  }

  async readInput(): Promise<string> {
    return await new Response(Deno.stdin.readable).text();
  }

  async runAgain(words: readonly string[], signal: AbortSignal, order?: string): Promise<ChildOutput> {
    const command = new Deno.Command(EXECUTABLE, {
      args: runtimeWords(words),
      stdin: order === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      ...(order === undefined ? {} : { clearEnv: true, env: runtimeEnvironment() }),
    });
    const child = this.#noted(spawnAgain(command));
    if (order !== undefined) handOver(child, order);
    const kill = () => killIfThere(child, "SIGKILL");
    signal.addEventListener("abort", kill);
    try {
      if (signal.aborted) kill();
      const { code, signal: endedBy, stdout, stderr } = await child.output();
      const decoder = new TextDecoder();
      return { code, signal: endedBy ?? undefined, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
    } finally {
      signal.removeEventListener("abort", kill);
    }
  }

  spawn(command: string, arguments_: readonly string[]): ChildHandle {
    const isApart = isInForeground();
    const child = this.#noted(startChild(command, arguments_, isApart));
    return {
      status: child.status.then(({ code, signal }) => ({ code, signal: signal ?? undefined })),
      kill: (signal) => {
        if (!isApart || !TERMINAL_SIGNALS.includes(signal)) killIfThere(child, signal);
        else if (this.#children.has(child.pid)) killGroupIfThere(child.pid, signal);
      },
    };
  }

  #noted(child: Deno.ChildProcess): Deno.ChildProcess {
    this.#children.add(child.pid);
    const forget = () => this.#children.delete(child.pid);
    child.status.then(forget, forget);
    return child;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function asPath(word: string): string {
  return word.startsWith("file://") ? decodeURIComponent(new URL(word).pathname) : word;
}

/** A wrapper that starts this program says by it how it is called. */
const COMMAND_VARIABLE = `${product.name.toUpperCase()}_COMMAND`;

function isOnPath(name: string): boolean {
  const folders = (environment("PATH")?.text ?? "").split(":").filter((folder) => folder.startsWith("/"));
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}

function spawnAgain(command: Deno.Command): Deno.ChildProcess {
  try {
    return command.spawn();
  } catch (error) {
    throw passingTrouble("this program once more", error) ?? fileError("start", "this program once more", error);
  }
}

/**
 * An executable is its own program; else the run-time is told which one. The one file needs no config of Deno's, and takes
 * none that lies beside it by chance.
 */
function runtimeWords(words: readonly string[]): string[] {
  if (Deno.build.standalone) return [...words];
  const alone = Deno.mainModule.endsWith(".js") ? ["--no-config"] : [];
  return ["run", "--allow-all", "--quiet", ...alone, Deno.mainModule, ...words];
}

/** Where Deno finds its cache and the system its libraries, and where SQLite puts what it sorts. */
const RUNTIME_VARIABLES = ["HOME", "XDG_CACHE_HOME", "DENO_DIR", "LD_LIBRARY_PATH", "TMPDIR", "SQLITE_TMPDIR"];

function runtimeEnvironment(): Record<string, string> {
  return Object.fromEntries(RUNTIME_VARIABLES.flatMap((name) => {
    const value = environment(name);
    return value === undefined ? [] : [[name, value.text]];
  }));
}

/** Beside the reading of what it writes: it may write before it has read all. One that ends early says why by itself. */
function handOver(child: Deno.ChildProcess, order: string): void {
  new Blob([order]).stream().pipeTo(child.stdin).catch(() => {});
}

/** What a terminal sends to all that runs in its foreground, also to what a child has started. */
const TERMINAL_SIGNALS: readonly string[] = ["SIGINT", "SIGQUIT", "SIGHUP"];

/** Whether a terminal sends its signals to us, and to whatever we start. */
function isInForeground(): boolean {
  if (!isLinux) return false;
  const status = translated("read", "/proc/self/stat", () => Deno.readTextFileSync("/proc/self/stat"));
  const fields = status.split(") ").at(-1)?.split(" ") ?? [];
  const [, , group, , terminal, foreground] = fields;
  return terminal !== "0" && group === foreground;
}

/** `isApart`: in a session of its own, so that a terminal's signals reach it by us alone. */
function startChild(command: string, arguments_: readonly string[], isApart: boolean): Deno.ChildProcess {
  try {
    return new Deno.Command(command, {
      args: [...arguments_],
      detached: isApart,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
  } catch (error) {
    const passing = passingTrouble(`the program ${command}`, error);
    if (passing !== undefined) throw passing;
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such program (neither at that path nor in PATH)"
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied (is it executable?)"
      : messageOf(error);
    throw new ReplicationError("usage", `Cannot start the program ${command}: ${reason}`, { cause: error });
  }
}

/** What is nobody's mistake, and may be otherwise soon: the system has no room for one more process, or for its pipes. */
function passingTrouble(subject: string, error: unknown): ReplicationError | undefined {
  if (isOutOfDescriptors(error)) return fileError("start", subject, error);
  const [, number = ""] = /\(os error (\d+)\)/.exec(messageOf(error)) ?? [];
  const [reason, advice] = NO_ROOM[number] ?? [];
  if (reason === undefined) return undefined;
  return new ReplicationError("unavailable", `Cannot start ${subject}: ${reason}`, {
    cause: error,
    ...(advice === undefined ? {} : { advice }),
  });
}

/** By the numbers of EAGAIN, ENOMEM and ETXTBSY. */
const NO_ROOM: Readonly<Record<string, readonly [reason: string, advice?: string]>> = {
  "11": [
    "there are too many processes and threads",
    "raise the limit on processes (ulimit -u, or TasksMax= of the systemd unit)",
  ],
  "12": ["there is not enough memory", "make room in memory, or raise its limit (MemoryMax= of the systemd unit)"],
  "26": ["its file is being written"],
};

function killIfThere(child: Deno.ChildProcess, signal: StopSignal | "SIGKILL"): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!hasEnded(error)) throw error;
  }
}

function killGroupIfThere(pid: number, signal: StopSignal | "SIGKILL"): void {
  try {
    Deno.kill(-pid, signal);
  } catch (error) {
    if (!hasEnded(error)) throw error;
  }
}

/** Deno says "Child process has already terminated" by a TypeError, the system by ESRCH. */
function hasEnded(error: unknown): boolean {
  return error instanceof TypeError || error instanceof Deno.errors.NotFound;
}
