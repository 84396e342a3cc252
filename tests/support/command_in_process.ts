/** Runs a command inside the process of the test, on the real files of a folder: for many runs, each of milliseconds. */
import { cleanEnvironment } from "../../lib/base/environment_value.ts";
import { run } from "../../lib/cli/run.ts";
import { type Clock, SystemClock } from "../../lib/platform/clock.ts";
import type { FileHandle, FileSystem } from "../../lib/platform/file_system.ts";
import type { OutputStream, Process } from "../../lib/platform/process.ts";
import type { Platform } from "../../lib/platform/platform.ts";
import { restAnswered } from "./silent_place.ts";
import { unsyncedFiles } from "./unsynced_files.ts";

/** What can be seen of a run from outside: how it ended, what it wrote, and what it did to the world. */
export interface Seen {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Addresses that were told something. */
  readonly pings: readonly string[];
  /** Whether the command waited on purpose. */
  readonly hasWaited: boolean;
  /** How many files were open for reading at the same time. */
  readonly openAtOnce: number;
}

/** It is then in every run, and no time passes but what is waited for: the same words write the same. */
const BEGIN_MS = Date.now();

/** Longer waits are limits that are not meant to be reached; shorter ones are over at once. */
const SHORT_MS = 9_500;

/** What is otherwise than on the machine of the test. */
export interface OtherWorld {
  /** Instead of the real ones. */
  readonly files?: FileSystem;
  /** Waits that are no longer are over at once. */
  readonly shortMs?: number;
  /** They are not over before. */
  readonly shortAfter?: Promise<void>;
  /** As on the machine; else no time passes but what is waited for. */
  readonly timePasses?: boolean;
  readonly onSignal?: Process["onSignal"];
  /** What stdin holds; else nothing. */
  readonly input?: string | undefined;
  /** Instead of opening files of replicas by the system's own. */
  readonly openLater?: (path: string, open: () => Promise<FileHandle>) => Promise<FileHandle>;
}

export async function runInProcess(
  words: readonly string[],
  folder: string,
  environment: Readonly<Record<string, string>>,
  options: OtherWorld = {},
): Promise<Seen> {
  const { onSignal = () => () => {}, openLater = (_path: string, open: () => Promise<FileHandle>) => open() } = options;
  const system = new SystemClock();
  const [pings, files] = [[] as string[], new CountedFiles(openLater)];
  let skippedMs = 0;
  const clock: Clock = {
    now: () => new Date(BEGIN_MS + skippedMs),
    monotonicMs: () => skippedMs + (options.timePasses === true ? system.monotonicMs() : 0),
    yield: () => system.yield(),
    sleep: (ms, signal) => {
      if (ms > (options.shortMs ?? SHORT_MS)) return system.sleep(ms, signal);
      const skip = () => void (skippedMs += ms);
      if (options.shortAfter !== undefined) return options.shortAfter.then(skip);
      return Promise.resolve(skip());
    },
  };
  const platform: Platform = {
    clock,
    files: options.files ?? files.system,
    random: { bytes: (length) => new Uint8Array(length).fill(7) },
    web: {
      post: (address) => Promise.resolve(void pings.push(address.url.reveal())),
      serve: () => unexpected("serve"),
    },
  };
  const [stdout, stderr] = [new Output(true), new Output(false)];
  const process: Process = {
    environment: cleanEnvironment((name) => ({ NO_COLOR: "1", ...environment })[name]),
    currentFolder: () => folder,
    userId: Deno.uid() ?? undefined,
    stdout,
    stderr,
    onSignal,
    spawn: () => unexpected("spawn"),
    adoptOrphans: () => () => {},
    runAgain: async (words, _signal, order) => {
      return { ...await runInProcess(words, folder, environment, { ...options, input: order }), signal: undefined };
    },
    readInput: () => Promise.resolve(options.input ?? ""),
    invocation: ["tailrace"],
    runtimeVersion: Deno.version.deno,
  };
  const code = await run(words, process, platform);
  await restAnswered(platform.files);
  return { code, stdout: stdout.text, stderr: stderr.text, pings, hasWaited: skippedMs > 0, openAtOnce: files.most };
}

function unexpected(what: string): never {
  throw new Error(`nothing here should ${what}`);
}

class Output implements OutputStream {
  text = "";
  readonly isTerminal: boolean;

  constructor(isTerminal: boolean) {
    this.isTerminal = isTerminal;
  }

  write(text: string): void {
    this.text += text;
  }

  columns(): number | undefined {
    return undefined;
  }
}

class CountedFiles {
  readonly system: FileSystem = unsyncedFiles();
  most = 0;
  #open = 0;

  constructor(openLater: NonNullable<OtherWorld["openLater"]>) {
    const systems = this.system.openLater.bind(this.system);
    const open: typeof systems = (...words) => openLater(words[0], () => systems(...words));
    this.system.openLater = async (path, mode, permissions) => {
      if (mode !== "read") return await open(path, mode, permissions);
      this.#open++;
      this.most = Math.max(this.most, this.#open);
      return this.#counted(await open(path, mode, permissions));
    };
  }

  #counted(handle: FileHandle): FileHandle {
    const [close, closeLater] = [handle.close.bind(handle), handle.closeLater.bind(handle)];
    let isOpen = true;
    const ended = () => {
      if (isOpen) this.#open--;
      isOpen = false;
    };
    return Object.assign(handle, {
      close: () => (ended(), close()),
      closeLater: () => (ended(), closeLater()),
    });
  }
}
