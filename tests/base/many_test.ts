import { addAll, largestOf, smallestOf } from "../../lib/base/many.ts";
import { formatTable } from "../../lib/cli/table.ts";
import { assertEquals } from "../support/assert.ts";

/** More than any call takes as parameters. */
const MANY = 1_000_000;

Deno.test("largestOf(), smallestOf() and addAll() take lists of any length", () => {
  const list: number[] = [];
  addAll(list, Array.from({ length: MANY }, (_, at) => at));
  assertEquals([list.length, smallestOf(list), largestOf(list)], [MANY, 0, MANY - 1]);
  assertEquals([smallestOf([]), largestOf([])], [Infinity, -Infinity]);
});

Deno.test("formatTable() shows more rows than a call takes parameters", () => {
  const rows = Array.from({ length: 200_000 }, () => ["a"]);
  assertEquals(formatTable([{ title: "n" }], rows).length, 2 + 2 * rows.length);
});
