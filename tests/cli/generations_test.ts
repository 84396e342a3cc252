import { lagOf } from "../../lib/cli/generations.ts";
import { assertEquals } from "../support/assert.ts";

const NOW = 1_000_000_000;
const DAY = 24 * 3_600_000;

for (
  const [row, lastMs, changedMs, lagMs] of [
    ["the database changed later", NOW - 5_000, NOW - 1_000, 4_000],
    ["nothing was written since", NOW - 1_000, NOW - 5_000, 0],
    ["the newest time lies in the future", NOW + DAY, NOW - 1_000, undefined],
    ["the replica holds nothing", undefined, NOW - 1_000, undefined],
    ["the database is gone", NOW - 1_000, undefined, undefined],
  ] as const
) {
  Deno.test(`lagOf() where ${row}: ${lagMs}`, () => assertEquals(lagOf(lastMs, changedMs, NOW), lagMs));
}
