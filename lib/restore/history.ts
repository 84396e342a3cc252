/** What is known of one generation on one replica, and the questions that a plan asks about it. PURE. */
import type { Generation } from "../position/generation.ts";
import { nameObject } from "../position/object_names.ts";
import { asOffset, formatIndex, formatPosition, type Index, type Offset } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { CommitRecords } from "../store/commit_records.ts";
import type { GenerationCatalog, SnapshotEntry, WalEntry } from "../store/generation_store.ts";
import type { LastCommit } from "../store/last_commit.ts";
import { newestInCatalogMs } from "../store/newest.ts";
import { snapshotState } from "../store/snapshot_state.ts";

export interface GenerationFacts {
  readonly catalog: GenerationCatalog;
  /** Why not even its folders can be listed: the catalog is what can still be told. */
  readonly damage?: string;
  /** Of the last index, when it has no valid record: where its last valid commit frame ends. */
  readonly unrecorded?: LastCommit;
  /** The records of the one index that a time or a position makes us look into. */
  readonly records?: { readonly index: Index; readonly records: CommitRecords };
  /** Of snapshots of Litestream's, by their names: asked only where a point of their own index depends on it. */
  readonly moments?: ReadonlyMap<Index, SnapshotMoment>;
}

/** Which points of its own index a snapshot serves that notes no position. */
export type SnapshotMoment =
  | { readonly kind: "serves"; readonly from: Offset }
  | { readonly kind: "unfit"; readonly code: "corrupt" | "gap"; readonly problem: string };

/** A restorable moment: a place in the log with the state that the database had there. */
export interface Point {
  readonly index: Index;
  readonly offset: Offset;
  readonly pageSize: number;
  readonly databasePages: number;
  readonly capturedAtMs: number;
  /** Of the whole database there, as it was kept at the source; absent when it was not. */
  readonly checksum?: Uint8Array;
  /** Where the source had been compared last with what was captured. */
  readonly confirmedAt?: Place;
}

/** The state that a snapshot leads to, and how. */
export interface SnapshotPoint extends Point {
  /** The index it is named by. */
  readonly name: Index;
  readonly sizeBytes: number;
  readonly imageBytes: number;
  /** Where a replay begins that makes a later state of it. */
  readonly replay: Place;
  /** The image alone is no state: the WAL from `replay` to the point belongs to it. */
  readonly needsWal: boolean;
  /** Written by Litestream: of some moment within its index that nothing tells but its time. */
  readonly isPeers: boolean;
  /** It lacks pages at its end that the WAL of its index brings. */
  readonly isShort: boolean;
}

export interface Place {
  readonly index: Index;
  readonly offset: Offset;
}

/** Why a target cannot be reached, as data. `problem` completes "Cannot restore <what>: ". */
export interface Refusal {
  readonly kind: "refusal";
  readonly code: "corrupt" | "gap" | "not-found";
  readonly problem: string;
  /** Nothing up to here is affected: a point, or the beginning of an index. */
  readonly intactTo?: Point | Place;
}

export function wholeSnapshots(catalog: GenerationCatalog): readonly SnapshotPoint[] {
  return catalog.snapshots.flatMap((entry) => {
    const state = snapshotState(catalog, entry);
    return state.kind === "whole" ? [snapshotPoint(entry, state.record)] : [];
  });
}

function snapshotPoint(entry: SnapshotEntry, record: CommitRecord): SnapshotPoint {
  const { index, stateIndex, sizeBytes, imageBytes = sizeBytes, isPeers = false, isShort = false } = entry;
  const point = pointOf(stateIndex ?? index, record);
  const replay = stateIndex === undefined ? point : { index, offset: asOffset(0) };
  return {
    ...point,
    name: index,
    sizeBytes,
    imageBytes,
    replay,
    needsWal: stateIndex !== undefined && !isPeers,
    isPeers,
    isShort,
  };
}

