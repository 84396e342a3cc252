/** Holds against each other what is said of the points of one replica, and what can be done: they must agree. */
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { formatPosition, type Position } from "../../lib/position/position.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { findChoices } from "../../lib/restore/choose.ts";
import { factsOf, gatherRecords, withMoments } from "../../lib/restore/gather.ts";
import { pointsOf } from "../../lib/restore/ranges.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { verifyReplica } from "../../lib/verify/verify.ts";
import { restoreFrom, restoreTools } from "./restore_tools.ts";
import { unsyncedFiles } from "./unsynced_files.ts";

export interface ListedPoint {
  readonly position: Position;
  readonly atMs: number;
}

export function anyStore(root: string): GenerationStore {
  return new ReplicaStore(new FileReplicaClient(unsyncedFiles(), root), { chooseLayout: () => "raw" });
}

/** As `points` lists them. */
export async function listedPoints(store: GenerationStore): Promise<ListedPoint[]> {
  const listed: ListedPoint[] = [];
  for (const generation of await store.generations()) {
    const catalog = await store.catalog(generation);
    const facts = await withMoments(store, await factsOf(store, catalog, { kind: "latest" }));
    for (const { index, offset, capturedAtMs } of pointsOf(facts, await gatherRecords(store, catalog))) {
      listed.push({ position: { generation, index, offset }, atMs: capturedAtMs });
    }
  }
  return listed;
}

export type Planned = { readonly end: Position } | { readonly refused: ReplicationError };

/** As `restore --dry-run` says. */
export async function planned(store: GenerationStore, target: RestoreTarget): Promise<Planned> {
  const { candidates: [best], unfit: [unfit] } = await findChoices([{ name: "file", store }], target);
  if (best !== undefined) return { end: { generation: best.plan.generation, ...best.plan.end } };
  if (unfit === undefined) throw new Error("Nothing was chosen, and nothing refused");
  return { refused: unfit.error };
}

export function atPosition(position: Position): RestoreTarget {
  return { kind: "position", position, generation: position.generation };
}

/** The restored database; undefined where it is refused. */
export async function restored(store: GenerationStore, path: string, target: RestoreTarget) {
  try {
    await restoreFrom(store, path, target);
    const bytes = Deno.readFileSync(path);
    Deno.removeSync(path);
    return bytes;
  } catch (error) {
    if (error instanceof ReplicationError) return undefined;
    throw error;
  }
}

/** How `verify --sample` ends, and what it says. */
export async function verified(store: GenerationStore, folder: string, sample: number, seed: number) {
  const clock = new SystemClock();
  clock.sleep = () => Promise.resolve(); // Nothing goes on meanwhile: a second look need not wait.
  const tools = { ...restoreTools({ clock, files: unsyncedFiles() }), folder, keep: false };
  const { outcome, findings, proofs } = await verifyReplica(
    { replica: { name: "file", store }, url: "file:///replica" },
    { level: "equal", isLevelExplicit: false, isSeedChosen: true, again: [], target: { kind: "latest" }, sample, seed },
    tools,
  );
  return { outcome, proofs, says: findings.map(({ problem }) => problem).join("; ") };
}

/**
 * Throws for the first of these places of which lists and plans differ, and where a time leads to a point that is not listed,
 * or to none though one is there. Returns the listed ones.
 */
export async function expectAgreement(
  store: GenerationStore,
  places: readonly Position[],
  isHarmed: boolean,
): Promise<ListedPoint[]> {
  const listed = await listedPoints(store);
  const names = new Set(listed.map(({ position }) => formatPosition(position)));
  const all = new Map([...places, ...listed.map(({ position }) => position)].map((one) => [formatPosition(one), one]));
  for (const [name, place] of all) {
    const plan = await planned(store, atPosition(place));
    const isPlanned = "end" in plan;
    if (isPlanned === names.has(name)) continue;
    const why = "refused" in plan ? plan.refused.message : "a restore to it is planned";
    throw new Error(`${name} is ${isPlanned ? "not listed" : "listed"}, and ${why}`);
  }
  const times = new Set(listed.flatMap(({ atMs }) => [atMs - 1, atMs, atMs + 500]));
  for (const atMs of times) {
    const plan = await planned(store, { kind: "time", atMs });
    const isSomethingThere = listed.some((point) => point.atMs <= atMs);
    if ("end" in plan && !names.has(formatPosition(plan.end))) {
      throw new Error(`time ${atMs} leads to ${formatPosition(plan.end)}, which is not listed`);
    }
    const mayRefuse = !isSomethingThere || (isHarmed && "refused" in plan && plan.refused.code !== "not-found");
    if ("refused" in plan && !mayRefuse) throw new Error(`time ${atMs} is refused: ${plan.refused.message}`);
  }
  return listed;
}
