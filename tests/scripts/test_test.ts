import { assertEquals } from "../support/assert.ts";
import {
  addUp,
  countsOf,
  exitCodeFor,
  formatCounts,
  isEverydayModule,
  parseRequest,
  parseSummary,
  sortModules,
} from "../../scripts/test.ts";

Deno.test("parseSummary() reads every form of Deno's summary line", () => {
  assertEquals(parseSummary("ok | 2 passed | 0 failed (15ms)\n"), { passed: 2, failed: 0, skipped: 0 });
  assertEquals(parseSummary("\nFAILED | 2 passed (2 steps) | 1 failed (1 step) | 1 ignored (3s)\n"), {
    passed: 2,
    failed: 1,
    skipped: 1,
  });
  assertEquals(parseSummary("\x1b[0m\x1b[32mok\x1b[0m | 7 passed | 0 failed | 3 filtered out \x1b[0m(1m2s)\x1b[0m\n"), {
    passed: 7,
    failed: 0,
    skipped: 0,
  });
});

Deno.test("parseSummary() believes the last summary, and none that stands inside a line", () => {
  const output = "ok | 100 passed | 0 failed (1s)\nFAILED | 1 passed | 4 failed (1s)\nsaid: ok | 9 passed | 0 failed\n";
  assertEquals(parseSummary(output), { passed: 1, failed: 4, skipped: 0 });
  assertEquals(parseSummary("error: No test modules found\n"), undefined);
});

Deno.test("countsOf() counts a failure for a run that ended badly without saying so", () => {
  assertEquals(countsOf(1, "error: Type checking failed."), { passed: 0, failed: 1, skipped: 0 });
  assertEquals(countsOf(0, ""), { passed: 0, failed: 1, skipped: 0 });
  assertEquals(countsOf(137, "ok | 2 passed | 0 failed (1s)\n"), { passed: 2, failed: 1, skipped: 0 });
  assertEquals(countsOf(1, "FAILED | 2 passed | 3 failed (1s)\n"), { passed: 2, failed: 3, skipped: 0 });
});

Deno.test("formatCounts() adds skipped tests only when there are some", () => {
  assertEquals(
    formatCounts(addUp([{ passed: 2, failed: 0, skipped: 0 }, { passed: 3, failed: 1, skipped: 0 }])),
    "5 passed, 1 failed",
  );
  assertEquals(formatCounts({ passed: 2, failed: 0, skipped: 4 }), "2 passed, 0 failed, 4 skipped");
});

Deno.test("exitCodeFor() takes a run without any test for a failure", () => {
  assertEquals(exitCodeFor({ passed: 1, failed: 0, skipped: 0 }), 0);
  assertEquals(exitCodeFor({ passed: 0, failed: 0, skipped: 9 }), 1);
  assertEquals(exitCodeFor({ passed: 5, failed: 1, skipped: 0 }), 1);
});

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
