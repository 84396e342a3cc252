/**
 * `deno task bundle`: the whole program as one file, `dist/tailrace.js`, which runs wherever Deno is.
 *
 * What the bundler wrote is read before it is believed: the file must need nothing but itself and what is built into Deno.
 * Then it is moved to an empty folder and asked for what every part of it answers, so that nothing of the project can have
 * helped it.
 */
import { product } from "../lib/base/product.ts";
import { complain, DIST_FOLDER, exists, ROOT, run, say } from "./project.ts";

export const BUNDLE_PATH = `${DIST_FOLDER}/${product.name}.js`;

/** Text of the program stays in memory: half of it is 4 MB less, and the program starts sooner. */
const MAKE = ["bundle", "--quiet", "--minify", "--platform", "deno"];

/**
 * Packages that Deno loads as CommonJS and that hold the same as ES modules. The bundler gives a CommonJS module a
 * `require` of its own, which finds nothing once it is bundled, or loads much of Node's interface when the program starts.
 */
const ES_ENTRIES: Readonly<Record<string, string>> = { yaml: "browser/index.js" };

/** What must not stand in a bundle, and what is wrong with it. */
const FOREIGN_TEXT: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/Dynamic require of/, "a `require` that finds nothing (a package came in as CommonJS; name its ES modules)"],
  [/\bcreateRequire\b/, "a `require` that looks for files (a package came in as CommonJS; name its ES modules)"],
  [/(?<![\w$.])require\(/, "a `require` (a package came in as CommonJS; name its ES modules)"],
  [/(?<![\w$.])import\((?!\s*["'`]node:)/, "an `import()` of something that is not in it"],
  [/new URL\(\s*["'`]\.{0,2}\/[^)]*import\.meta/, "the address of a file that would have to lie beside it"],
];

/** Why a bundle cannot stand alone, as far as its text says; `imports` are the specifiers of its module graph. */
export function findForeign(text: string, imports: readonly string[]): string | undefined {
  for (const [pattern, what] of FOREIGN_TEXT) {
    const at = pattern.exec(text)?.index;
    if (at !== undefined) return `it holds ${what}: ${text.slice(Math.max(0, at - 40), at + 40).trim()}`;
  }
  const foreign = imports.find((specifier) => !specifier.startsWith("node:"));
  return foreign === undefined ? undefined : `it imports ${foreign}, which is not in it`;
}

/** What went wrong, as a sentence; undefined when the bundle is made and has answered. */
export async function makeBundle(entry = `${ROOT}/main.ts`, output = BUNDLE_PATH): Promise<string | undefined> {
  const importMap = Deno.makeTempFileSync({ prefix: "tailrace-imports-", suffix: ".json" });
  try {
    Deno.writeTextFileSync(importMap, JSON.stringify({ imports: await importsOfTheBundle() }));
    const made = await run(Deno.execPath(), [...MAKE, "--import-map", importMap, "--output", output, entry]);
    if (made.code !== 0 || !exists(output)) {
      return `Cannot bundle ${entry}: ${made.stderr.trim()} (esbuild comes from the npm registry at first use)`;
    }
  } finally {
    Deno.removeSync(importMap);
  }
  const foreign = findForeign(Deno.readTextFileSync(output), await importsOf(output));
  if (foreign !== undefined) return `Cannot use ${output}: ${foreign}`;
  const answer = await askEverything((folder) => {
    const moved = `${folder}/program.js`;
    Deno.writeFileSync(moved, Deno.readFileSync(output));
    return [Deno.execPath(), "run", "--allow-all", "--no-config", moved];
  });
  return answer === undefined ? undefined : `Cannot use ${output}: in an empty folder ${answer}`;
}

/** The project's import map, with ES modules where Deno would load CommonJS. */
async function importsOfTheBundle(): Promise<Record<string, string>> {
  const { imports } = JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.json`)) as { imports: Record<string, string> };
  const absolute = Object.entries(imports).map(([name, at]) => [name, at.startsWith("./") ? ROOT + at.slice(1) : at]);
  const { npmPackages } = await moduleGraph(`${ROOT}/main.ts`);
  const replaced = Object.entries(ES_ENTRIES).map(([name, entry]) => {
    const folder = Object.values(npmPackages ?? {}).find((npm) => npm.name === name)?.localPath;
    if (folder === undefined || !exists(`${folder}/${entry}`)) {
      throw new Error(`Cannot bundle ${name}: there is no ${entry} in ${folder ?? "Deno's cache"}`);
    }
    return [name, `file://${folder}/${entry}`];
  });
  return Object.fromEntries([...absolute, ...replaced]);
}

interface ModuleGraph {
  readonly modules: readonly {
    readonly error?: string;
    readonly dependencies?: readonly { readonly specifier: string }[];
  }[];
  readonly npmPackages?: Readonly<Record<string, { readonly name: string; readonly localPath?: string }>>;
}

async function moduleGraph(path: string, flags: readonly string[] = []): Promise<ModuleGraph> {
  const { code, stdout, stderr } = await run(Deno.execPath(), ["info", "--json", ...flags, path]);
  if (code !== 0) throw new Error(`Cannot read the imports of ${path}: ${stderr.trim()}`);
  return JSON.parse(stdout);
}

async function importsOf(path: string): Promise<readonly string[]> {
  const { modules } = await moduleGraph(path, ["--no-config", "--no-lock"]);
  return modules.flatMap((module) => module.dependencies ?? []).map((dependency) => dependency.specifier);
}

/** A config that is read without being acted upon: the database does not exist. */
const CONFIG = "dbs:\n  - path: /nonexistent/app.db\n    replicas:\n      - path: /nonexistent/replica\n";

/** One question to each part that is loaded by itself: `version`, and what reads a config. */
const QUESTIONS: readonly { readonly words: readonly string[]; readonly answer: string }[] = [
  { words: ["version"], answer: product.version },
  { words: ["databases", "-config", "config.yml"], answer: "/nonexistent/app.db" },
];

/** Runs a program in an empty folder and compares what it says with what is expected; undefined when they agree. */
export async function askEverything(
  commandLine: (folder: string) => readonly string[],
): Promise<string | undefined> {
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-bundle-" });
  try {
    const [program = "", ...parameters] = commandLine(folder);
    Deno.writeTextFileSync(`${folder}/config.yml`, CONFIG);
    for (const { words, answer } of QUESTIONS) {
      const { code, stdout, stderr } = await run(program, [...parameters, ...words], { cwd: folder });
      if (code === 0 && stdout.includes(answer)) continue;
      const said = JSON.stringify((stdout + stderr).trim());
      return `it answers ${said} with code ${code} to ${words.join(" ")} (expected ${answer})`;
    }
    return undefined;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function main(): Promise<number> {
  const problem = await makeBundle().catch((error: unknown) => error instanceof Error ? error.message : String(error));
  if (problem !== undefined) {
    complain(problem);
    return 1;
  }
  say(`${BUNDLE_PATH}: ${Math.ceil(Deno.statSync(BUNDLE_PATH).size / 1024)} KiB, runs from an empty folder`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
