/** Where a replicator goes on, from what the replica already holds and what the shadow WAL can still supply. PURE. */
import { asIndex, type Index, type Offset } from "../position/position.ts";
import type { CatchUpDecision } from "./catch_up_decision.ts";

export interface StartFacts {
  /** Newest whole snapshot that the replica holds of this generation; an image without its record counts for nobody. */
  readonly newestSnapshot: Index | undefined;
  /** End of the WAL that the replica holds of this generation. */
  readonly end: { readonly index: Index; readonly offset: Offset; readonly closed: boolean } | undefined;
  /** The oldest index of the shadow WAL, and the end of what is captured. */
  readonly oldest: Index;
  readonly captured: { readonly index: Index; readonly offset: Offset };
  /** Whether shadow and replica agree at `end`; undefined when the shadow WAL does not hold that position. */
  readonly agrees: boolean | undefined;
  /** The captured index, or a later one, has a snapshot that is never replaced, whatever state it is in. */
  readonly isSnapshotNameTaken?: boolean;
  /** Why no restore from the newest snapshot gets to `end`; undefined when one does. */
  readonly brokenBecause?: string | undefined;
  /** The replica ends in a catch-up, and not in anything of the shadow WAL's. */
  readonly isCatchUpUnfinished?: boolean;
  /** The index at `end` is complete on the replica, and is the one that was captured. Asked where `agrees` is undefined. */
  readonly isEndComplete?: boolean;
  /** Asked where `agrees` is undefined. */
  readonly catchUp?: CatchUpDecision | undefined;
}

export type StartDecision =
  | { readonly kind: "continue"; readonly index: Index; readonly offset: Offset }
  /** The pages that changed since, then the WAL from the beginning of the captured index. */
  | { readonly kind: "catch-up"; readonly reason: string }
  /** A snapshot first, then the WAL from the beginning of the snapshot's index. */
  | { readonly kind: "snapshot"; readonly reason: string }
  | { readonly kind: "new-generation"; readonly reason: string };

const GONE = "the WAL at the replica's end is no longer at hand";

export function decideStart(facts: StartFacts): StartDecision {
  const decision = decideWhereToGoOn(facts);
  if (decision.kind !== "snapshot" || facts.isSnapshotNameTaken !== true) return decision;
  return {
    kind: "new-generation",
    reason: `${decision.reason}, and the present index has a snapshot that does not serve`,
  };
}

function decideWhereToGoOn(facts: StartFacts): StartDecision {
  const { end, captured, oldest, newestSnapshot } = facts;
  if (end === undefined) {
    if (newestSnapshot === undefined) return { kind: "snapshot", reason: "the replica has none of this generation" };
    if (newestSnapshot > captured.index) return ahead();
    if (newestSnapshot < oldest) return { kind: "snapshot", reason: "the WAL after its snapshot is no longer at hand" };
    return { kind: "continue", index: newestSnapshot, offset: 0 as Offset };
  }
  if (facts.isCatchUpUnfinished === true) {
    return { kind: "snapshot", reason: "bringing the replica forward was interrupted" };
  }
  if (end.index > captured.index || (end.index === captured.index && end.offset > captured.offset)) return ahead();
  if (facts.agrees === false) {
    return { kind: "new-generation", reason: "the replica holds other WAL than this host captured" };
  }
  const hasLaterSnapshot = newestSnapshot !== undefined && newestSnapshot > end.index &&
    newestSnapshot >= oldest && newestSnapshot <= captured.index;
  if (facts.agrees === undefined && hasLaterSnapshot) {
    // Litestream restores nothing from a snapshot that is more than one index ahead of all WAL.
    const before = asIndex(newestSnapshot - 1);
    const isAhead = captured.index === newestSnapshot && captured.offset === 0 && before > end.index;
    return { kind: "continue", index: isAhead && before >= oldest ? before : newestSnapshot, offset: 0 as Offset };
  }
  // Of an index that it holds, the shadow WAL never holds less than a replica that was written from it.
  if (facts.agrees === undefined && end.index >= oldest) return ahead();
  if (newestSnapshot === undefined) {
    const none = facts.agrees === true ? "the replica has none of this generation" : GONE;
    return { kind: "snapshot", reason: facts.brokenBecause ?? none };
  }
  if (facts.brokenBecause !== undefined) return { kind: "snapshot", reason: facts.brokenBecause };
  if (facts.agrees === true) return { kind: "continue", index: end.index, offset: end.offset };
  if (facts.isEndComplete === true && end.index + 1 >= oldest) {
    return { kind: "continue", index: asIndex(end.index + 1), offset: 0 as Offset };
  }
  if (facts.catchUp?.kind === "catch-up") return { kind: "catch-up", reason: GONE };
  const because = facts.catchUp === undefined ? "" : `, and ${facts.catchUp.because}`;
  return { kind: "snapshot", reason: `${GONE}${because}` };
}

function ahead(): StartDecision {
  return { kind: "new-generation", reason: "the replica is ahead of this host" };
}
