import { decideDeparture, type DepartureDecision, type DepartureFacts } from "../../lib/database/departure_decision.ts";
import { assertEquals } from "../support/assert.ts";

/** The application has gone for good, and frames wait to be copied. */
function facts(overrides: Partial<DepartureFacts>): DepartureFacts {
  return {
    isAlone: true,
    msAlone: 1_000,
    frames: 10,
    backfilled: 4,
    isEmpty: false,
    isBlank: false,
    msSinceLastTry: Infinity,
    ...overrides,
  };
}

const rows: readonly (readonly [string, Partial<DepartureFacts>, DepartureDecision])[] = [
  ["frames are left", {}, "copy"],
  ["frames are left, and it has gone just now", { msAlone: 0 }, "copy"],
  ["somebody has it open", { isAlone: false }, "nothing"],
  ["somebody has it open, and all is copied", { isAlone: false, backfilled: 10 }, "nothing"],
  ["the last try was a moment ago", { msSinceLastTry: 10 }, "nothing"],
  ["all is copied", { backfilled: 10 }, "empty"],
  ["all is copied, and it has gone just now", { backfilled: 10, msAlone: 0 }, "nothing"],
  ["the application emptied the WAL itself", { frames: 0, backfilled: 0, isEmpty: true }, "empty"],
  ["the wal-index is new, the WAL is not", { frames: 0, backfilled: 0, isBlank: true }, "empty"],
  ["nothing is left", { frames: 0, backfilled: 0, isEmpty: true, isBlank: true }, "nothing"],
];

for (const [name, overrides, expected] of rows) {
  Deno.test(`decideDeparture(): ${name}: ${expected}`, () => assertEquals(decideDeparture(facts(overrides)), expected));
}
