/** What a generation speaks of and no restore can get to: WAL that was there once, what nothing leads to, damaged snapshots. PURE. */
import { nameObject } from "../position/object_names.ts";
import { asOffset, formatIndex } from "../position/position.ts";
import type { CommitRecords } from "../store/commit_records.ts";
import type { GenerationCatalog, WalEntry } from "../store/generation_store.ts";
import { type DamagedSnapshot, damagedSnapshots } from "../store/snapshot_state.ts";
import { comparePlaces, type GenerationFacts, lostSnapshot, type Place, shortWal, wholeSnapshots } from "./history.ts";
import type { IndexRecords, Range } from "./ranges.ts";

export interface LossEnd extends Place {
  readonly capturedAtMs: number;
}

export interface Loss {
  /** `lost`: its records are there and its bytes are not. `unusable`: it is there, and damaged, or nothing leads to it. */
  readonly kind: "lost" | "unusable";
  readonly first: LossEnd;
  readonly last: LossEnd;
  readonly bytes: number;
  /** Names the object. */
  readonly problem: string;
  /** Whether a removal that was cut short may have left just that. */
  readonly mayBeLeft: boolean;
}

export function lossesOf(facts: GenerationFacts, records: IndexRecords, ranges: readonly Range[]): Loss[] {
  const { catalog } = facts;
  const unusable = groupsOf(catalog.wals.filter((entry) => isUnusable(catalog, entry, ranges)));
  const losses = [
    ...damagedSnapshots(catalog).filter((snapshot) => !isWithinOne(ranges, snapshot)).map(snapshotLoss),
    ...unusable.map((group) => unusableLoss(catalog, group, records)),
    ...catalog.wals.flatMap((entry) => lostTail(catalog, entry)),
    ...catalog.wals.flatMap((entry) => lostRecords(catalog, entry, records.get(entry.index))),
  ];
  return losses.sort((a, b) => comparePlaces(a.first, b.first));
}

/** Damaged snapshots within a range: whatever they would lead to, an older one leads to it as well. */
export function sparedSnapshots({ catalog }: GenerationFacts, range: Range): DamagedSnapshot[] {
  return damagedSnapshots(catalog).filter((snapshot) => isWithinOne([range], snapshot));
}

function isWithinOne(ranges: readonly Range[], { place, isPlaceKnown }: DamagedSnapshot): boolean {
  return ranges.some(({ first, last }) =>
    comparePlaces(first, place) <= 0 && comparePlaces(place, last) <= 0 ||
    !isPlaceKnown && first.index <= place.index && place.index <= last.index
  );
}

function snapshotLoss({ place, capturedAtMs, sizeBytes, problem }: DamagedSnapshot): Loss {
  const end = { ...place, capturedAtMs };
  return { kind: "unusable", first: end, last: end, bytes: sizeBytes, problem, mayBeLeft: false };
}

/** WAL before the first snapshot, whole or damaged, is what a removal leaves that was cut short, and needed for nothing. */
function isUnusable(catalog: GenerationCatalog, entry: WalEntry, ranges: readonly Range[]): boolean {
  const { index, lastRecord, isUnread } = entry;
  if (lastRecord === undefined || isUnread === true) return false;
  const names = [...wholeSnapshots(catalog), ...damagedSnapshots(catalog)].map(({ name }) => name);
  if (names.length === 0 ? lostSnapshot(catalog) === undefined : index < Math.min(...names)) return false;
  const end = { index, offset: lastRecord.end };
  return !ranges.some((range) => comparePlaces(range.first, end) <= 0 && comparePlaces(end, range.last) <= 0);
}

function groupsOf(entries: readonly WalEntry[]): WalEntry[][] {
  const groups: WalEntry[][] = [];
  for (const entry of entries) {
    const group = groups.at(-1);
    if (group !== undefined && group.at(-1)?.index === entry.index - 1) group.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

function unusableLoss(catalog: GenerationCatalog, group: readonly WalEntry[], records: IndexRecords): Loss {
  const [first, last] = [group[0], group.at(-1)];
  if (first === undefined || last === undefined) throw new Error("A group has entries");
  const bytes = group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const begin = records.get(first.index)?.at(0);
  const damaged = damagedBefore(catalog, first);
  const why = damaged?.problem ?? lostSnapshot(catalog)?.problem ??
    `nothing leads to ${nameObject(catalog, first.index, "wal")} (expected all WAL since the snapshot before it)`;
  return {
    kind: "unusable",
    first: { index: first.index, offset: asOffset(0), capturedAtMs: begin?.capturedAtMs ?? timeOf(first) },
    last: { index: last.index, offset: last.lastRecord?.end ?? asOffset(0), capturedAtMs: timeOf(last) },
    bytes,
    problem: `the WAL of index ${formatIndex(first.index)} to ${formatIndex(last.index)} cannot be used: ${why}`,
    mayBeLeft: damaged === undefined,
  };
}

/** The damaged snapshot that would have led to an index, when no whole one stands between. */
function damagedBefore(catalog: GenerationCatalog, { index }: WalEntry): DamagedSnapshot | undefined {
  const whole = wholeSnapshots(catalog).findLast(({ name }) => name <= index);
  return damagedSnapshots(catalog).findLast(({ name }) => name <= index && name > (whole?.name ?? -1));
}

/** A `.wal` is durable before its records: what they promise was there. */
function lostTail(catalog: GenerationCatalog, entry: WalEntry): Loss[] {
  const { index, promisedEnd, lastRecord, createdAtMs, isForeign } = entry;
  const from = lastRecord?.end ?? asOffset(0);
  if (promisedEnd === undefined || promisedEnd <= from) return [];
  const key = nameObject(catalog, index, "wal");
  const to = isForeign === true ? asOffset(Math.max(from, entry.sizeBytes)) : promisedEnd;
  return [{
    kind: "lost",
    first: { index, offset: from, capturedAtMs: lastRecord?.capturedAtMs ?? createdAtMs },
    last: { index, offset: to, capturedAtMs: createdAtMs },
    bytes: to - from,
    problem: shortWal(catalog, entry) ??
      `${key} ends at byte ${from} of what it held (expected ${promisedEnd}, as its records say)`,
    mayBeLeft: isForeign !== true,
  }];
}

/** The newest record of an index stands there; one before it does not, and so those between are no points. */
function lostRecords(
  catalog: GenerationCatalog,
  { index, lastRecord }: WalEntry,
  records: CommitRecords = [],
): Loss[] {
  const known = records.at(-1);
  if (lastRecord === undefined || known?.end === lastRecord.end || lastRecord.end === 0) return [];
  const from = known?.end ?? asOffset(0);
  const problem = `${nameObject(catalog, index, "commits")} is damaged after ${records.length} records`;
  return [{
    kind: "lost",
    first: { index, offset: from, capturedAtMs: (known ?? lastRecord).capturedAtMs },
    last: { index, offset: lastRecord.end, capturedAtMs: lastRecord.capturedAtMs },
    bytes: lastRecord.end - from,
    problem: `${problem} (expected all records up to ${lastRecord.end})`,
    mayBeLeft: false,
  }];
}

function timeOf({ lastRecord, createdAtMs }: WalEntry): number {
  return lastRecord?.capturedAtMs ?? createdAtMs;
}
