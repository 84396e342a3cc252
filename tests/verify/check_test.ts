import type { Answer } from "../../lib/sqlite/inspection.ts";
import { type Check, judgeAnswer } from "../../lib/verify/check.ts";
import { assertEquals } from "../support/assert.ts";

const value = (value: string | number | null): Answer => ({ kind: "value", value });

function judge(bounds: Partial<Check>, answer: Answer | undefined, before?: number): string | undefined {
  return judgeAnswer({ name: "rows", query: "SELECT 1", ...bounds }, answer, before);
}

Deno.test("judgeAnswer() compares texts, bounds and changes, each bound included", () => {
  assertEquals(judge({ equals: "5" }, value(5)), undefined);
  assertEquals(judge({ equals: "ok" }, value("no")), 'the check "rows" gives "no" (expected ok)');
  assertEquals(judge({ equals: "null" }, value(null)), undefined);
  assertEquals(judge({ min: 3, max: 5 }, value(3)), undefined);
  assertEquals(judge({ min: 3, max: 5 }, value("5")), undefined);
  assertEquals(judge({ min: 3 }, value(2)), 'the check "rows" gives 2 (expected at least 3)');
  assertEquals(judge({ max: 5 }, value(5.5)), 'the check "rows" gives 5.5 (expected at most 5)');
  const tenth = { maxChange: { amount: 0.1, isPart: true } };
  assertEquals(judge(tenth, value(90), 100), undefined);
  assertEquals(
    judge(tenth, value(89), 100),
    'the check "rows" gives 89 (expected at most 10% from 100, as it was proven last)',
  );
  assertEquals(judge(tenth, value(7)), undefined); // There is nothing to compare with.
  assertEquals(judge({ maxChange: { amount: 2, isPart: false } }, value(-3), -1), undefined);
  assertEquals(
    judge({ maxChange: { amount: 2, isPart: false } }, value(2), -1),
    'the check "rows" gives 2 (expected at most 2 from -1, as it was proven last)',
  );
});

Deno.test("judgeAnswer() takes no answer, an error, and what is no number for wrong", () => {
  assertEquals(judge({ min: 1 }, undefined), 'the check "rows" was not run');
  const error: Answer = { kind: "error", problem: "no such table: t" };
  assertEquals(judge({ min: 1 }, error), 'the check "rows" cannot be run: no such table: t');
  for (const wrong of [null, "", "many", " "]) {
    assertEquals(
      judge({ min: 1 }, value(wrong)),
      `the check "rows" gives ${JSON.stringify(wrong)} (expected a number)`,
    );
  }
});

Deno.test("judgeAnswer() shows of a long answer its beginning", () => {
  const said = judge({ equals: "5" }, value("x".repeat(1 << 20)));
  assertEquals(said, `the check "rows" gives "${"x".repeat(199)}... (expected 5)`);
});
