/** What can be restored of a generation, as far as its listings tell. PURE. */
import { asOffset, type Index, type Offset } from "../position/position.ts";
import type { GenerationCatalog, SnapshotEntry } from "../store/generation_store.ts";
import { damagedSnapshots, snapshotState } from "../store/snapshot_state.ts";

/** To its newest point, to some point, or not at all. */
export type Restorability = "whole" | "partly" | "none";

export function restorabilityOf(catalog: GenerationCatalog): Restorability {
  const reached = catalog.snapshots.map((entry) => reachOf(catalog, entry)).filter((place) => place !== undefined);
  if (reached.length === 0) return "none";
  const { wals } = catalog;
  const last = wals.at(-1);
  // An index that was begun, but holds no commit yet, adds nothing.
  const end = last?.lastRecord === undefined && last?.promisedEnd === undefined ? wals.at(-2) : last;
  if (end !== undefined && (end.lastRecord === undefined || end.promisedEnd !== undefined)) return "partly";
  const promised = catalog.snapshots.map((entry) => stateOf(catalog, entry)).filter((place) => place !== undefined);
  promised.push(...damagedSnapshots(catalog).map(({ place }) => place));
  if (end?.lastRecord !== undefined) promised.push({ index: end.index, offset: end.lastRecord.end });
  const isReached = (place: Place) => reached.some((other) => isAtLeast(other, place));
  return promised.every(isReached) ? "whole" : "partly";
}

/**
 * The snapshots that later states can be made from for certain: whole, with the WAL that belongs to them. One of
 * Litestream's, which notes no position, counts when WAL was stored after it: before that it may be of a moment whose WAL
 * never came. Ascending.
 */
export function sureSnapshots(catalog: GenerationCatalog): readonly SnapshotEntry[] {
  return catalog.snapshots.filter((entry) => reachOf(catalog, entry) !== undefined && !isUnproven(catalog, entry));
}

interface Place {
  readonly index: Index;
  readonly offset: Offset;
}

/** Where the state of a whole snapshot lies. */
function stateOf(catalog: GenerationCatalog, entry: SnapshotEntry): Place | undefined {
  if (entry.isUnread === true) return { index: entry.index, offset: asOffset(0) }; // Its name says that it is whole.
  const state = snapshotState(catalog, entry);
  return state.kind === "whole" ? { index: entry.stateIndex ?? entry.index, offset: state.record.end } : undefined;
}

/** Where a snapshot and the WAL behind it lead; undefined when not even to the snapshot's own state. */
function reachOf(catalog: GenerationCatalog, entry: SnapshotEntry): Place | undefined {
  const own = stateOf(catalog, entry);
  if (own === undefined) return undefined;
  const isAhead = own.index > entry.index || own.offset > 0;
  const needsWal = entry.stateIndex !== undefined && entry.isPeers !== true && isAhead;
  let reached = needsWal ? undefined : own;
  let next: number = entry.index;
  for (const { index, lastRecord, promisedEnd } of catalog.wals) {
    if (index < next) continue;
    if (index > next || lastRecord === undefined) break;
    const end = { index, offset: lastRecord.end };
    if (isAtLeast(end, own)) reached = end;
    if (!lastRecord.indexClosed || promisedEnd !== undefined) break;
    // A state at the very beginning of an index needs nothing of that index.
    if (reached === undefined && own.offset === 0 && own.index === index + 1) reached = own;
    next = index + 1;
  }
  return reached;
}

function isUnproven({ wals }: GenerationCatalog, { index, isPeers, record, createdAtMs }: SnapshotEntry): boolean {
  if (isPeers !== true) return false;
  const last = wals.at(-1);
  const own = wals.find((wal) => wal.index === index)?.lastRecord;
  if (own === undefined || (last !== undefined && last.index > index)) return false;
  return own.end > 0 && own.capturedAtMs <= (record?.capturedAtMs ?? createdAtMs);
}

function isAtLeast(a: Place, b: Place): boolean {
  return (a.index - b.index || a.offset - b.offset) >= 0;
}
