import type { InspectionResult } from "../../lib/sqlite/inspection.ts";
import { Inside } from "../../lib/verify/inside.ts";
import { outcomeOf } from "../../lib/verify/judgement.ts";
import { assertEquals } from "../support/assert.ts";

/** What came of the structure, and whether that is a fault of the replica. */
async function structureOf(found: InspectionResult, isEqual: boolean): Promise<string> {
  const inside = new Inside({}, {
    inspect: () => Promise.resolve(found),
    signal: new AbortController().signal,
  });
  await inside.look("restored.db", false);
  const { findings, instead } = inside.structure(isEqual);
  return findings.map(outcomeOf)[0] ?? instead ?? "pass";
}

Deno.test("Inside.structure(): what cannot be looked into is not available in what is equal, and a fault in what is not known to be", async () => {
  const rows: readonly (readonly [InspectionResult, string, string])[] = [
    [{ kind: "not-understood", problem: 'near "NEWER": syntax error' }, "not-available", "fail"],
    // Of pages, not of words: no newer version of SQLite would take it.
    [{ kind: "not-understood", problem: "malformed database schema (entry) - invalid rootpage" }, "fail", "fail"],
    [{ kind: "not-understood", problem: "malformed database schema (i) - orphan index" }, "fail", "fail"],
    [{ kind: "unreadable", problem: "file is not a database" }, "not-available", "fail"],
  ];
  for (const [found, equal, unknown] of rows) {
    const what = JSON.stringify(found);
    assertEquals([await structureOf(found, true), await structureOf(found, false)], [equal, unknown], what);
  }
});
