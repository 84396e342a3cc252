import { assert } from "../base/assert.ts";
import { type ErrorCode, ReplicationError } from "../base/errors.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import { restoreError } from "./failure.ts";
import { expectReadable, gatherFacts } from "./gather.ts";
import type { GenerationFacts } from "./history.ts";
import { planRestore, type RefusedPlan, type RestorePlan } from "./plan.ts";
import { impossibleSize } from "./room.ts";
import { withMoment } from "./snapshot_moment.ts";
import type { RestoreTarget } from "./target.ts";

export interface RestoreReplica {
  readonly name: string;
  readonly store: GenerationStore;
}

export interface Candidate {
  readonly replica: RestoreReplica;
  readonly plan: RestorePlan;
}

export interface Unfit {
  readonly replica: RestoreReplica;
  readonly error: ReplicationError;
}

export interface Choices {
  /** The newest point first; of equal ones the replica that the config names first. */
  readonly candidates: readonly Candidate[];
  /** Replicas that cannot serve, and why. */
  readonly unfit: readonly Unfit[];
}

export async function findChoices(replicas: readonly RestoreReplica[], target: RestoreTarget): Promise<Choices> {
  const candidates: Candidate[] = [];
  const unfit: Unfit[] = [];
  for (const replica of replicas) {
    try {
      const facts = await gatherFacts(replica.store, target);
      expectReadable("restore from", facts, replica.store.description);
      const plan = planPossible(await planProven(replica.store, facts, target));
      if (plan.kind === "plan") candidates.push({ replica, plan });
      else unfit.push({ replica, error: restoreError(target, replica.store.description, plan) });
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      unfit.push({ replica, error });
    }
  }
  return { candidates: sortByNewest(candidates), unfit };
}

/** What depends on the moment of a snapshot of Litestream's is planned again when that is known. */
async function planProven(
  store: GenerationStore,
  facts: readonly GenerationFacts[],
  target: RestoreTarget,
): Promise<RestorePlan | RefusedPlan> {
  const plan = planRestore(facts, target);
  if (plan.kind === "refused" || !plan.isWithinSnapshotIndex) return plan;
  const own = facts.find(({ catalog }) => catalog.generation === plan.generation);
  assert(own !== undefined, "a plan is of one of the generations");
  const known = await withMoment(store, own, plan.snapshot);
  return planRestore(facts.map((other) => other === own ? known : other), target);
}

function planPossible(plan: RestorePlan | RefusedPlan): RestorePlan | RefusedPlan {
  const problem = plan.kind === "plan" ? impossibleSize(plan) : undefined;
  if (problem === undefined) return plan;
  return { kind: "refused", code: "corrupt", problem, advice: "choose an earlier point by --at or --position" };
}

function sortByNewest(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.toSorted((a, b) => b.plan.end.capturedAtMs - a.plan.end.capturedAtMs);
}

const LEAST_TELLING: ErrorCode = "not-found";

/**
 * The error that stands for all when no replica serves: damage first; "nothing there" only when every replica said so,
 * since one that could not be asked may hold a copy.
 */
export function decisiveError(unfit: readonly Unfit[]): ReplicationError | undefined {
  const errors = unfit.map(({ error }) => error);
  return errors.find(({ code }) => code === "corrupt" || code === "gap" || code === "foreign") ??
    errors.find(({ code }) => code !== LEAST_TELLING) ?? errors[0];
}
