/** What a generation speaks of and no restore can get to: WAL that was there once, and WAL that nothing leads to. PURE. */
import { nameObject } from "../position/object_names.ts";
import { asOffset, formatIndex } from "../position/position.ts";
import type { GenerationCatalog, WalEntry } from "../store/generation_store.ts";
import { comparePlaces, type GenerationFacts, lostSnapshot, type Place, wholeSnapshots } from "./history.ts";
import type { IndexRecords, Range } from "./ranges.ts";

export interface LossEnd extends Place {
  readonly capturedAtMs: number;
}

export interface Loss {
  /** `lost`: its records are there and its bytes are not. `unusable`: it is there, and nothing leads to it. */
  readonly kind: "lost" | "unusable";
  readonly first: LossEnd;
  readonly last: LossEnd;
  readonly bytes: number;
  /** Names the object. */
  readonly problem: string;
}

export function lossesOf(facts: GenerationFacts, records: IndexRecords, ranges: readonly Range[]): Loss[] {
  const { catalog } = facts;
  const unusable = groupsOf(catalog.wals.filter((entry) => isUnusable(catalog, entry, ranges)));
  const losses = [
    ...unusable.map((group) => unusableLoss(catalog, group, records)),
    ...catalog.wals.flatMap((entry) => lostTail(catalog, entry)),
  ];
  return losses.sort((a, b) => comparePlaces(a.first, b.first));
}

/** WAL before the first whole snapshot is what a removal leaves that was cut short, and needed for nothing. */
function isUnusable(catalog: GenerationCatalog, entry: WalEntry, ranges: readonly Range[]): boolean {
  const { index, lastRecord, isUnread } = entry;
  if (lastRecord === undefined || isUnread === true) return false;
  const [first] = wholeSnapshots(catalog);
  if (first === undefined ? lostSnapshot(catalog) === undefined : index < first.name) return false;
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
  const begin = records.get(first.index)?.[0];
  const why = lostSnapshot(catalog)?.problem ??
    `nothing leads to ${nameObject(catalog, first.index, "wal")} (expected all WAL since the snapshot before it)`;
  return {
    kind: "unusable",
    first: { index: first.index, offset: asOffset(0), capturedAtMs: begin?.capturedAtMs ?? timeOf(first) },
    last: { index: last.index, offset: last.lastRecord?.end ?? asOffset(0), capturedAtMs: timeOf(last) },
    bytes,
    problem: `the WAL of index ${formatIndex(first.index)} to ${formatIndex(last.index)} cannot be used: ${why}`,
  };
}

/** A `.wal` is durable before its records: what they promise was there. */
function lostTail(catalog: GenerationCatalog, entry: WalEntry): Loss[] {
  const { index, promisedEnd, lastRecord, createdAtMs } = entry;
  const from = lastRecord?.end ?? asOffset(0);
  if (promisedEnd === undefined || promisedEnd <= from) return [];
  const key = nameObject(catalog, index, "wal");
  return [{
    kind: "lost",
    first: { index, offset: from, capturedAtMs: lastRecord?.capturedAtMs ?? createdAtMs },
    last: { index, offset: promisedEnd, capturedAtMs: createdAtMs },
    bytes: promisedEnd - from,
    problem: `${key} ends at byte ${from} of what it held (expected ${promisedEnd}, as its records say)`,
  }];
}

function timeOf({ lastRecord, createdAtMs }: WalEntry): number {
  return lastRecord?.capturedAtMs ?? createdAtMs;
}
