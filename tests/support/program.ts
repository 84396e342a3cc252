/**
 * The program that the tests start as a process: from the sources, or what the environment variable
 * `TAILRACE_TEST_PROGRAM` names, a built `tailrace.js` or an executable.
 *
 * What is built must need nothing from the machine that built it. So its Deno gets a cache folder of its own, empty at
 * first, and no registry that answers; and no config of Deno's lies beside the file.
 */
const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** What the children of all tests find in their environment: configs of the machine that runs the tests are none of theirs. */
const PLAIN_ENVIRONMENT = { TAILRACE_COMMAND: "tailrace", TAILRACE_CONFIG: "", LITESTREAM_CONFIG: "", NO_COLOR: "1" };
/** The discard port, at which nobody listens. */
const NOWHERE = "http://127.0.0.1:9/";

export interface Program {
  readonly kind: "sources" | "bundle" | "executable";
  /** `main.ts`, the bundle or the executable. */
  readonly file: string;
  readonly command: string;
  /** Before the program's own words. */
  readonly parameters: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** How a file is started. */
export function programOf(file: string, deno = Deno.execPath(), cache = `${file}.cache`): Program {
  const parameters = ["run", "--allow-all", "--quiet", file];
  const alone = { ...PLAIN_ENVIRONMENT, DENO_DIR: cache, NPM_CONFIG_REGISTRY: NOWHERE, JSR_URL: NOWHERE };
  if (file.endsWith(".ts")) return { kind: "sources", file, command: deno, parameters, environment: PLAIN_ENVIRONMENT };
  if (file.endsWith(".js")) return { kind: "bundle", file, command: deno, parameters, environment: alone };
  return { kind: "executable", file, command: file, parameters: [], environment: alone };
}

const chosen = Deno.env.get("TAILRACE_TEST_PROGRAM") ?? "";

export const testedProgram: Program = programOf(chosen === "" ? MAIN : chosen);
