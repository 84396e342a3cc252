/**
 * `deno task test [paths and flags of deno test]`: everything that CI runs, set-up included, and as its last line
 * `N passed, N failed`. With paths only these tests run, without the checks of the source.
 *
 * Test modules run side by side, as threads of one process. Those that count what belongs to the process (locks,
 * descriptors, memory), or measure time, are named `*_serial_test.ts` and run one after the other, alone. Those that take
 * minutes are named `*_long_test.ts` and belong to `deno task test:long`; those that need the real Litestream are named
 * `*_litestream_test.ts` and belong to `deno task test:litestream`.
 */
import { type Build, builds, TEST_PROGRAM_VARIABLE, withProgramAlone } from "./built.ts";
import { listFiles, readSource, say } from "./project.ts";
import { setUp } from "./setup.ts";
import { countedRun, type TestRun } from "./test_process.ts";

const SOURCES = ["main.ts", "lib", "tests", "scripts"];

const CHECKS: readonly (readonly [name: string, parameters: readonly string[]])[] = [
  ["fmt", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["check", ["check", ...SOURCES]],
  ["floors", ["run", "--allow-all", "scripts/check_floors.ts"]],
  ["tidy", ["run", "--allow-all", "scripts/tidy.ts"]],
];

/** Whether a module runs when no path is given: it is neither long nor in need of programs that must be fetched first. */
export function isEverydayModule(path: string): boolean {
  return !/_(long|litestream)_test\.ts$/.test(path);
}

/** About the built file alone; and what takes a minute each time and starts nothing but the program, as people run it. */
const WITH_BUILT_ONLY = [
  "tests/end_to_end/built_file_test.ts",
  "tests/cli/flag_table_test.ts",
  "tests/end_to_end/replica_harmed_test.ts",
  "tests/end_to_end/replica_repair_test.ts",
];

/** Whether a module runs with what was built, and not with the sources. */
function isWithBuiltOnly(path: string): boolean {
  return WITH_BUILT_ONLY.includes(path);
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

/** Whether a module starts the program as a process, and so has something to say about a built one. */
export function startsTheProgram(text: string): boolean {
  return /\b(runTailrace|tailraceCommand|startDaemon|startReplicate|withScene|new Scene|withProgramAlone|testedProgram)\b/
    .test(text);
}

/** Side by side what may run so, then the others. The types have been checked in a whole run; else each run checks its own. */
export async function runModules(
  run: TestRun,
  modules: readonly string[],
  flags: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const { parallel, serial } = sortModules(modules);
  // Most of a test is waiting, for a process or a device: two for each core leave none of them idle.
  const sideBySide = { ...environment, DENO_JOBS: String(2 * navigator.hardwareConcurrency) };
  if (parallel.length > 0) {
    await run.test({ parameters: ["--parallel", ...flags, ...parallel], environment: sideBySide });
  }
  if (serial.length > 0) await run.test({ parameters: [...flags, ...serial], environment });
}

/** The tests that start the program, with what was built of it in an empty folder. */
async function runWithBuilt(run: TestRun, build: Build, environment: Readonly<Record<string, string>>): Promise<void> {
  await withProgramAlone(build.path, async (path) => {
    say(`\nAgain with ${build.name}: ${path}`);
    const modules = everydayModules().filter((module) => startsTheProgram(readSource(module).text));
    await runModules(run, modules, ["--no-check"], { ...environment, [TEST_PROGRAM_VARIABLE]: path });
  });
}

function everydayModules(): string[] {
  return listFiles(["tests"], "_test.ts").filter(isEverydayModule);
}

async function runEverything(run: TestRun, environment: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, parameters] of CHECKS) await run.check(name, { parameters, environment });
  await runModules(run, everydayModules().filter((path) => !isWithBuiltOnly(path)), ["--no-check"], environment);
  for await (const build of builds()) await runWithBuilt(run, build, environment);
}

async function work(run: TestRun): Promise<void> {
  const { paths, flags } = parseRequest(Deno.args);
  const environment = await setUp();
  if (paths.length === 0 && flags.length === 0) return await runEverything(run, environment);
  const modules = paths.length === 0 ? everydayModules() : listFiles(paths, "_test.ts");
  await runModules(run, modules, flags, environment);
}

if (import.meta.main) Deno.exit(await countedRun(work));
