/**
 * `deno task test [paths and flags of deno test]`: everything that CI runs, set-up included, and as its last line
 * `N passed, N failed`. With paths only these tests run, without the checks of the source.
 *
 * Test modules run side by side, as threads of one process. Those that count what belongs to the process (locks,
 * descriptors, memory), or measure time, are named `*_serial_test.ts` and run one after the other, alone. Those that take
 * minutes are named `*_long_test.ts` and belong to `deno task test:long`; those that need the real Litestream are named
 * `*_litestream_test.ts` and belong to `deno task test:litestream`.
 */
import { complain, listFiles, ROOT, say, write } from "./project.ts";
import { setUp } from "./setup.ts";

/** CI gives us 12 minutes; tests that hang must fail before somebody else ends them without a word. */
export const RUN_LIMIT_MS = 11 * 60_000;

const SOURCES = ["main.ts", "lib", "tests", "scripts"];

const CHECKS: readonly (readonly [name: string, parameters: readonly string[]])[] = [
  ["fmt", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["check", ["check", ...SOURCES]],
  ["floors", ["run", "--allow-all", "scripts/check_floors.ts"]],
  ["tidy", ["run", "--allow-all", "scripts/tidy.ts"]],
];

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What one run of `deno test` counted: the last summary it printed, since tests may print one of their own. */
export function parseSummary(output: string): Counts | undefined {
  // deno-lint-ignore no-control-regex -- Colours are escape sequences.
  const plain = output.replaceAll(/\u001b\[[0-9;]*m/g, "");
  const summaries = plain.matchAll(/^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(.*)$/gm);
  const last = [...summaries].at(-1);
  if (last === undefined) return undefined;
  const skipped = /\| (\d+) ignored/.exec(last[3] ?? "")?.[1] ?? "0";
  return { passed: Number(last[1]), failed: Number(last[2]), skipped: Number(skipped) };
}

/** A run that ended badly counts at least one failure, whatever it printed; so does one that printed no summary. */
export function countsOf(code: number, output: string): Counts {
  const counts = parseSummary(output);
  if (counts === undefined) return { passed: 0, failed: 1, skipped: 0 };
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

export function addUp(all: readonly Counts[]): Counts {
  const sum = (pick: (counts: Counts) => number) => all.reduce((total, counts) => total + pick(counts), 0);
  return { passed: sum((c) => c.passed), failed: sum((c) => c.failed), skipped: sum((c) => c.skipped) };
}

export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}

/** A run in which nothing was tested has not succeeded. */
export function exitCodeFor({ passed, failed }: Counts): number {
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** Whether a module runs when no path is given: it is neither long nor in need of programs that must be fetched first. */
export function isEverydayModule(path: string): boolean {
  return !/_(long|litestream)_test\.ts$/.test(path);
}

/** Which test modules run side by side and which alone. */
export function sortModules(paths: readonly string[]): { readonly parallel: string[]; readonly serial: string[] } {
  const isSerial = (path: string) => /_(serial|long|serial_litestream)_test\.ts$/.test(path);
  return { parallel: paths.filter((path) => !isSerial(path)), serial: paths.filter(isSerial) };
}

interface Request {
  readonly paths: readonly string[];
  readonly flags: readonly string[];
}

/** Everything before the first flag is a path; flags and their values go to `deno test`. */
export function parseRequest(parameters: readonly string[]): Request {
  const at = parameters.findIndex((parameter) => parameter.startsWith("-"));
  const end = at === -1 ? parameters.length : at;
  return { paths: parameters.slice(0, end), flags: parameters.slice(end) };
}

/** Runs Deno with its output passed on as it comes, and kept. */
export async function runDeno(parameters: readonly string[], env: Record<string, string>, limitMs: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...parameters],
    cwd: ROOT,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => {
    complain(`Cannot finish the tests: they took longer than ${RUN_LIMIT_MS / 60_000} minutes and were ended`);
    child.kill("SIGKILL");
  }, limitMs);
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    write(Deno.stdout, text);
  }
  const { code } = await child.status;
  clearTimeout(timer);
  return { code, output };
}

async function runChecks(env: Record<string, string>): Promise<Counts[]> {
  const counts: Counts[] = [];
  for (const [name, parameters] of CHECKS) {
    const { code } = await runDeno(parameters, env, RUN_LIMIT_MS);
    if (code !== 0) complain(`The check "${name}" failed: deno ${parameters.join(" ")}`);
    counts.push({ passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 });
  }
  return counts;
}

async function runTests(request: Request, env: Record<string, string>): Promise<Counts[]> {
  const wanted = request.paths.length === 0
    ? listFiles(["tests"], "_test.ts").filter(isEverydayModule)
    : listFiles(request.paths, "_test.ts");
  const { parallel, serial } = sortModules(wanted);
  const deadline = performance.now() + RUN_LIMIT_MS;
  const counts: Counts[] = [];
  for (const [modules, flags] of [[parallel, ["--parallel"]], [serial, []]] as const) {
    if (modules.length === 0) continue;
    // The types have been checked; a run of single paths checks its own.
    const checking = request.paths.length === 0 ? ["--no-check"] : [];
    const parameters = ["test", "--allow-all", ...checking, ...flags, ...request.flags, ...modules];
    const { code, output } = await runDeno(parameters, env, Math.max(1, deadline - performance.now()));
    counts.push(countsOf(code, output));
  }
  return counts;
}

async function main(): Promise<number> {
  const request = parseRequest(Deno.args);
  const counts: Counts[] = [];
  try {
    const env = await setUp();
    if (request.paths.length === 0 && request.flags.length === 0) counts.push(...await runChecks(env));
    counts.push(...await runTests(request, env));
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    counts.push({ passed: 0, failed: 1, skipped: 0 });
  }
  const total = addUp(counts);
  if (total.passed + total.failed === 0) complain("Cannot run the tests: none match");
  say(formatCounts(total));
  return exitCodeFor(total);
}

if (import.meta.main) Deno.exit(await main());
