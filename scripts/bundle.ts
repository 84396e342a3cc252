/**
 * `deno task bundle`: the whole program as one file, `dist/tailrace.js`, which runs wherever Deno is. It is then moved to an
 * empty folder and asked for its version, so that nothing of the project can have helped it.
 */
import { product } from "../lib/base/product.ts";
import { complain, DIST_FOLDER, exists, ROOT, run, say } from "./project.ts";

export const BUNDLE_PATH = `${DIST_FOLDER}/${product.name}.js`;

/**
 * The bundler gives modules that are no ES modules (the YAML parser's) a `require` that loads much of Node's interface when
 * the program starts: 40 of 100 ms, and 4 MB. They need it for two modules of Node, and only once a config is read.
 */
const EAGER_REQUIRE =
  /import ?\{ ?createRequire as (\w+) ?\} from "node:module";\s*var ([\w$]+) ?= ?\1\(import\.meta\.url\);/;
const LAZY_REQUIRE = "var $2=(name)=>globalThis.process.getBuiltinModule(name);";
/** Text of the program stays in memory: half of it is 4 MB less, and the program starts sooner. */
const MAKE = ["bundle", "--quiet", "--minify", "--platform", "deno", "--output"];

/** What went wrong, as a sentence; undefined when the bundle is made and has answered. */
export async function makeBundle(entry = `${ROOT}/main.ts`, output = BUNDLE_PATH): Promise<string | undefined> {
  const made = await run(Deno.execPath(), [...MAKE, output, entry]);
  if (made.code !== 0 || !exists(output)) {
    return `Cannot bundle ${entry}: ${made.stderr.trim()} (esbuild comes from the npm registry at first use)`;
  }
  const lazy = Deno.readTextFileSync(output).replace(EAGER_REQUIRE, LAZY_REQUIRE);
  if (lazy.includes("createRequire")) return `Cannot bundle ${entry}: its \`require\` is not defined as it used to be`;
  Deno.writeTextFileSync(output, lazy);
  const answer = await askVersion((folder) => {
    const moved = `${folder}/program.js`;
    Deno.writeFileSync(moved, Deno.readFileSync(output));
    return [Deno.execPath(), "run", "--allow-all", moved, "version"];
  });
  return answer === undefined ? undefined : `Cannot use ${output}: in an empty folder ${answer}`;
}

/** Runs a program in an empty folder and compares what it says with the product's version; undefined when they agree. */
export async function askVersion(commandLine: (folder: string) => readonly string[]): Promise<string | undefined> {
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-bundle-" });
  try {
    const [program = "", ...parameters] = commandLine(folder);
    const { code, stdout, stderr } = await run(program, parameters, { cwd: folder });
    if (code === 0 && stdout.includes(product.version)) return undefined;
    return `it answers ${
      JSON.stringify((stdout + stderr).trim())
    } with code ${code} (its version is ${product.version})`;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function main(): Promise<number> {
  const problem = await makeBundle();
  if (problem !== undefined) {
    complain(problem);
    return 1;
  }
  say(`${BUNDLE_PATH}: ${Math.ceil(Deno.statSync(BUNDLE_PATH).size / 1024)} KiB, runs from an empty folder`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
