/** Where to go on after being away: what is found decides, with a reason. PURE. */
export interface ResumeFacts {
  /** Why the state cannot be used at all; undefined when it can. */
  readonly stateProblem: string | undefined;
  /** What happened to the files while they were watched, after which nothing that stands there is proof. */
  readonly brokenBecause: string | undefined;
  /** Whether the last captured life had been declared complete (its successor had been seen). */
  readonly lastLifeClosed: boolean;
  /** Whether there is a last captured life at all; a generation may have been left before its first frame. */
  readonly hasLastLife: boolean;
  /** The last index was ended by a resync: no life of the application's can be judged against it. */
  readonly lastEndsInResync: boolean;
  readonly sameSalts: boolean;
  /** salt-1 is the old one plus 1: exactly one restart since. */
  readonly restartedOnce: boolean;
  /** mxFrame of the live WAL, and frames captured of the last life. */
  readonly committed: number;
  readonly captured: number;
  /** Every captured byte stands in the live WAL. Only asked under the same salts. */
  readonly sameBytes: boolean;
  /** Whether the database file is the one that was captured: beside the same WAL it may be another. */
  readonly databaseFile: "same" | "other" | "unknown";
  /** The database file does not hold the pages that were copied into it: another one was copied over it. */
  readonly isOverwritten: boolean;
  /** Why it is not shown that nobody has written into the database file meanwhile; undefined when it is. */
  readonly perhapsWritten: string | undefined;
  /** Why the last life cannot be shown to have been complete; undefined when it can. Only asked after one restart. */
  readonly incompleteBecause: string | undefined;
}

export type ResumeDecision =
  /** With `compareBecause` only if every page without frames in the present life is the captured one. */
  | { readonly kind: "continue" | "next-index"; readonly compareBecause?: string }
  | { readonly kind: "new-generation"; readonly reason: string };

export function decideResume(facts: ResumeFacts): ResumeDecision {
  if (facts.stateProblem !== undefined) return newGeneration(facts.stateProblem);
  if (facts.brokenBecause !== undefined) return newGeneration(facts.brokenBecause);
  // What the WAL shows is of no use then, and this is what a person must know who has put a file there.
  if (facts.databaseFile === "other") {
    return newGeneration("the database file is another one than that which was captured");
  }
  if (!facts.hasLastLife) return newGeneration("nothing had been captured before the program was away");
  if (facts.lastEndsInResync) return newGeneration("nothing was captured since the last resync");
  const decision = decideByWal(facts);
  if (decision.kind === "new-generation") return decision;
  if (facts.databaseFile === "unknown") return newGeneration("it is not known which database file was captured");
  const { perhapsWritten } = facts;
  return perhapsWritten === undefined ? decision : { kind: decision.kind, compareBecause: perhapsWritten };
}

/** Continuity as the WAL shows it, which rests on the database file below it being what was captured. */
function decideByWal(facts: ResumeFacts): ResumeDecision {
  if (facts.sameSalts) {
    if (facts.lastLifeClosed) return newGeneration("the WAL is one that had already been left");
    if (facts.committed < facts.captured) return newGeneration("the WAL ends before what was captured");
    if (facts.isOverwritten) return newGeneration("the database file was overwritten in place");
    return facts.sameBytes ? { kind: "continue" } : newGeneration("the WAL holds other frames than those captured");
  }
  if (!facts.restartedOnce) return newGeneration("the WAL was restarted or removed while nobody watched");
  // Also behind a life that was seen to be over: an earlier copy of the files may have been restarted in its place.
  if (facts.incompleteBecause !== undefined) return newGeneration(facts.incompleteBecause);
  return { kind: facts.lastLifeClosed ? "continue" : "next-index" };
}

function newGeneration(reason: string): ResumeDecision {
  return { kind: "new-generation", reason };
}
