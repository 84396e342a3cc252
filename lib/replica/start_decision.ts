/** Where a replicator goes on, from what the replica already holds and what the shadow WAL can still supply. PURE. */
import type { Index, Offset } from "../position/position.ts";

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
}

export type StartDecision =
  | { readonly kind: "continue"; readonly index: Index; readonly offset: Offset }
  /** A snapshot first, then the WAL from the beginning of the snapshot's index. */
  | { readonly kind: "snapshot"; readonly reason: string }
  | { readonly kind: "new-generation"; readonly reason: string };

export function decideStart(facts: StartFacts): StartDecision {
  const { end, captured, oldest, newestSnapshot } = facts;
  if (end === undefined) {
    if (newestSnapshot === undefined) return { kind: "snapshot", reason: "the replica has none of this generation" };
    if (newestSnapshot > captured.index) return ahead();
    if (newestSnapshot < oldest) return { kind: "snapshot", reason: "the WAL after its snapshot is no longer at hand" };
    return { kind: "continue", index: newestSnapshot, offset: 0 as Offset };
  }
  if (end.index > captured.index || (end.index === captured.index && end.offset > captured.offset)) return ahead();
  if (facts.agrees === false) {
    return { kind: "new-generation", reason: "the replica holds other WAL than this host captured" };
  }
  const hasLaterSnapshot = newestSnapshot !== undefined && newestSnapshot > end.index &&
    newestSnapshot >= oldest && newestSnapshot <= captured.index;
  if (facts.agrees === undefined && hasLaterSnapshot) {
    return { kind: "continue", index: newestSnapshot, offset: 0 as Offset };
  }
  if (facts.agrees === undefined) {
    // Of an index that it holds, the shadow WAL never holds less than a replica that was written from it.
    if (end.index >= oldest) return ahead();
    return { kind: "snapshot", reason: "the WAL at the replica's end is no longer at hand" };
  }
  if (newestSnapshot === undefined) return { kind: "snapshot", reason: "the replica has none of this generation" };
  return { kind: "continue", index: end.index, offset: end.offset };
}

function ahead(): StartDecision {
  return { kind: "new-generation", reason: "the replica is ahead of this host" };
}