export function pointOf(index: Index, record: CommitRecord): Point {
  const { end, pageSize, databasePages, capturedAtMs, checksum, confirmedAt } = record;
  return {
    index,
    offset: end,
    pageSize,
    databasePages,
    capturedAtMs,
    ...(checksum === undefined ? {} : { checksum }),
    ...(confirmedAt === undefined ? {} : { confirmedAt }),
  };
}

/** Negative, zero or positive, as for sorting; within one generation. */
export function comparePlaces(a: Place, b: Place): number {
  return a.index - b.index || a.offset - b.offset;
}

/** Whether nothing of the generation can be restored, and no damage of a snapshot is to be seen. */
export function isHalfMade(catalog: GenerationCatalog): boolean {
  return catalog.snapshots.every((entry) => snapshotState(catalog, entry).kind === "incomplete");
}

/**
 * Why that is no beginning that a crash cut short: WAL is replicated only behind a snapshot, or while one is being written.
 * Undefined when it may be one. An old generation may also be one that retention was removing.
 */
export function lostSnapshot(catalog: GenerationCatalog): Refusal | undefined {
  const first = catalog.wals.find(({ lastRecord, promisedEnd, isPeers }) =>
    lastRecord !== undefined || promisedEnd !== undefined || isPeers === true
  );
  if (!isHalfMade(catalog) || first === undefined || catalog.unfinishedAtMs !== undefined) return undefined;
  const unrecorded = catalog.snapshots.map((entry) => snapshotState(catalog, entry)).find(({ kind }) =>
    kind !== "whole"
  );
  const problem = unrecorded?.kind === "incomplete"
    ? `${unrecorded.problem}, and WAL was replicated behind it`
    : `${nameObject(catalog, first.index, "snapshot")} is missing (expected the snapshot that the WAL from index ` +
      `${formatIndex(first.index)} on continues)`;
  return { kind: "refusal", code: "gap", problem };
}

/** Why the generation as a whole cannot be restored, though it was there once. */
export function lossOf({ catalog, damage }: GenerationFacts): Refusal | undefined {
  return damage === undefined ? lostSnapshot(catalog) : { kind: "refusal", code: "corrupt", problem: damage };
}

/**
 * The newest moment that anything in the generation speaks of, restorable or not; -Infinity for an empty one, and Infinity for
 * one of which nothing can be told. Histories of one program never overlap, so that any moment of one says which is newer.
 */
export function newestMs({ catalog, damage }: GenerationFacts): number {
  const ms = newestInCatalogMs(catalog);
  return damage !== undefined && ms === -Infinity ? Infinity : ms;
}

export function walOf({ wals }: GenerationCatalog, index: Index): WalEntry | undefined {
  let [low, high] = [0, wals.length];
  while (low < high) { // They ascend, and whoever asks of every index has many of them.
    const middle = (low + high) >>> 1;
    if ((wals[middle]?.index ?? Infinity) < index) low = middle + 1;
    else high = middle;
  }
  return wals[low]?.index === index ? wals[low] : undefined;
}

/** Why less is there than there was, where what is there says so itself. */
export function shortWal({ layout }: GenerationCatalog, entry: WalEntry): string | undefined {
  const isNamed = layout === "litestream" || entry.isReplaced === true || entry.isForeign === true;
  return isNamed ? entry.recordProblem : undefined;
}

/** Where the WAL of an entry can be replayed to: its last record, or its last commit frame where there are no records. */
export function endOfWal(facts: GenerationFacts, entry: WalEntry): Point | undefined {
  if (entry.lastRecord !== undefined) return pointOf(entry.index, entry.lastRecord);
  const isLast = entry === facts.catalog.wals.at(-1);
  return isLast && facts.unrecorded !== undefined
    ? { index: entry.index, ...facts.unrecorded, capturedAtMs: entry.createdAtMs }
    : undefined;
}

/** `<position> of <time>`, as messages name a point. */
export function describePoint(generation: Generation, point: Point): string {
  const { index, offset } = point;
  return `${formatPosition({ generation, index, offset })} of ${new Date(point.capturedAtMs).toISOString()}`;
}
