/**
 * What is built of the program, for the tests: the file `tailrace.js`, and the executable where Deno's run-time part is at
 * hand. Each is copied alone into an empty folder, so that nothing of the project can help it.
 */
import { BUNDLE_PATH, makeBundle } from "./bundle.ts";
import { makeExecutable } from "./compile.ts";
import { denoFolder, exists, say } from "./project.ts";

/** Names the program that the tests start (`tests/support/program.ts`). */
export const TEST_PROGRAM_VARIABLE = "TAILRACE_TEST_PROGRAM";

export interface Build {
  readonly name: string;
  readonly path: string;
}

/** Builds one after the other; throws what went wrong. */
export async function* builds(): AsyncGenerator<Build> {
  throwIfAny(await makeBundle());
  yield { name: "the bundle", path: BUNDLE_PATH };
  if (!await isDenortAtHand()) {
    say("\nThe executable was not built and not tested: Deno's run-time part, denort, is not here (docs/testing.md)");
    return;
  }
  const { path, problem } = await makeExecutable();
  throwIfAny(problem);
  yield { name: "the executable", path };
}

function throwIfAny(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(problem);
}

/** Named by `DENORT_BIN`, or downloaded before by Deno: nothing is fetched to find out. */
export async function isDenortAtHand(denortBin = Deno.env.get("DENORT_BIN") ?? "", cache?: string): Promise<boolean> {
  if (denortBin !== "") return true;
  const folder = cache ?? await denoFolder();
  return exists(`${folder}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`);
}

/** Gives a copy of the file in an empty folder that every user may read; all is removed at the end. */
export async function withProgramAlone(path: string, work: (path: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-built-" });
  try {
    Deno.chmodSync(folder, 0o755);
    Deno.mkdirSync(`${folder}/program`, { mode: 0o755 });
    const copy = `${folder}/program/${path.slice(path.lastIndexOf("/") + 1)}`;
    Deno.writeFileSync(copy, Deno.readFileSync(path), { mode: 0o755 });
    await work(copy);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
