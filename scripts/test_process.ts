/**
 * Runs a part of a test run as a child: what it prints is passed on as it comes and counted, and the count is there also
 * when the child, or this process, is ended. There is a limit for silence, none for slowness.
 */
import { messageOf } from "../lib/base/errors.ts";
import { complain, ROOT, say, write } from "./project.ts";
import { addUp, type Counts, countsOf, exitCodeFor, formatCounts, TapReader } from "./tap.ts";

/** More than a single test may take before it is given up (`scripts/test_preload.ts`), so that this is the last resort. */
const SILENCE_LIMIT_MS = 1_000_000;
const PRELOAD = `${ROOT}/scripts/test_preload.ts`;

export interface Part {
  /** Of Deno. */
  readonly parameters: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly silenceLimitMs?: number;
}

/** Shows a line of the child's stdout, whatever it makes of it. */
type ReadLine = (line: string) => readonly string[];

/** What the run has counted so far, for whoever ends it early. */
export class TestRun {
  #ended: Counts[] = [];
  #failures: string[] = [];
  #current: TapReader | undefined;
  #child: Deno.ChildProcess | undefined;

  /** All that was seen, that of an unfinished part included. */
  get counts(): readonly Counts[] {
    return this.#current === undefined ? this.#ended : [...this.#ended, this.#current.counts];
  }

  /** Each test and check that failed so far, with how its reason begins: what is hard to find in thousands of lines. */
  get failures(): readonly string[] {
    return [...this.#failures, ...this.#current?.failures ?? []];
  }

  add(counts: Counts): void {
    this.#ended.push(counts);
  }

  /** `deno test` with these flags and modules. */
  async test({ parameters, ...part }: Part): Promise<void> {
    const reader = new TapReader();
    this.#current = reader;
    const all = ["test", "--allow-all", "--reporter=tap", "--preload", PRELOAD, ...parameters];
    const code = await this.#run({ ...part, parameters: all }, (line) => reader.read(line));
    for (const line of reader.end()) say(line);
    this.#current = undefined;
    this.#failures.push(...reader.failures);
    if (code !== 0 && reader.counts.failed === 0) complain(`deno test ended with ${code}, and no test had failed`);
    this.add(countsOf(code, reader.counts));
  }

  /** A check that prints what it finds; one that fails is one failure. */
  async check(name: string, part: Part): Promise<void> {
    const code = await this.#run(part, (line) => [line]);
    if (code !== 0) {
      this.#failures.push(`the check "${name}": deno ${part.parameters.join(" ")}`);
      complain(`The check "${name}" failed: deno ${part.parameters.join(" ")}`);
    }
    this.add({ passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 });
  }

  /** Ends what is under way, with everything it has started. */
  kill(): void {
    if (this.#child !== undefined) killGroup(this.#child);
  }

  async #run({ parameters, environment, silenceLimitMs = SILENCE_LIMIT_MS }: Part, read: ReadLine): Promise<number> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...parameters],
      cwd: ROOT,
      env: environment,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true, // A group of its own, which can be ended whole.
    }).spawn();
    this.#child = child;
    let heardAt = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - heardAt < silenceLimitMs) return;
      complain(`Cannot finish this part: it said nothing for ${silenceLimitMs / 1_000} seconds, and was ended`);
      killGroup(child);
      heardAt = performance.now();
    }, Math.min(1_000, silenceLimitMs));
    const heard = (text: string) => {
      heardAt = performance.now();
      return text;
    };
    const stdout = eachLine(child.stdout, (line) => read(heard(line)).forEach(say));
    const stderr = eachLine(child.stderr, (line) => write(Deno.stderr, `${heard(line)}\n`));
    const { code } = await child.status;
    killGroup(child); // Whatever it left behind would hold its streams open.
    await Promise.all([stdout, stderr]);
    clearInterval(watch);
    this.#child = undefined;
    return code;
  }
}

async function eachLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>, take: (line: string) => void): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  }
  if (rest !== "") take(rest);
}

export function killGroup(child: Deno.ChildProcess): void {
  try {
    Deno.kill(-child.pid, "SIGKILL");
  } catch {
    // All of it has ended by itself.
  }
}

/** Does the work, then prints the sum as the last line; also when a signal ends it before. Resolves to the exit code. */
export async function countedRun(work: (run: TestRun) => Promise<void>): Promise<number> {
  const run = new TestRun();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      run.kill();
      complain(`Ended by ${signal} before all tests had run`);
      run.add({ passed: 0, failed: 1, skipped: 0 });
      Deno.exit(conclude(run));
    });
  }
  try {
    await work(run);
  } catch (error) {
    complain(messageOf(error));
    run.add({ passed: 0, failed: 1, skipped: 0 });
  }
  return conclude(run);
}

function conclude(run: TestRun): number {
  const total = addUp(run.counts);
  if (total.passed + total.failed === 0) complain("Cannot run the tests: none match");
  if (run.failures.length > 0) say(`\nWhat failed:\n  ${run.failures.join("\n").replaceAll("\n", "\n  ")}\n`);
  say(formatCounts(total));
  return exitCodeFor(total);
}
