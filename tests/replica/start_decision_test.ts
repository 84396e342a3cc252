import { asIndex, asOffset } from "../../lib/position/position.ts";
import { decideStart, type StartDecision, type StartFacts } from "../../lib/replica/start_decision.ts";
import { assertEquals } from "../support/assert.ts";

interface Numbers {
  readonly snapshot?: number | undefined;
  readonly end?: readonly [index: number, offset: number, closed?: "closed"] | undefined;
  readonly oldest?: number;
  readonly captured?: readonly [index: number, offset: number];
  readonly agrees?: boolean | undefined;
  readonly more?: Partial<
    Pick<StartFacts, "brokenBecause" | "isSnapshotNameTaken" | "isCatchUpUnfinished" | "isEndComplete" | "catchUp">
  >;
}

/** The replica holds the snapshot 2 and WAL up to 5:1000, the shadow WAL 4:0 to 6:500. */
function facts(overrides: Numbers): StartFacts {
  const { snapshot, end, oldest, captured, agrees, more } = {
    snapshot: 2,
    end: [5, 1_000] as const,
    oldest: 4,
    captured: [6, 500] as const,
    agrees: true,
    ...overrides,
  };
  return {
    newestSnapshot: snapshot === undefined ? undefined : asIndex(snapshot),
    end: end && { index: asIndex(end[0]), offset: asOffset(end[1]), closed: end[2] === "closed" },
    oldest: asIndex(oldest),
    captured: { index: asIndex(captured[0]), offset: asOffset(captured[1]) },
    agrees,
    ...more,
  };
}

function goOn(index: number, offset: number): StartDecision {
  return { kind: "continue", index: asIndex(index), offset: asOffset(offset) };
}

function snapshot(reason: string): StartDecision {
  return { kind: "snapshot", reason };
}

const none = "the replica has none of this generation";
const gone = "the WAL at the replica's end is no longer at hand";
const goneAfterSnapshot = "the WAL after its snapshot is no longer at hand";
const ahead: StartDecision = { kind: "new-generation", reason: "the replica is ahead of this host" };
const other: StartDecision = {
  kind: "new-generation",
  reason: "the replica holds other WAL than this host captured",
};
const nothing = { snapshot: undefined, end: undefined, agrees: undefined };

const rows: readonly (readonly [string, Numbers, StartDecision])[] = [
  ["agreeing WAL", {}, goOn(5, 1_000)],
  ["agreeing WAL of a closed index", { end: [5, 1_000, "closed"] }, goOn(5, 1_000)],
  ["everything that is captured", { end: [6, 500] }, goOn(6, 500)],
  ["an index of which it has nothing yet", { end: [6, 0] }, goOn(6, 0)],
  ["nothing", nothing, snapshot(none)],
  ["WAL without any snapshot", { snapshot: undefined }, snapshot(none)],
  ["a snapshot without WAL", { ...nothing, snapshot: 4 }, goOn(4, 0)],
  ["a snapshot of the present index without WAL", { ...nothing, snapshot: 6 }, goOn(6, 0)],
  ["a snapshot without WAL that is no longer at hand", { ...nothing, snapshot: 3 }, snapshot(goneAfterSnapshot)],
  ["a snapshot of an index to come", { ...nothing, snapshot: 7 }, ahead],
  ["more of the present index", { end: [6, 501] }, ahead],
  ["a later index", { end: [7, 0] }, ahead],
  ["a later index, which agrees with nothing", { end: [7, 400], agrees: undefined }, ahead],
  ["more of an older index than was captured", { end: [5, 9_000], agrees: undefined }, ahead],
  ["other WAL", { agrees: false }, other],
  ["other WAL in an index that was closed", { end: [5, 1_000, "closed"], agrees: false }, other],
  ["WAL that ends before the shadow WAL begins", { end: [3, 900], agrees: undefined }, snapshot(gone)],
  ["a closed index right before the shadow WAL", { end: [3, 900, "closed"], agrees: undefined }, snapshot(gone)],
  [
    "WAL that ends early, but a later snapshot",
    { snapshot: 5, end: [3, 900], agrees: undefined },
    goOn(5, 0),
  ],
  [
    "WAL that ends early, and a snapshot of an index that has no WAL yet",
    { snapshot: 6, end: [3, 900], captured: [6, 0], agrees: undefined },
    goOn(5, 0),
  ],
  [
    "WAL that ends early, and such a snapshot of the oldest index",
    { snapshot: 6, end: [3, 900], oldest: 6, captured: [6, 0], agrees: undefined },
    goOn(6, 0),
  ],
  [
    "WAL that ends early, and a later snapshot that is no longer at hand either",
    { snapshot: 3, end: [1, 900], agrees: undefined },
    snapshot(gone),
  ],
  [
    "a complete index right before the shadow WAL",
    { end: [3, 900, "closed"], agrees: undefined, more: { isEndComplete: true } },
    goOn(4, 0),
  ],
  [
    "a complete index, and one missing behind it",
    { end: [2, 900, "closed"], agrees: undefined, more: { isEndComplete: true } },
    snapshot(gone),
  ],
  [
    "an end that is gone, and all changes since known",
    { end: [3, 900], agrees: undefined, more: { catchUp: { kind: "catch-up" } } },
    { kind: "catch-up", reason: gone },
  ],
  [
    "an end that is gone, and more changes than a snapshot has",
    { end: [3, 900], agrees: undefined, more: { catchUp: { kind: "no", because: "all pages changed since" } } },
    snapshot(`${gone}, and all pages changed since`),
  ],
  ["a gap in its middle", { more: { brokenBecause: "index 3 is missing" } }, snapshot("index 3 is missing")],
  [
    "a gap in its middle, and a snapshot of the present index that does not serve",
    { more: { brokenBecause: "index 3 is missing", isSnapshotNameTaken: true } },
    {
      kind: "new-generation",
      reason: "index 3 is missing, and the present index has a snapshot that does not serve",
    },
  ],
  [
    "a catch-up that was interrupted",
    { more: { isCatchUpUnfinished: true } },
    snapshot("bringing the replica forward was interrupted"),
  ],
];

for (const [row, overrides, decision] of rows) {
  Deno.test(`decideStart() of a replica with ${row}: ${decision.kind}`, () => {
    assertEquals(decideStart(facts(overrides)), decision);
  });
}
