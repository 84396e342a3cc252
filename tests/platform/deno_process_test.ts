import { ReplicationError } from "../../lib/base/errors.ts";
import { DenoProcess } from "../../lib/platform/deno_process.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const timeout = 20_000;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const MODULE = new URL("../../lib/platform/deno_process.ts", import.meta.url).href;

/** Starts a process that has a `DenoProcess` called `process`, and runs the lines in it. */
function startScript(folder: string, lines: readonly string[]): Deno.ChildProcess {
  const head = [`import { DenoProcess } from ${JSON.stringify(MODULE)};`, "const process = new DenoProcess();"];
  Deno.writeTextFileSync(`${folder}/script.ts`, [...head, ...lines].join("\n"));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--quiet", "--config", CONFIG, `${folder}/script.ts`],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function outputOf(child: Deno.ChildProcess): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: (await child.status).code, stdout, stderr };
}

Deno.test({
  name: "DenoProcess.spawn() reports the exit code or the signal of the child",
  timeout,
  fn: async () => {
    const process = new DenoProcess();
    assertEquals(await process.spawn("sh", ["-c", "exit 3"]).status, { code: 3, signal: undefined });
    const sleeper = process.spawn("sleep", ["60"]);
    sleeper.kill("SIGKILL");
    assertEquals(await sleeper.status, { code: 137, signal: "SIGKILL" });
    sleeper.kill("SIGTERM"); // It has ended: nothing happens.
  },
});

Deno.test("DenoProcess.spawn() says why a program cannot be started", async () => {
  const process = new DenoProcess();
  const error = assertThrows(() => process.spawn("no-such-program-here", []), ReplicationError);
  assertEquals(error.code, "usage");
  assertStringIncludes(error.message, "Cannot start the program no-such-program-here: there is no such program");
  await withTemporaryFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/plain`, "");
    assertThrows(() => process.spawn(`${folder}/plain`, []), ReplicationError, "permission denied");
  });
});

Deno.test({
  name: "DenoProcess.spawn() shares stdout and stderr with the child",
  timeout,
  fn: async () => {
    await withTemporaryFolder(async (folder) => {
      const child = startScript(folder, ['await process.spawn("sh", ["-c", "echo out; echo err >&2"]).status;']);
      assertEquals(await outputOf(child), { code: 0, stdout: "out\n", stderr: "err\n" });
    });
  },
});

Deno.test({
  name: "DenoProcess.onSignal() calls back for SIGINT and SIGTERM until it is ended",
  timeout,
  fn: async () => {
    await withTemporaryFolder(async (folder) => {
      const child = startScript(folder, [
        "const seen: string[] = [];",
        "const timer = setInterval(() => {}, 1000);",
        "const end = process.onSignal((name) => {",
        "  seen.push(name);",
        '  if (seen.length === 1) Deno.kill(Deno.pid, "SIGTERM");',
        "  if (seen.length < 2) return;",
        "  end();",
        "  clearInterval(timer);",
        "  process.stdout.write(seen.join());",
        "});",
        'Deno.kill(Deno.pid, "SIGINT");',
      ]);
      assertEquals(await outputOf(child), { code: 0, stdout: "SIGINT,SIGTERM", stderr: "" });
    });
  },
});

Deno.test({
  name: "DenoProcess writes all of a long text before it is left by Deno.exit",
  timeout,
  fn: async () => {
    await withTemporaryFolder(async (folder) => {
      const child = startScript(folder, ['process.stdout.write("x".repeat(1_000_000));', "Deno.exit(0);"]);
      assertEquals((await outputOf(child)).stdout.length, 1_000_000);
    });
  },
});

Deno.test({
  name: "DenoProcess loses only the messages for which there is no space, and none that come later",
  timeout,
  fn: async () => {
    await withTemporaryFolder(async (folder) => {
      const signals = new URL("../../lib/platform/signals.ts", import.meta.url).href;
      Deno.writeTextFileSync(
        `${folder}/script.ts`,
        [
          `import { settleSignals } from ${JSON.stringify(signals)};`,
          `import { DenoProcess } from ${JSON.stringify(MODULE)};`,
          "settleSignals();",
          "const limit = (words: string[]) => new Deno.Command('prlimit', { args: ['--pid', String(Deno.pid), ...words] }).outputSync();",
          'limit(["--fsize=50000:unlimited"]);',
          "const { stderr } = new DenoProcess();",
          'stderr.write("first\\n");',
          'stderr.write("x".repeat(1_000_000));',
          'limit(["--fsize=unlimited:unlimited"]);',
          'stderr.write("\\nlast\\n");',
        ].join("\n"),
      );
      const line = `exec "$0" run --allow-all --quiet --config "$1" ${folder}/script.ts 2> ${folder}/log`;
      const { code } = await new Deno.Command("sh", { args: ["-c", line, Deno.execPath(), CONFIG] }).output();
      assertEquals(code, 0);
      assertEquals(Deno.readTextFileSync(`${folder}/log`).split(/\n(?:x+\n)?/), ["first", "last", ""]);
    });
  },
});

Deno.test("DenoProcess knows that a pipe or a file is no terminal", async () => {
  await withTemporaryFolder(async (folder) => {
    const child = startScript(folder, [
      "const { isTerminal } = process.stdout;",
      "process.stdout.write(JSON.stringify([isTerminal, process.stdout.columns() ?? null, process.currentFolder()]));",
    ]);
    assertEquals(JSON.parse((await outputOf(child)).stdout), [false, null, Deno.cwd()]);
  });
});
