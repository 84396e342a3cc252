/** Performs a retention plan on a replica, one deletion after the other; what was not reached is found again by the next plan. */
import type { Generation } from "../position/generation.ts";
import type { GenerationCatalog, GenerationStore } from "../store/generation_store.ts";
import { restorabilityOf } from "./restorability.ts";
import {
  abandonedBeforeMs,
  type Deletion,
  newestObjectMs,
  planRetention,
  type RetentionPlan,
  type RetentionPolicy,
} from "./retention_plan.ts";

export interface RetentionTools {
  readonly store: GenerationStore;
  readonly policy: RetentionPolicy;
  readonly nowMs: () => number;
  /** The generation that this host writes now; undefined where that is not known. */
  readonly own: () => Generation | undefined;
  /** Ends it between two deletions. */
  readonly signal: AbortSignal;
  /** Told of each deletion as it is done, or skipped, also when a later one fails; what it returns is waited for. */
  readonly note: (outcome: DeletionOutcome) => Promise<void> | void;
}

export type DeletionOutcome =
  | { readonly kind: "deleted"; readonly deletion: Deletion }
  | { readonly kind: "skipped"; readonly deletion: Deletion; readonly reason: string };

/** What one replica need not keep now, by what it holds. */
export async function lookAtRetention(
  { store, policy, nowMs, own }: Pick<RetentionTools, "store" | "policy" | "nowMs" | "own">,
): Promise<RetentionPlan> {
  const generations: GenerationCatalog[] = [];
  for (const generation of await store.generations()) generations.push(await store.catalog(generation));
  // Asked last: a generation that began after the listing is in no plan, one that began before it is known as ours.
  return planRetention({ generations, own: own(), nowMs: nowMs(), policy });
}

/** Throws what the store throws; then, and after an abort, the rest of the plan is not done. */
export async function applyRetention(plan: RetentionPlan, tools: RetentionTools): Promise<void> {
  const looked = new Map<Generation, string | undefined>();
  for (const deletion of plan.deletions) {
    if (tools.signal.aborted) return;
    const { generation } = deletion;
    if (!looked.has(generation)) looked.set(generation, await whyNot(deletion, plan, tools));
    const reason = looked.get(generation);
    if (reason === undefined) await remove(tools.store, deletion);
    await tools.note(
      reason === undefined ? { kind: "deleted", deletion } : { kind: "skipped", deletion, reason },
    );
  }
}

/** Time has passed since the plan: another host may have come back, or somebody else may have removed things as well. */
async function whyNot(
  { kind, generation }: Deletion,
  { haven }: RetentionPlan,
  { store, policy, nowMs, own }: RetentionTools,
): Promise<string | undefined> {
  if (kind !== "generation") return generation === own() ? undefined : "it is no longer the generation that is written";
  if (generation === own()) return "it is the generation that is written";
  if (haven === undefined || restorabilityOf(await store.catalog(haven)) === "none") {
    return `generation ${haven ?? "-"} was to remain, and can no longer be restored`;
  }
  const newestMs = newestObjectMs(await store.catalog(generation));
  const isAbandoned = newestMs === undefined || newestMs < abandonedBeforeMs(policy, nowMs());
  return isAbandoned ? undefined : `somebody wrote to it meanwhile, at ${new Date(newestMs).toISOString()}`;
}

async function remove(store: GenerationStore, deletion: Deletion): Promise<void> {
  switch (deletion.kind) {
    case "snapshot":
      return await store.removeSnapshot(deletion.generation, deletion.index);
    case "wal":
      return await store.removeWal(deletion.generation, deletion.index);
    case "generation":
      return await store.removeGeneration(deletion.generation);
  }
}
