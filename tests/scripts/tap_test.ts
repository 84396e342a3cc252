import { addUp, type Counts, countsOf, exitCodeFor, formatCounts, TapReader } from "../../scripts/tap.ts";
import { assertEquals } from "../support/assert.ts";

const REASON =
  `  {"message":"Error: the reason\\nin two lines\\n    at x (ext:cli/40_test.js:1:2)","at":{"file":"./a_test.ts"}}`;
const counts = (passed: number, failed: number, skipped = 0): Counts => ({ passed, failed, skipped });

function readAll(lines: readonly string[]): { readonly shown: readonly string[]; readonly counts: Counts } {
  const reader = new TapReader();
  const shown = [...lines.flatMap((line) => reader.read(line)), ...reader.end()];
  return { shown, counts: reader.counts };
}

Deno.test("TapReader counts what passed, failed and was skipped, and passes on lines of another kind", () => {
  assertEquals(
    readAll(["TAP version 14", "ok 1 - one", "ok 2 - two # SKIP", "odd", "ok 3 - a \\# and a \\\\", "1..3"]),
    {
      shown: ["ok one", "skipped two", "odd", "ok a # and a \\"],
      counts: counts(2, 0, 1),
    },
  );
});

Deno.test("TapReader shows the reason of a failure as soon as its lines have come", () => {
  const reader = new TapReader();
  assertEquals(["not ok 1 - one", "  ---", REASON].flatMap((line) => reader.read(line)), []);
  assertEquals(reader.read("  ..."), ["FAILED one", "    in ./a_test.ts", "    Error: the reason", "    in two lines"]);
  assertEquals(reader.counts, counts(0, 1));
  assertEquals(reader.end(), []);
});

Deno.test("TapReader counts a test with a failed step once, and shows the step's reason", () => {
  const steps = [
    "# Subtest: all",
    "    ok 1 - inner",
    "    not ok 2 - bad",
    "      ---",
    REASON,
    "      ...",
    "    1..2",
  ];
  assertEquals(readAll([...steps, "not ok 1 - all"]), {
    shown: [
      "failed step bad",
      "    in ./a_test.ts",
      "    Error: the reason",
      "    in two lines",
      "FAILED all",
      "    It was given up, since its module broke (see above)",
    ],
    counts: counts(0, 1),
  });
});

Deno.test("TapReader has counted and can show a failure whose reason never came", () => {
  assertEquals(readAll(["ok 1 - one", "not ok 2 - two", "  ---", "  {broken"]), {
    shown: ["ok one", "FAILED two", "    {broken"],
    counts: counts(1, 1),
  });
});

Deno.test("countsOf() counts a failure for a run that ended badly without saying so, and keeps what was seen", () => {
  assertEquals(countsOf(1, counts(0, 0)), counts(0, 1));
  assertEquals(countsOf(0, counts(0, 0)), counts(0, 1));
  assertEquals(countsOf(137, counts(1_400, 0)), counts(1_400, 1));
  assertEquals(countsOf(1, counts(2, 3)), counts(2, 3));
  assertEquals(countsOf(0, counts(0, 0, 1)), counts(0, 0, 1));
});

Deno.test("formatCounts() adds skipped tests only when there are some", () => {
  assertEquals(formatCounts(addUp([counts(2, 0), counts(3, 1)])), "5 passed, 1 failed");
  assertEquals(formatCounts(counts(2, 0, 4)), "2 passed, 0 failed, 4 skipped");
});

Deno.test("exitCodeFor() takes a run without any test for a failure", () => {
  assertEquals(exitCodeFor(counts(1, 0)), 0);
  assertEquals(exitCodeFor(counts(0, 0, 9)), 1);
  assertEquals(exitCodeFor(counts(5, 1)), 1);
});
