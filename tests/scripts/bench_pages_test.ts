import { slowdownPercent } from "../../scripts/bench_pages.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("slowdownPercent() compares within each round, and takes the median", () => {
  const rounds = [[100, 110], [10, 30], [200, 210]].map(([plainMs = 0, withTableMs = 0]) => ({ plainMs, withTableMs }));
  assertEquals(Math.round(slowdownPercent(rounds)), 10);
});
