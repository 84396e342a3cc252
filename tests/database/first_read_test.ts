import { decideFirstRead, type FirstReadFacts } from "../../lib/database/first_read.ts";
import { limits } from "../../lib/base/limits.ts";
import { assertEquals } from "../support/assert.ts";

const READY: FirstReadFacts = { walBytes: 4_152, journalBytes: 0, isWal: true };
const LONG_WAL = limits.recoveredAtOnceBytes + 1;

const ROWS: readonly [string, Partial<FirstReadFacts>, string, boolean][] = [
  ["a short WAL", {}, "short", false],
  ["no WAL", { walBytes: 0 }, "short", false],
  ["what may be encrypted", { isWal: undefined }, "short", false],
  ["a long WAL", { walBytes: LONG_WAL }, "the WAL may have to be recovered", false],
  [
    "a long WAL of what may be encrypted",
    { walBytes: LONG_WAL, isWal: undefined },
    "the WAL may have to be recovered",
    false,
  ],
  ["a journal", { journalBytes: 1 }, "a journal is rolled back", true],
  ["another mode", { walBytes: 0, isWal: false }, "its mode is changed to WAL", true],
  ["another mode and a journal", { journalBytes: 1, isWal: false }, "a journal is rolled back", true],
];

for (const [name, facts, expected, mayWrite] of ROWS) {
  Deno.test(`decideFirstRead() of ${name}: ${expected}`, () => {
    const decision = decideFirstRead({ ...READY, ...facts });
    assertEquals(decision.kind === "short" ? "short" : decision.reason, expected);
    if (decision.kind !== "long") return;
    assertEquals([decision.mayWrite, decision.enableWal], [mayWrite, facts.isWal === false]);
  });
}
