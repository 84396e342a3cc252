/**
 * `deno task trials [--built] [--only TEXT] FOLDER`: runs the trials of a folder, programs in Python that try the product as a
 * user's world would, and prints a table. A trial takes the path of a folder with a `main.ts`; it ends with 0 when the
 * product behaves as a user should expect, and with 77 when that cannot be tried on this machine. The exit code is 1 when
 * one ended otherwise, and when none could be tried.
 *
 * Trials are `tNN_*.py` and `torture/*.py`. Those of `proof/` and `peers/` say what they found in words, to be read.
 * Without `--built` they try the sources, with it the bundle, alone in a folder and with an empty cache.
 */
import { makeBundle } from "./bundle.ts";
import { unpackPackage } from "./debian_package.ts";
import { CACHE_FOLDER, complain, denoFolder, exists, listFiles, ROOT, say } from "./project.ts";
import { killGroup } from "./test_process.ts";

const CANNOT_BE_TRIED = 77;
/** The longest takes two minutes alone on the machine. */
const TRIAL_LIMIT_MS = 900_000;
const SHOWN_LINES = 25;

export interface Trial {
  readonly path: string;
  /** Behind the folder of the program. */
  readonly words: readonly string[];
}

export type Verdict = "ok" | "not tried" | "FAILED";

export interface TrialResult extends Trial {
  readonly code: number;
  readonly seconds: number;
  readonly output: string;
}

export interface TrialRequest {
  readonly folder: string;
  readonly isBuilt: boolean;
  readonly only: string;
}

/** What was asked for; a sentence when that cannot be meant. */
export function parseTrialRequest(parameters: readonly string[]): TrialRequest | string {
  const request = { folder: "", isBuilt: false, only: "" };
  const words = [...parameters];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--built") request.isBuilt = true;
    else if (word === "--only") request.only = words.shift() ?? "";
    else if (word.startsWith("-") || request.folder !== "") return `Cannot run the trials: ${word} is too much`;
    else request.folder = word;
  }
  return request.folder === "" ? "Cannot run the trials: there is no folder of trials (name one)" : request;
}

/** The trials among these files: those that know two layouts are tried with both. `textOf` gives what is in a file. */
export function findTrials(paths: readonly string[], textOf: (path: string) => string): readonly Trial[] {
  const isTrial = (path: string) => /(^|\/)t\d+[a-z]?_[^/]*\.py$|(^|\/)torture\/(?!common\.)[^/]*\.py$/.test(path);
  const isOfWords = (path: string) => /(^|\/)(proof|peers)\//.test(path);
  return paths.filter((path) => isTrial(path) && !isOfWords(path)).flatMap((path) => {
    const hasLayouts = textOf(path).includes("REPO [raw|litestream]");
    return (hasLayouts ? [["raw"], ["litestream"]] : [[]]).map((words) => ({ path, words }));
  });
}

export function verdictOf(code: number): Verdict {
  return code === 0 ? "ok" : code === CANNOT_BE_TRIED ? "not tried" : "FAILED";
}

export function formatTrials(results: readonly TrialResult[]): string {
  const rows = results.map(({ path, words, code, seconds }) => ({
    name: [path, ...words].join(" "),
    verdict: verdictOf(code),
    tail: `exit ${code}, ${seconds.toFixed(0)} s`,
  }));
  const width = Math.max(0, ...rows.map(({ name }) => name.length));
  return rows.map(({ name, verdict, tail }) => `${verdict.padEnd(9)}  ${name.padEnd(width)}  ${tail}`).join("\n");
}

async function runTrial(trial: Trial, folder: string, program: string, env: Record<string, string>) {
  const began = performance.now();
  const child = new Deno.Command("python3", {
    args: [`${folder}/${trial.path}`, program, ...trial.words],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true, // What it leaves behind is ended with it.
  }).spawn();
  const timer = setTimeout(() => killGroup(child), TRIAL_LIMIT_MS);
  const [stdout, stderr] = [readAll(child.stdout), readAll(child.stderr)];
  const { code } = await child.status;
  clearTimeout(timer);
  killGroup(child);
  const output = `${await stdout}${await stderr}`;
  return { ...trial, code, seconds: (performance.now() - began) / 1_000, output };
}

function readAll(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return new Response(stream).text();
}

/** What trials find in their environment: Deno, a place for their files, a clock that can be set. */
async function environmentOf(request: TrialRequest, scratch: string): Promise<Record<string, string>> {
  const deno = Deno.execPath();
  return {
    DENO: deno,
    PATH: `${deno.slice(0, deno.lastIndexOf("/"))}:${Deno.env.get("PATH") ?? ""}`,
    DENO_DIR: request.isBuilt ? `${scratch}/cache` : await denoFolder(),
    NO_COLOR: "1",
    TORTURE_TMP: `${scratch}/torture`,
    FAKETIME_LIB: await faketimeLibrary(),
  };
}

/** The named one, else that of Debian's package, unpacked into the cache folder. */
async function faketimeLibrary(): Promise<string> {
  const chosen = Deno.env.get("FAKETIME_LIB") ?? "";
  if (chosen !== "") return chosen;
  const folder = `${CACHE_FOLDER}/faketime`;
  if (!exists(folder)) await unpackPackage("libfaketime", folder);
  const [library = ""] = listFiles(["usr"], "/libfaketime.so.1", folder);
  return `${folder}/${library}`;
}

/** The folder that trials are given: the project, or one with the bundle and a `main.ts` that imports it. */
async function programFolder(request: TrialRequest, scratch: string): Promise<string> {
  if (!request.isBuilt) return ROOT;
  const folder = `${scratch}/built`;
  Deno.mkdirSync(folder);
  const problem = await makeBundle(undefined, `${folder}/tailrace.js`);
  if (problem !== undefined) throw new Error(problem);
  Deno.writeTextFileSync(`${folder}/main.ts`, `import "./tailrace.js";\n`);
  return folder;
}

async function runTrials(request: TrialRequest): Promise<readonly TrialResult[]> {
  const folder = Deno.realPathSync(request.folder);
  const trials = findTrials(listFiles(["."], ".py", folder), (path) => Deno.readTextFileSync(`${folder}/${path}`))
    .filter((trial) => [trial.path, ...trial.words].join(" ").includes(request.only));
  const scratch = Deno.makeTempDirSync({ prefix: "tailrace-trials-" });
  Deno.chmodSync(scratch, 0o755); // Some trials run as another user.
  const results: TrialResult[] = [];
  try {
    for (const name of ["cache", "torture"]) Deno.mkdirSync(`${scratch}/${name}`);
    const program = await programFolder(request, scratch);
    const env = await environmentOf(request, scratch);
    for (const trial of trials) {
      const result = await runTrial(trial, folder, program, env);
      say(formatTrials([result]));
      if (verdictOf(result.code) === "FAILED") say(result.output.trimEnd().split("\n").slice(-SHOWN_LINES).join("\n"));
      results.push(result);
    }
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
  return results;
}

async function main(): Promise<number> {
  const request = parseTrialRequest(Deno.args);
  if (typeof request === "string") {
    complain(request);
    return 2;
  }
  try {
    const results = await runTrials(request);
    say(`\n${formatTrials(results)}\n`);
    const counted = Map.groupBy(results, ({ code }) => verdictOf(code));
    const count = (verdict: Verdict) => counted.get(verdict)?.length ?? 0;
    say(`${count("ok")} as expected, ${count("FAILED")} not, ${count("not tried")} cannot be tried here`);
    return count("FAILED") === 0 && count("ok") > 0 ? 0 : 1;
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
