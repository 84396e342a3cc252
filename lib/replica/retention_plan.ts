/**
 * What a replica need not keep any longer, and why. PURE.
 *
 * Litestream's meaning: a snapshot is retained while it is not older than `retention`; what lies before the retained ones
 * goes. Added to that, so that retention says how far back one can restore: the newest whole snapshot before them stays as
 * well, since every moment between the two is restored from it.
 *
 * Rules that nothing overrides:
 * - A snapshot counts only when it is whole. The newest whole one of our generation stays, whatever its age.
 * - Of our generation the last index stays: it says where the replica ends.
 * - A generation that is not ours goes as a whole or not at all, and only when nothing in it is younger than retention and a
 *   day. The newest one that can be restored never goes, and none goes while nothing can be restored.
 * - A time in the future tells nothing of an age: what carries it is not old.
 * - Deletions ascend: what is left at any moment is a history that begins later.
 */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { Generation } from "../position/generation.ts";
import { formatIndex, type Index } from "../position/position.ts";
import type { GenerationCatalog, SnapshotEntry, WalEntry } from "../store/generation_store.ts";
import { snapshotState } from "../store/snapshot_state.ts";

/** As the config of a replica has them. */
export interface RetentionPolicy {
  /** 0: nothing is ever removed. */
  readonly retentionMs: number;
}

/** Whether a generation can be restored as its listings say: to its newest point, to some point, or not at all. */
export type Restorability = "whole" | "partly" | "none";

export interface RetainedGeneration {
  readonly catalog: GenerationCatalog;
  readonly restorable: Restorability;
}

export interface RetentionFacts {
  /** Every generation of one replica, in any order. */
  readonly generations: readonly RetainedGeneration[];
  /** The one that this host writes; undefined where that is not known. */
  readonly own: Generation | undefined;
  readonly nowMs: number;
  readonly policy: RetentionPolicy;
}

export type Deletion =
  | {
    readonly kind: "snapshot" | "wal";
    readonly generation: Generation;
    readonly index: Index;
    readonly sizeBytes: number;
    readonly reason: string;
  }
  | {
    readonly kind: "generation";
    readonly generation: Generation;
    readonly sizeBytes: number;
    readonly reason: string;
  };

export type Kept =
  | {
    readonly kind: "generation";
    readonly generation: Generation;
    readonly sizeBytes: number;
    readonly reason: string;
  }
  | {
    readonly kind: "snapshot" | "wal";
    readonly generation: Generation;
    /** Every one of this kind from `first` to `last`. */
    readonly first: Index;
    readonly last: Index;
    readonly count: number;
    readonly sizeBytes: number;
    readonly reason: string;
  };

export interface RetentionPlan {
  /** In this order; each leaves the replica restorable, also when the next one never comes. */
  readonly deletions: readonly Deletion[];
  readonly kept: readonly Kept[];
  /** Our generation wants a new snapshot: nothing else of it will let the older ones go. */
  readonly snapshotDue?: { readonly reason: string };
  /** The newest generation that can be restored: while it is there, others may go. */
  readonly haven?: Generation;
}

export function planRetention(facts: RetentionFacts): RetentionPlan {
  const { generations, own, policy } = facts;
  assert(Number.isFinite(policy.retentionMs) && Number.isFinite(facts.nowMs), "retention and now are times");
  if (policy.retentionMs <= 0) {
    return { deletions: [], kept: generations.map(({ catalog }) => keptWhole(catalog, "retention is off")) };
  }
  const ours = generations.find(({ catalog }) => catalog.generation === own);
  const parts = [
    ...(ours === undefined ? [] : [planOwn(ours.catalog, facts)]),
    ...planOthers(generations.filter((one) => one !== ours), facts),
  ];
  const snapshotDue = own === undefined ? undefined : whySnapshotIsDue(ours?.catalog, facts);
  const haven = newestFirst(generations.filter(({ restorable }) => restorable !== "none"))[0]?.catalog.generation;
  return {
    deletions: parts.flatMap(({ deletions }) => deletions),
    kept: parts.flatMap(({ kept }) => kept),
    ...(snapshotDue === undefined ? {} : { snapshotDue: { reason: snapshotDue } }),
    ...(haven === undefined ? {} : { haven }),
  };
}

type Part = Pick<RetentionPlan, "deletions" | "kept">;

