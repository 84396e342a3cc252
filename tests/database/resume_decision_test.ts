import { decideResume, type ResumeDecision, type ResumeFacts } from "../../lib/database/resume_decision.ts";
import { assertEquals } from "../support/assert.ts";

/** Nothing has happened while we were away. */
function facts(overrides: Partial<ResumeFacts> = {}): ResumeFacts {
  return {
    stateProblem: undefined,
    brokenBecause: undefined,
    lastLifeClosed: false,
    hasLastLife: true,
    lastEndsInResync: false,
    sameSalts: true,
    restartedOnce: false,
    committed: 10,
    captured: 10,
    isOverwritten: false,
    sameBytes: true,
    databaseFile: "same",
    perhapsWritten: undefined,
    incompleteBecause: undefined,
    ...overrides,
  };
}

const restarted: Partial<ResumeFacts> = { sameSalts: false, restartedOnce: true, sameBytes: false, committed: 3 };

function anew(reason: string): ResumeDecision {
  return { kind: "new-generation", reason };
}

const rows: readonly (readonly [string, Partial<ResumeFacts>, ResumeDecision])[] = [
  ["nothing new", {}, { kind: "continue" }],
  ["more frames", { committed: 12 }, { kind: "continue" }],
  ["a file that may have been written", { perhapsWritten: "why" }, { kind: "continue", compareBecause: "why" }],
  [
    "one restart, and a file that may have been written",
    { ...restarted, perhapsWritten: "why" },
    { kind: "next-index", compareBecause: "why" },
  ],
  [
    "another database file, which may have been written too",
    { databaseFile: "other", perhapsWritten: "why" },
    anew("the database file is another one than that which was captured"),
  ],
  ["another database under the same WAL", { isOverwritten: true }, anew("the database file was overwritten in place")],
  ["everything as it was, but beside another file", { brokenBecause: "it was replaced" }, anew("it was replaced")],
  [
    "everything as it was, but another database file",
    { databaseFile: "other" },
    anew("the database file is another one than that which was captured"),
  ],
  [
    "one restart, and another database file",
    { ...restarted, databaseFile: "other" },
    anew("the database file is another one than that which was captured"),
  ],
  [
    "the next life of the one that was closed, and a state that does not name its file",
    { ...restarted, lastLifeClosed: true, databaseFile: "unknown" },
    anew("it is not known which database file was captured"),
  ],
  [
    "another database file, and a WAL that proves nothing either",
    { ...restarted, restartedOnce: false, databaseFile: "other" },
    anew("the database file is another one than that which was captured"),
  ],
  [
    "another database file, and nothing captured since the last resync",
    { lastEndsInResync: true, databaseFile: "other" },
    anew("the database file is another one than that which was captured"),
  ],
  ["no usable state", { stateProblem: "the state is gone" }, anew("the state is gone")],
  [
    "no usable state, whatever else is found",
    { ...restarted, stateProblem: "the state is gone" },
    anew("the state is gone"),
  ],
  [
    "nothing captured before",
    { hasLastLife: false, sameSalts: false },
    anew("nothing had been captured before the program was away"),
  ],
  ["fewer frames than captured", { committed: 9, sameBytes: false }, anew("the WAL ends before what was captured")],
  [
    "other frames behind the same salts",
    { committed: 12, sameBytes: false },
    anew("the WAL holds other frames than those captured"),
  ],
  ["the WAL of a life that was left", { lastLifeClosed: true }, anew("the WAL is one that had already been left")],
  ["one restart after a complete life", restarted, { kind: "next-index" }],
  [
    "one restart after a life that may not be complete",
    { ...restarted, incompleteBecause: "more had been written" },
    anew("more had been written"),
  ],
  [
    "one restart after a life that was closed, and whose place something else may have taken",
    { ...restarted, lastLifeClosed: true, incompleteBecause: "other frames stand there" },
    anew("other frames stand there"),
  ],
  ["the life that follows the one that was closed", { ...restarted, lastLifeClosed: true }, { kind: "continue" }],
  [
    "several restarts",
    { ...restarted, restartedOnce: false },
    anew("the WAL was restarted or removed while nobody watched"),
  ],
  [
    "several restarts after the life that was closed",
    { ...restarted, restartedOnce: false, lastLifeClosed: true },
    anew("the WAL was restarted or removed while nobody watched"),
  ],
];

for (const [row, overrides, decision] of rows) {
  Deno.test(`decideResume() with ${row}: ${decision.kind}`, () => {
    assertEquals(decideResume(facts(overrides)), decision);
  });
}
