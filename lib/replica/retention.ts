/** Performs a retention plan on a replica, one deletion after the other; what was not reached is found again by the next plan. */
import type { Generation } from "../position/generation.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import {
  abandonedBeforeMs,
  type Deletion,
  isWhole,
  newestObjectMs,
  type RetentionPlan,
  type RetentionPolicy,
} from "./retention_plan.ts";

export interface RetentionTools {
  readonly store: GenerationStore;
  readonly policy: RetentionPolicy;
  readonly nowMs: () => number;
  /** Ends it between two deletions. */
  readonly signal: AbortSignal;
  /** Told of each deletion as it is done, or skipped, also when a later one fails. */
  readonly note: (outcome: DeletionOutcome) => void;
}

export type DeletionOutcome =
  | { readonly kind: "deleted"; readonly deletion: Deletion }
  | { readonly kind: "skipped"; readonly deletion: Deletion; readonly reason: string };

/** Throws what the store throws; then, and after an abort, the rest of the plan is not done. */
export async function applyRetention(plan: RetentionPlan, tools: RetentionTools): Promise<void> {
  for (const deletion of plan.deletions) {
    if (tools.signal.aborted) return;
    const reason = deletion.kind === "generation" ? await whyNot(deletion.generation, plan.haven, tools) : undefined;
    if (reason !== undefined) {
      tools.note({ kind: "skipped", deletion, reason });
      continue;
    }
    await remove(tools.store, deletion);
    tools.note({ kind: "deleted", deletion });
  }
}

/** Time has passed since the plan: another host may have come back, or somebody else may have removed things as well. */
async function whyNot(
  generation: Generation,
  haven: Generation | undefined,
  { store, policy, nowMs }: RetentionTools,
): Promise<string | undefined> {
  if (haven === undefined || !await hasWholeSnapshot(store, haven)) {
    return `generation ${haven ?? "-"} was to remain, and can no longer be restored`;
  }
  const newestMs = newestObjectMs(await store.catalog(generation));
  const isAbandoned = newestMs === undefined || newestMs < abandonedBeforeMs(policy, nowMs());
  return isAbandoned ? undefined : `somebody wrote to it meanwhile, at ${new Date(newestMs).toISOString()}`;
}

async function hasWholeSnapshot(store: GenerationStore, generation: Generation): Promise<boolean> {
  const catalog = await store.catalog(generation);
  return catalog.snapshots.some((entry) => isWhole(catalog, entry));
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
