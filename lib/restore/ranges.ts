/** Which stretches of a history can be restored: from a snapshot on, as far as the WAL goes without a gap. PURE. */
import { largestOf } from "../base/many.ts";
import { asIndex, asOffset, type Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { reachableIn } from "./reachable.ts";
import {
  comparePlaces,
  endOfWal,
  type GenerationFacts,
  type Place,
  type Point,
  pointOf,
  type SnapshotPoint,
  walOf,
  wholeSnapshots,
} from "./history.ts";

/** Every record of a generation, by index. */
export type IndexRecords = ReadonlyMap<Index, readonly CommitRecord[]>;

export interface RestorablePoint extends Place {
  readonly capturedAtMs: number;
  /** The time is that of the capture: the commits may be older, and come back as one step. */
  readonly isLate: boolean;
  /** Where an index ends, or a snapshot was taken. */
  readonly isBoundary: boolean;
}

export interface Range {
  readonly first: RestorablePoint;
  readonly last: RestorablePoint;
  readonly points: readonly RestorablePoint[];
  readonly snapshots: number;
  /** What the longest restore within it reads: a snapshot, and all WAL up to the next one. */
  readonly longestBytes: number;
}

/** The points that a restore can go to, in order; a closing record, or a snapshot, makes no other point of one. */
export function pointsOf(facts: GenerationFacts, records: IndexRecords): RestorablePoint[] {
  return rangesOf(facts, records).flatMap(({ points }) => points);
}

export function rangesOf(facts: GenerationFacts, records: IndexRecords): Range[] {
  const { catalog } = facts;
  const canReach = reachableIn(facts);
  const all = everyPoint(facts, records).filter(({ point }) => canReach(point)).map(({ listed }) => listed);
  const ranges: Range[] = [];
  let rest: readonly SnapshotPoint[] = wholeSnapshots(catalog);
  while (rest.length > 0) {
    const [first] = rest;
    if (first === undefined) break;
    const reach = reachFrom(facts, first, rest);
    const own = rest.filter(({ name }) => name <= reach);
    const after = rest.filter(({ name }) => name > reach);
    rest = after;
    const found = all.filter((point) => comparePlaces(point, first) >= 0 && isWithin(point, reach, after));
    // Of a snapshot of Litestream's without WAL nothing else tells the place.
    const points = found.length > 0 ? found : [{ ...placeOf(first), isLate: true, isBoundary: true }];
    const [start, end] = [points[0], points.at(-1)];
    if (start === undefined || end === undefined) continue;
    const longestBytes = largestOf(own.map((snapshot, slot) => bytesFrom(facts, snapshot, own[slot + 1] ?? end)));
    ranges.push({ first: start, last: end, points, snapshots: own.length, longestBytes });
  }
  return ranges;
}

function placeOf({ index, offset, capturedAtMs }: Point) {
  return { index, offset, capturedAtMs };
}

/** The last index that is reached from a snapshot: all before it are there and complete. */
function reachFrom({ catalog }: GenerationFacts, { name }: SnapshotPoint, snapshots: readonly SnapshotPoint[]): Index {
  const isThere = (index: Index) => walOf(catalog, index) !== undefined || snapshots.some((one) => one.name === index);
  let index = name;
  while (walOf(catalog, index)?.lastRecord?.indexClosed === true && isThere(asIndex(index + 1))) {
    index = asIndex(index + 1);
  }
  return index;
}

function isWithin(point: Place, reach: Index, after: readonly SnapshotPoint[]): boolean {
  const next = after[0];
  return point.index <= reach && (next === undefined || comparePlaces(point, next) < 0);
}

function bytesFrom({ catalog }: GenerationFacts, { imageBytes, replay }: SnapshotPoint, end: Place): number {
  const wal = catalog.wals.filter(({ index }) => index >= replay.index && index <= end.index)
    .reduce((sum, { index, lastRecord }) => {
      const to = index === end.index ? end.offset : lastRecord?.end ?? 0;
      return sum + Math.max(0, to - (index === replay.index ? replay.offset : 0));
    }, 0);
  return imageBytes + wal;
}

interface FoundPoint {
  readonly point: Point;
  readonly listed: RestorablePoint;
}

function everyPoint(facts: GenerationFacts, records: IndexRecords): FoundPoint[] {
  const { catalog } = facts;
  const found = new Map<string, FoundPoint>();
  const add = (point: Point, isLate: boolean, isBoundary: boolean) => {
    const { index, offset, capturedAtMs } = point;
    const key = `${index}:${offset}`;
    const known = found.get(key);
    found.set(key, {
      point: known?.point ?? point,
      listed: {
        index,
        offset: asOffset(offset),
        capturedAtMs: known?.listed.capturedAtMs ?? capturedAtMs,
        isLate: known?.listed.isLate ?? isLate,
        isBoundary: isBoundary || known?.listed.isBoundary === true,
      },
    });
  };
  for (const entry of catalog.wals) {
    const own = records.get(entry.index) ?? [];
    for (const record of own) add(pointOf(entry.index, record), record.capturedLate, record.end === own.at(-1)?.end);
    const end = endOfWal(facts, entry);
    if (end !== undefined) add(end, entry.lastRecord?.capturedLate ?? true, true);
  }
  for (const snapshot of wholeSnapshots(catalog)) add(snapshot, false, true);
  return [...found.values()].sort((a, b) => comparePlaces(a.point, b.point));
}
