import { formatSeen, isUnwritten } from "../../lib/database/seen_file.ts";
import { assertEquals } from "../support/assert.ts";

const LOOK = { size: 8_192, modifiedAtMs: 1_000_400, changedAtMs: 1_000_000 };
const NOTED_AT = 1_001_020;

const rows: readonly (readonly [string, string | undefined, Partial<typeof LOOK>, boolean])[] = [
  ["as it was", formatSeen(LOOK, NOTED_AT), {}, true],
  ["changed within the second that had not ended when it was noted", formatSeen(LOOK, NOTED_AT - 1), {}, false],
  [
    "changed later, with the time of modification put back",
    formatSeen(LOOK, NOTED_AT),
    { changedAtMs: 1_002_000 },
    false,
  ],
  ["of another size", formatSeen(LOOK, NOTED_AT), { size: 4_096 }, false],
  ["modified at another time", formatSeen(LOOK, NOTED_AT), { modifiedAtMs: 1_000_401 }, false],
  ["changed by a clock that was ahead", formatSeen({ ...LOOK, changedAtMs: 9_000_000 }, NOTED_AT), {
    changedAtMs: 9_000_000,
  }, false],
  ["of which nothing was noted", undefined, {}, false],
  ["of which a later version noted something", formatSeen(LOOK, NOTED_AT).replace("1 ", "2 "), {}, false],
  ["of which half a line was noted", formatSeen(LOOK, NOTED_AT).slice(0, 12), {}, false],
  ["of which the time of the note is missing", formatSeen(LOOK, NOTED_AT).split(" ").slice(0, 4).join(" "), {}, false],
];

for (const [what, noted, now, wanted] of rows) {
  Deno.test(`isUnwritten() of a file ${what}: ${wanted}`, () => {
    assertEquals(isUnwritten(noted, { ...LOOK, ...now }), wanted);
  });
}

Deno.test("isUnwritten() of a file system that keeps no time of change: false", () => {
  const look = { ...LOOK, changedAtMs: undefined };
  assertEquals(isUnwritten(formatSeen(look, NOTED_AT), look), false);
});