function planOwn(catalog: GenerationCatalog, { nowMs, policy }: RetentionFacts): Part {
  const { generation } = catalog;
  const cutoffMs = nowMs - policy.retentionMs;
  const first = firstToKeep(catalog, cutoffMs);
  if (first === undefined) {
    return { deletions: [], kept: [keptWhole(catalog, "ours, and without a whole snapshot yet")] };
  }
  const since = `snapshot ${formatIndex(first.index)}, from which every moment since ${timeOf(cutoffMs)} is restored`;
  const isDoomed = (index: Index) => index < first.index;
  const snapshots = catalog.snapshots.map((entry) =>
    isDoomed(entry.index) ? doomed(generation, "snapshot", entry, `it lies before ${since}`) : {
      ...keptOne(generation, "snapshot", entry),
      reason: whySnapshotStays(catalog, entry, first, cutoffMs),
    }
  );
  const wals = catalog.wals.map((entry) => {
    const isLast = entry === catalog.wals.at(-1);
    if (isDoomed(entry.index) && !isLast) return doomed(generation, "wal", entry, `it lies before ${since}`);
    const reason = isDoomed(entry.index)
      ? "the last index: it says where the replica ends"
      : `it follows snapshot ${formatIndex(first.index)}`;
    return { ...keptOne(generation, "wal", entry), reason };
  });
  const all = [...snapshots, ...wals];
  return {
    deletions: all.filter((one) => "index" in one).sort(byIndex),
    kept: joined(all.filter((one) => "first" in one)),
  };
}

/**
 * The oldest whole snapshot that stays: of those that are not older than the cutoff the one with the lowest index, or the
 * whole one right before it, which all moments between the cutoff and that snapshot need.
 */
function firstToKeep(catalog: GenerationCatalog, cutoffMs: number): SnapshotEntry | undefined {
  const whole = wholeOf(catalog);
  const retained = whole.findIndex((entry) => timeOfSnapshot(entry) >= cutoffMs);
  if (retained < 0) return whole.at(-1);
  return whole[Math.max(0, retained - 1)];
}

function whySnapshotStays(
  catalog: GenerationCatalog,
  entry: SnapshotEntry,
  first: SnapshotEntry,
  cutoffMs: number,
): string {
  if (!isWhole(catalog, entry)) {
    return `${snapshotState(catalog, entry).kind}, and counts for nothing; a later whole one lets it go`;
  }
  if (timeOfSnapshot(entry) >= cutoffMs) return `not older than ${timeOf(cutoffMs)}`;
  return entry === first
    ? `every moment since ${timeOf(cutoffMs)} is restored from it or a later one`
    : `it follows snapshot ${formatIndex(first.index)}`;
}

/** The oldest first, so that what an interruption leaves is the newest. */
function planOthers(others: readonly RetainedGeneration[], facts: RetentionFacts): Part[] {
  const safe = newestRestorable(facts);
  const limitMs = abandonedBeforeMs(facts.policy, facts.nowMs);
  return newestFirst(others).toReversed().map(({ catalog }): Part => {
    const { generation } = catalog;
    const kept = (reason: string): Part => ({ deletions: [], kept: [keptWhole(catalog, reason)] });
    const newestMs = newestObjectMs(catalog);
    if (newestMs === undefined) return kept("empty, and nothing tells for how long");
    if (newestMs >= limitMs) {
      return kept(`not ours, and written at ${timeOf(newestMs)} (it goes when nothing was for retention and 24 h)`);
    }
    if (safe.has(generation)) return kept("the newest generation that can be restored");
    if (safe.size === 0) return kept("nothing here can be restored, so this may be all there is");
    const reason = `not ours, and nothing was written since ${timeOf(newestMs)}, longer ago than retention and 24 h`;
    return { deletions: [{ kind: "generation", generation, sizeBytes: bytesOf(catalog), reason }], kept: [] };
  });
}

/** What is older than this is abandoned, if it is not ours. */
export function abandonedBeforeMs({ retentionMs }: RetentionPolicy, nowMs: number): number {
  return nowMs - retentionMs - limits.abandonedGraceMs;
}

/**
 * By every time that there is: a record may be old and its file new, when a host sends late what it captured, and somebody
 * may be at the first snapshot. Undefined when nothing carries a time.
 */
export function newestObjectMs(catalog: GenerationCatalog): number | undefined {
  return newestOf([
    ...catalog.snapshots.flatMap(({ record, createdAtMs }) => [createdAtMs, record?.capturedAtMs]),
    ...catalog.wals.flatMap(({ lastRecord, createdAtMs }) => [createdAtMs, lastRecord?.capturedAtMs]),
    catalog.unfinishedAtMs,
  ]);
}

