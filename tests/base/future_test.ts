import { isFuture, timeAfter } from "../../lib/base/future.ts";
import { limits } from "../../lib/base/limits.ts";
import { assertEquals } from "../support/assert.ts";

const NOW = 1_000_000_000;
const TOLERANCE = limits.clockAheadMaxMs;

for (
  const [row, timeMs, future, after] of [
    ["the past", NOW - 1, false, NOW],
    ["now", NOW, false, NOW],
    ["as far ahead as clocks differ", NOW + TOLERANCE, false, NOW + TOLERANCE],
    ["further ahead than clocks differ", NOW + TOLERANCE + 1, true, NOW],
    ["thirty days ahead", NOW + 30 * 24 * 3_600_000, true, NOW],
  ] as const
) {
  Deno.test(`isFuture() and timeAfter() of ${row}: ${future}`, () => {
    assertEquals([isFuture(timeMs, NOW), timeAfter(timeMs, NOW)], [future, after]);
  });
}
