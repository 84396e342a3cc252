import { ReplicationError } from "../base/errors.ts";
import type { Generation } from "../position/generation.ts";
import type { Index } from "../position/position.ts";
import type { CommitRecords } from "../store/commit_records.ts";
import { DamagedGeneration } from "../store/damaged_generation.ts";
import type { GenerationCatalog, GenerationStore } from "../store/generation_store.ts";
import { findLastCommit } from "../store/last_commit.ts";
import { followsResync } from "../store/resynced.ts";
import type { GenerationFacts } from "./history.ts";
import type { IndexRecords } from "./ranges.ts";
import { momentsWanted } from "./reachable.ts";
import { indexesToRead, isInRecords } from "./resolve.ts";
import { withMoment } from "./snapshot_moment.ts";
import type { RestoreTarget } from "./target.ts";

/** Reads from one replica what a plan for the target is decided on: listings, last records, one index's records. */
export async function gatherFacts(store: GenerationStore, target: RestoreTarget): Promise<readonly GenerationFacts[]> {
  const facts: GenerationFacts[] = [];
  for (const generation of await store.generations(target.generation)) {
    const catalog = await catalogOf(store, generation);
    if (catalog instanceof DamagedGeneration) facts.push({ catalog: catalog.partial, damage: catalog.message });
    else facts.push(await factsOf(store, catalog, target));
  }
  for (const [generation, damage] of facts.length === 0 ? [] : await store.strays?.() ?? []) {
    facts.push({ catalog: { layout: "raw", generation, snapshots: [], wals: [] }, damage });
  }
  return facts;
}

export async function catalogOf(store: GenerationStore, generation: Generation) {
  try {
    return await store.catalog(generation);
  } catch (error) {
    if (error instanceof DamagedGeneration) return error;
    throw error;
  }
}

export async function factsOf(
  store: GenerationStore,
  catalog: GenerationCatalog,
  target: RestoreTarget,
): Promise<GenerationFacts> {
  const { generation } = catalog;
  const last = catalog.wals.at(-1);
  const isUnrecorded = last !== undefined && last.lastRecord === undefined && last.promisedEnd === undefined &&
    !followsResync(catalog.wals, last.index);
  const unrecorded = isUnrecorded
    ? await findLastCommit((at, into) => store.readWal(generation, last.index, at, into))
    : undefined;
  const records = await recordsFor(store, catalog, target);
  return {
    catalog,
    ...(unrecorded === undefined ? {} : { unrecorded }),
    ...(records === undefined ? {} : { records }),
  };
}

async function recordsFor(store: GenerationStore, catalog: GenerationCatalog, target: RestoreTarget) {
  let found: GenerationFacts["records"];
  for (const index of indexesToRead(catalog, target)) {
    const records = await store.records(catalog.generation, index);
    found = { index, records };
    if (isInRecords(records, target)) break;
  }
  return found;
}

/** The same facts with what it takes to tell of each point whether it can be restored. */
export async function withMoments(store: GenerationStore, facts: GenerationFacts): Promise<GenerationFacts> {
  let known = facts;
  for (const snapshot of momentsWanted(facts)) known = await withMoment(store, known, snapshot);
  return known;
}

/** Every record of a generation, which says of each point what there is to know. */
export async function gatherRecords(
  store: GenerationStore,
  { generation, wals }: GenerationCatalog,
): Promise<IndexRecords> {
  const records = new Map<Index, CommitRecords>();
  for (const { index } of wals) records.set(index, await store.records(generation, index));
  return records;
}

/** Throws `denied` for what is encrypted, and nobody here can read: it is not damaged. */
export function expectReadable(act: string, generations: readonly GenerationFacts[], where: string): void {
  const entries = generations.flatMap(({ catalog }) => [...catalog.snapshots, ...catalog.wals]);
  if (!entries.some(({ isUnread }) => isUnread === true)) return;
  throw new ReplicationError("denied", `Cannot ${act} ${where}: it is encrypted, and no identity is configured`, {
    advice: "name an age identity in the config of this replica (replicating needs recipients only)",
  });
}
