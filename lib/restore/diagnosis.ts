import type { GenerationStore } from "../store/generation_store.ts";
import { nameObject } from "../position/object_names.ts";
import type { RestoreFailure } from "./failure.ts";
import { comparePlaces, type Point, pointOf } from "./history.ts";
import type { RestorePlan } from "./plan.ts";
import { DamagedWal, oldestFirst } from "./wal_chunks.ts";

/**
 * A restore works newest first and stops at the damage it meets first; what is still reachable depends on the oldest one.
 * Reads the plan's WAL once more, in order, up to there.
 */
export async function diagnose(plan: RestorePlan, store: GenerationStore, met: DamagedWal): Promise<RestoreFailure> {
  const damage = await firstDamage(plan, store) ?? met;
  const { generation } = plan;
  const key = nameObject(plan, damage.index, "wal");
  const problem = `${key} is damaged after byte ${damage.intactTo}: ${damage.problem}`;
  const point = await lastPoint(plan, store, damage);
  return { code: "corrupt", problem, ...(point === undefined ? {} : { reachable: { generation, point } }) };
}

async function firstDamage(plan: RestorePlan, store: GenerationStore): Promise<DamagedWal | undefined> {
  try {
    for await (const _ of oldestFirst(plan, store)); // Verifying them is all.
    return undefined;
  } catch (error) {
    if (error instanceof DamagedWal) return error;
    throw error;
  }
}

/** The newest point that needs none of the damaged bytes. */
async function lastPoint(plan: RestorePlan, store: GenerationStore, damage: DamagedWal): Promise<Point | undefined> {
  const { generation, snapshot, steps } = plan;
  for (const step of steps.toReversed()) {
    if (step.index > damage.index) continue;
    const end = step.index === damage.index ? damage.intactTo : step.to;
    const records = await store.records(generation, step.index);
    const record = records.findLast((one) =>
      one.end <= end && one.end > step.from && comparePlaces({ index: step.index, offset: one.end }, snapshot) >= 0
    );
    if (record !== undefined) return pointOf(step.index, record);
  }
  return snapshot.needsWal ? undefined : snapshot;
}
