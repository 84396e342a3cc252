import { slotOfReader } from "../../lib/database/reader_slot.ts";
import { assertEquals } from "../support/assert.ts";

const UNUSED = 0xffffffff;

const rows: readonly (readonly [string, readonly number[], number, number])[] = [
  ["after a recovery", [0, 0, UNUSED, UNUSED, UNUSED], 9, 1],
  ["a slot up to date", [0, 5, 9, 7, UNUSED], 9, 2],
  ["marks beyond the last restart", [0, 0, 700, 650, UNUSED], 9, 1],
  ["two slots with the same mark", [0, 9, 9, UNUSED, UNUSED], 9, 2],
  ["none that can be shared", [0, 12, 13, UNUSED, UNUSED], 9, 0],
];

for (const [what, marks, mxFrame, wanted] of rows) {
  Deno.test(`slotOfReader() with ${what}: ${wanted}`, () => assertEquals(slotOfReader(marks, mxFrame), wanted));
}
