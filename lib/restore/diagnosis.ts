import type { GenerationStore } from "../store/generation_store.ts";
import { formatRawKey } from "../position/keys.ts";
import type { RestoreFailure } from "./failure.ts";
import { type Point, pointOf } from "./history.ts";
import type { RestorePlan } from "./plan.ts";
import { DamagedWal, oldestFirst } from "./wal_chunks.ts";

/**
 * A restore works newest first and stops at the damage it meets first; what is still reachable depends on the oldest one.
 * Reads the plan's WAL once more, in order, up to there.
 */
export async function diagnose(plan: RestorePlan, store: GenerationStore, met: DamagedWal): Promise<RestoreFailure> {
  const damage = await firstDamage(plan, store) ?? met;
  const { generation } = plan;
  const key = formatRawKey(generation, damage.index, "wal");
  const problem = `${key} is damaged after byte ${damage.intactTo}: ${damage.problem}`;
  return { code: "corrupt", problem, reachable: { generation, point: await lastPoint(plan, store, damage) } };
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
async function lastPoint(plan: RestorePlan, store: GenerationStore, damage: DamagedWal): Promise<Point> {
  const { generation, snapshot, steps } = plan;
  for (const step of steps.toReversed()) {
    if (step.index > damage.index) continue;
    const end = step.index === damage.index ? damage.intactTo : step.to;
    const records = await store.records(generation, step.index);
    const record = records.findLast((one) => one.end <= end && one.end > step.from);
    if (record !== undefined) return pointOf(step.index, record);
  }
  return snapshot;
}
