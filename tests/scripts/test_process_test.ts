import { relative } from "../../lib/base/path.ts";
import { TestRun } from "../../scripts/test_process.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { until } from "../support/daemon.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const SCRIPT = `${ROOT}scripts/test.ts`;
const timeout = 60_000;
/** Holds up the thread, so that no timer there can give the test up. */
const FOREVER = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";

interface Running {
  readonly run: Deno.ChildProcess;
  readonly folder: string;
  /** What it has printed so far. */
  readonly printed: () => string;
}

/** `deno task test` of one module of this text; resolves when it has ended, by itself or by what `meanwhile` does. */
async function testModule(
  text: string,
  meanwhile: (run: Running) => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return await withTemporaryFolder(async (folder) => {
    const path = relative(ROOT, `${folder}/a_test.ts`);
    Deno.writeTextFileSync(`${folder}/a_test.ts`, `const test = Deno.test; ${text.replaceAll("FOLDER", folder)}`);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", SCRIPT, path, "--no-check"],
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let stdout = "";
    const collected = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeTo(new WritableStream({ write: (piece) => void (stdout += piece) }));
    const stderr = new Response(child.stderr).text();
    await meanwhile({ run: child, folder, printed: () => stdout });
    await collected;
    return { code: (await child.status).code, stdout, stderr: await stderr };
  });
}

Deno.test({
  name: "deno task test tells the reason of a failure and of an error that no test caught",
  timeout,
  fn: async () => {
    const { code, stdout, stderr } = await testModule(
      `test("good", () => {});
       test("bad", () => { throw new Error("this is why"); });
       test("loose", () => new Promise(() => { setTimeout(() => { throw new Error("nobody catches it"); }); }));`,
    );
    assertEquals(code, 1);
    assertMatch(stdout, /^ok good\nFAILED bad\n {4}in .*\/a_test\.ts\n {4}Error: this is why\n/m);
    assertStringIncludes(stderr, "Error: nobody catches it");
    assertMatch(
      stdout,
      /\nWhat failed:\n {2}bad\n {6}in .*\/a_test\.ts\n {6}Error: this is why\n.*\n {2}loose\n.*\n\n1 passed, 2 failed\n$/s,
    );
  },
});

Deno.test({
  name: "deno task test that is ended prints what it has counted, and leaves nothing behind",
  timeout,
  fn: async () => {
    const sleeper = `new Deno.Command("sleep", { args: ["300"] }).spawn()`;
    const { code, stdout } = await testModule(
      `test("good", () => {});
       test("long", async () => {
         const sleeper = ${sleeper};
         Deno.writeTextFileSync("FOLDER/pid", String(sleeper.pid));
         await sleeper.status;
       });`,
      async ({ run, folder, printed }) => {
        const pid = () => Number(readIfThere(`${folder}/pid`));
        // `deno test` prints in a thread of its own: the second test may run before the first one's line is out.
        await until(() => pid() > 0 && printed().includes("ok good\n"), "the second test");
        run.kill("SIGTERM");
        await run.status;
        await until(() => !exists(`/proc/${pid()}/exe`), "what it started to be ended");
      },
    );
    assertEquals(code, 1);
    assertMatch(stdout, /\n1 passed, 1 failed\n$/);
  },
});

Deno.test({
  name: "TestRun ends a part that is silent for too long, and counts what it saw before",
  timeout,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const path = `${folder}/a_test.ts`;
      Deno.writeTextFileSync(
        path,
        `const test = Deno.test; test("good", () => {}); test("stuck", () => { ${FOREVER} });`,
      );
      const run = new TestRun();
      await run.test({ parameters: ["--no-check", path], environment: {}, silenceLimitMs: 10_000 });
      assertEquals(run.counts, [{ passed: 1, failed: 1, skipped: 0 }]);
    }),
});

Deno.test({
  name: "TestRun counts a check that fails as one failure",
  timeout,
  fn: async () => {
    const run = new TestRun();
    await run.check("good", { parameters: ["eval", ""], environment: {} });
    await run.check("bad", { parameters: ["eval", "Deno.exit(3)"], environment: {} });
    assertEquals(run.counts.map(({ failed }) => failed), [0, 1]);
    assert(run.counts.every(({ passed }) => passed === 0));
  },
});

function readIfThere(path: string): string {
  return exists(path) ? Deno.readTextFileSync(path) : "";
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
