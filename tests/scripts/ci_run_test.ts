import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const COMMAND = "npx -y deno@2.9.6 task test";

interface Ended {
  readonly lines: readonly string[];
  readonly lastLine: string;
  readonly code: number;
  readonly asked: string;
}

/** Runs `.ci/run` with an `npx` that prints what it is told, then a notice as npm does, and ends with the given code. */
async function runWith(printed: string, code: number): Promise<Ended> {
  return await withTemporaryFolder(async (folder) => {
    const npx =
      `#!/bin/sh\necho "npx $*" >> ${folder}/asked\nprintf '%s' "$PRINTED"\necho "npm notice" >&2\nexit ${code}\n`;
    Deno.writeTextFileSync(`${folder}/npx`, npx, { mode: 0o755 });
    const ended = await new Deno.Command(`${ROOT}.ci/run`, {
      env: { PATH: `${folder}:${Deno.env.get("PATH")}`, PRINTED: printed },
    }).output();
    const lines = new TextDecoder().decode(ended.stdout).trimEnd().split("\n");
    return {
      lines,
      lastLine: lines.at(-1) ?? "",
      code: ended.code,
      asked: Deno.readTextFileSync(`${folder}/asked`).trim(),
    };
  });
}

Deno.test("ci/run ends with the sum and the code of both runs of tests, though npm prints after them", async () => {
  const { lines, ...ended } = await runWith("some output\n3 passed, 0 failed\n", 0);
  assertEquals(lines.slice(-3), ["3 passed, 0 failed", "npm notice", "6 passed, 0 failed"]);
  assertEquals(ended, {
    lastLine: "6 passed, 0 failed",
    code: 0,
    asked: `${COMMAND}\n${COMMAND}:litestream`,
  });
  const failed = await runWith("5 passed, 2 failed, 1 skipped\n", 1);
  assertEquals([failed.lastLine, failed.code], ["10 passed, 4 failed, 2 skipped", 1]);
});

Deno.test("ci/run repeats at its end what failed in each run, since a long output is shown in part", async () => {
  const { lines } = await runWith("FAILED a\n    why\n\nWhat failed:\n  a\n      why\n\n5 passed, 1 failed\n", 1);
  assertEquals(lines.slice(-7), [
    "What failed in both runs:",
    "  a",
    "      why",
    "  a",
    "      why",
    "",
    "10 passed, 2 failed",
  ]);
});

Deno.test("ci/run fails when nothing ran, or line and code do not agree", async () => {
  for (
    const [printed, code] of [["", 0], ["0 passed, 0 failed\n", 0], ["9 passed, 0 failed\n", 130], ["x", 127]] as const
  ) {
    const ended = await runWith(printed, code);
    assert(ended.code !== 0, printed);
    assertStringIncludes(ended.lastLine, " passed, 2 failed");
  }
  const contradicting = await runWith("9 passed, 1 failed\n", 0);
  assertEquals([contradicting.lastLine, contradicting.code], ["18 passed, 2 failed", 1]);
});

Deno.test("ci/run counts what a run told before it was killed", async () => {
  const ended = await runWith("ok one\nskipped two\nok three\nFAILED four\n    reason\n", 137);
  assertEquals([ended.lastLine, ended.code], ["4 passed, 2 failed, 2 skipped", 1]);
  assertEquals((await runWith("ok one\nok two\n", 137)).lastLine, "4 passed, 2 failed");
});

Deno.test("ci/run calls the command that stands in the README", () => {
  const inScript = Deno.readTextFileSync(`${ROOT}.ci/run`).includes(`\ncount ${COMMAND} `);
  const inReadme = Deno.readTextFileSync(`${ROOT}README.md`).includes(COMMAND);
  assertEquals([inScript, inReadme], [true, true]);
});
