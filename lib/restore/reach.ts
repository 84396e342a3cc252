/** How far what stands on a replica leads, as far as listings and records tell: its end may stand there while nothing leads to it. PURE. */
import type { Generation } from "../position/generation.ts";
import { nameObject } from "../position/object_names.ts";
import { asIndex, asOffset, type Index, type Position } from "../position/position.ts";
import type { GenerationCatalog, WalEntry } from "../store/generation_store.ts";
import { type Place, type Point, walOf, wholeSnapshots } from "./history.ts";
import { planRestore, type RefusedPlan } from "./plan.ts";

export type Reach =
  /** The newest state can be restored. */
  | { readonly kind: "whole" }
  /** Something is missing or damaged on the way there. */
  | { readonly kind: "broken"; readonly problem: string; readonly reachable?: Reachable }
  /** There is nothing to restore, and no damage is to be seen: it is empty, or just begun. */
  | { readonly kind: "nothing"; readonly problem: string };

/** The newest state before the damage that can still be restored. */
export type Reachable = { readonly generation: Generation; readonly point: Point };

export function reachOf(catalog: GenerationCatalog): Reach {
  if (isUnread(catalog)) return reachByNames(catalog, catalog.wals.at(-1)?.index ?? -1);
  const plan = planRestore([{ catalog }], { kind: "latest", generation: catalog.generation });
  return plan.kind === "plan" ? { kind: "whole" } : reachOfRefused(plan);
}

/** Undefined where the newest state can be restored, or where nothing was begun that could be. */
export function brokenBecause(catalog: GenerationCatalog): string | undefined {
  return problemOf(reachOf(catalog));
}

/**
 * Why nothing leads to the end that a replica has. Nothing needs to where a snapshot stands behind it, which who goes on from
 * that end comes to.
 */
export function brokenBefore(catalog: GenerationCatalog, { index, offset }: Place): string | undefined {
  if (snapshotPlaces(catalog).some((place) => place.name > index || place.index === index && place.offset > offset)) {
    return undefined;
  }
  if (isUnread(catalog)) return problemOf(reachByNames(catalog, index));
  const { generation } = catalog;
  const position = { generation, index, offset: asOffset(offset) };
  const plan = planRestore([{ catalog }], { kind: "position", position, generation });
  if (plan.kind === "plan") return undefined;
  // An end that no record tells of is none that a plan finds.
  return problemOf(plan.code === "not-found" ? reachByNames(catalog, index - 1) : reachOfRefused(plan));
}

/** The first state from which on every one up to the end can be restored. */
export function unbrokenSince(catalog: GenerationCatalog): Position | undefined {
  const { generation, wals } = catalog;
  const snapshots = snapshotPlaces(catalog);
  const newest = snapshots.at(-1);
  if (newest === undefined) return undefined;
  let from: number = Math.max(newest.name, wals.at(-1)?.index ?? 0);
  while (isComplete(walOf(catalog, asIndex(from - 1)))) from--;
  const first = snapshots.find(({ name }) => name >= from);
  return first && { generation, index: first.index, offset: asOffset(first.offset) };
}

/** Where the whole snapshots stand; of those that nobody here can read, by their names. */
function snapshotPlaces(catalog: GenerationCatalog): readonly (Place & { readonly name: Index })[] {
  const unread = catalog.snapshots.filter((entry) => entry.isUnread === true);
  if (unread.length === 0) return wholeSnapshots(catalog);
  return unread.map(({ index }) => ({ name: index, index, offset: asOffset(0) }));
}

/** Of what was encrypted for others, who alone can read it. */
export function isUnread({ snapshots, wals }: GenerationCatalog): boolean {
  return [...snapshots, ...wals].some((entry) => entry.isUnread === true);
}

function problemOf(reach: Reach): string | undefined {
  return reach.kind === "broken" ? reach.problem : undefined;
}

function reachOfRefused({ code, problem, reachable }: RefusedPlan): Reach {
  if (code === "not-found") return { kind: "nothing", problem };
  return { kind: "broken", problem, ...(reachable === undefined ? {} : { reachable }) };
}

/** A snapshot, and WAL of every index from there on. */
function reachByNames(catalog: GenerationCatalog, last: number): Reach {
  const snapshot = catalog.snapshots.findLast(({ index }) => index <= last) ?? catalog.snapshots[0];
  const [firstWal] = catalog.wals;
  if (snapshot === undefined) {
    if (firstWal === undefined || catalog.unfinishedAtMs !== undefined) {
      return { kind: "nothing", problem: `generation ${catalog.generation} has nothing to restore` };
    }
    return { kind: "broken", problem: `${nameObject(catalog, firstWal.index, "snapshot")} is missing` };
  }
  for (let index: number = snapshot.index; index <= last; index++) {
    if (walOf(catalog, asIndex(index)) !== undefined) continue;
    return { kind: "broken", problem: `${nameObject(catalog, asIndex(index), "wal")} is missing` };
  }
  return { kind: "whole" };
}

function isComplete(entry: WalEntry | undefined): boolean {
  if (entry === undefined) return false;
  return entry.isUnread === true || (entry.lastRecord?.indexClosed === true && entry.promisedEnd === undefined);
}