/** The moment of the newest state, as restore compares generations. */
function newestMomentMs(catalog: GenerationCatalog): number {
  return newestOf([
    ...catalog.snapshots.map((entry) => timeOfSnapshot(entry)),
    ...catalog.wals.map(({ lastRecord, createdAtMs }) => lastRecord?.capturedAtMs ?? createdAtMs),
  ]) ?? -Infinity;
}

function newestOf(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : known.reduce((newest, time) => Math.max(newest, time));
}

/** With a damaged one in front, the newest that is not damaged is safe too; and one from the future stands for no other. */
function newestRestorable({ generations, nowMs }: RetentionFacts): ReadonlySet<Generation> {
  const some = generations.filter(({ restorable }) => restorable !== "none");
  const sets = [
    some,
    some.filter(({ restorable }) => restorable === "whole"),
    some.filter(({ catalog }) => newestMomentMs(catalog) <= nowMs),
  ];
  return new Set(sets.flatMap((set) => {
    const newestMs = newestOf(set.map(({ catalog }) => newestMomentMs(catalog)));
    return set.filter(({ catalog }) => newestMomentMs(catalog) === newestMs).map(({ catalog }) => catalog.generation);
  }));
}

function newestFirst(generations: readonly RetainedGeneration[]): RetainedGeneration[] {
  return generations.toSorted((a, b) => newestMomentMs(b.catalog) - newestMomentMs(a.catalog) || 0);
}

/** Asked of the present alone: a snapshot that claims to be from the future says nothing of how old it is. */
function whySnapshotIsDue(
  catalog: GenerationCatalog | undefined,
  { nowMs, policy }: RetentionFacts,
): string | undefined {
  const whole = catalog === undefined ? [] : wholeOf(catalog);
  const newest = whole.at(-1);
  if (newest === undefined) return "there is no whole snapshot of this generation";
  if (whole.some((entry) => Math.abs(nowMs - timeOfSnapshot(entry)) <= policy.retentionMs)) return undefined;
  return `the newest whole snapshot is of ${timeOf(timeOfSnapshot(newest))}, and none is within the retention`;
}

function wholeOf(catalog: GenerationCatalog): SnapshotEntry[] {
  return catalog.snapshots.filter((entry) => isWhole(catalog, entry));
}

/** One that is encrypted, and that this host cannot read, was published whole or not at all. */
export function isWhole(catalog: GenerationCatalog, entry: SnapshotEntry): boolean {
  return entry.isUnread === true || snapshotState(catalog, entry).kind === "whole";
}

function timeOfSnapshot({ record, createdAtMs }: SnapshotEntry): number {
  return record?.capturedAtMs ?? createdAtMs;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function bytesOf({ snapshots, wals }: GenerationCatalog): number {
  return [...snapshots, ...wals].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

type IndexDeletion = Extract<Deletion, { readonly index: Index }>;
type KeptRange = Extract<Kept, { readonly first: Index }>;

function doomed(
  generation: Generation,
  kind: IndexDeletion["kind"],
  { index, sizeBytes }: SnapshotEntry | WalEntry,
  reason: string,
): IndexDeletion {
  return { kind, generation, index, sizeBytes, reason };
}

/** At each index the snapshot before the WAL: none is ever left with a part of what follows it missing. */
function byIndex(a: IndexDeletion, b: IndexDeletion): number {
  return a.index - b.index || (a.kind === b.kind ? 0 : a.kind === "snapshot" ? -1 : 1);
}

function keptOne(
  generation: Generation,
  kind: KeptRange["kind"],
  { index, sizeBytes }: SnapshotEntry | WalEntry,
): Omit<KeptRange, "reason"> {
  return { kind, generation, first: index, last: index, count: 1, sizeBytes };
}

function keptWhole(catalog: GenerationCatalog, reason: string): Kept {
  return { kind: "generation", generation: catalog.generation, sizeBytes: bytesOf(catalog), reason };
}

/** Neighbours of one kind that are kept for one reason, as one. */
function joined(kept: readonly KeptRange[]): Kept[] {
  const ranges: KeptRange[] = [];
  for (const one of kept) {
    const before = ranges.at(-1);
    if (before?.kind === one.kind && before.reason === one.reason) {
      const sizeBytes = before.sizeBytes + one.sizeBytes;
      ranges[ranges.length - 1] = { ...before, last: one.last, count: before.count + one.count, sizeBytes };
    } else {
      ranges.push(one);
    }
  }
  return ranges;
}
