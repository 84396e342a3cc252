import { assertEquals } from "../support/assert.ts";
import { isEverydayModule, parseRequest, sortModules, startsTheProgram } from "../../scripts/test.ts";

Deno.test("isEverydayModule() leaves out what takes minutes and what needs the real Litestream", () => {
  const paths = ["tests/a_test.ts", "tests/b_serial_test.ts", "tests/c_long_test.ts", "tests/d/e_litestream_test.ts"];
  assertEquals(paths.filter(isEverydayModule), ["tests/a_test.ts", "tests/b_serial_test.ts"]);
});

Deno.test("sortModules() keeps serial and long modules out of the parallel run", () => {
  const litestream = ["tests/d_litestream_test.ts", "tests/e_serial_litestream_test.ts"];
  assertEquals(sortModules(["tests/a_test.ts", "tests/b_serial_test.ts", "tests/c_long_test.ts", ...litestream]), {
    parallel: ["tests/a_test.ts", "tests/d_litestream_test.ts"],
    serial: ["tests/b_serial_test.ts", "tests/c_long_test.ts", "tests/e_serial_litestream_test.ts"],
  });
});

Deno.test("parseRequest() passes everything from the first flag on to deno test", () => {
  assertEquals(parseRequest(["tests/wal", "--filter", "scan"]), { paths: ["tests/wal"], flags: ["--filter", "scan"] });
  assertEquals(parseRequest([]), { paths: [], flags: [] });
});

Deno.test("startsTheProgram() is for what starts a process of it, not for what only waits as such tests do", () => {
  const cases: readonly (readonly [text: string, expected: boolean])[] = [
    [`await runTailrace(["version"])`, true],
    [`fn: () => withScene(run)`, true],
    [`startReplicate(words)`, true],
    [`import { sleep, until } from "../support/daemon.ts";`, false],
    [`import { insert } from "./scene.ts";`, false],
  ];
  for (const [text, expected] of cases) assertEquals(startsTheProgram(text), expected, text);
});
