/** Which stretches of a history can be restored: from a snapshot on, as far as the WAL goes without a gap. PURE. */
import { largestOf } from "../base/many.ts";
import { asIndex, asOffset, type Index } from "../position/position.ts";
import type { CommitRecords } from "../store/commit_records.ts";
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
export type IndexRecords = ReadonlyMap<Index, CommitRecords>;

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
  /** How many; there may be a million of them, and `eachPoint` makes them one by one. */
  readonly points: number;
  readonly late: readonly RestorablePoint[];
  readonly snapshots: number;
  /** What the longest restore within it reads: a snapshot, and all WAL up to the next one. */
  readonly longestBytes: number;
}

/** The points that a restore can go to, in order; a closing record, or a snapshot, makes no other point of one. */
export function pointsOf(facts: GenerationFacts, records: IndexRecords): RestorablePoint[] {
  return [...eachPoint(facts, records)];
}

export function* eachPoint(facts: GenerationFacts, records: IndexRecords): Generator<RestorablePoint> {
  for (const { point } of pointsWithin(facts, records, spansOf(facts))) yield point;
}

export function rangesOf(facts: GenerationFacts, records: IndexRecords): Range[] {
  const spans = spansOf(facts);
  const found = spans.map((): Found => ({ first: undefined, last: undefined, points: 0, late: [] }));
  for (const { point, slot } of pointsWithin(facts, records, spans)) {
    const range = found[slot];
    if (range === undefined) continue;
    range.first ??= point;
    range.last = point;
    range.points++;
    if (point.isLate) range.late.push(point);
  }
  return spans.flatMap(({ snapshots }, slot): Range[] => {
    const { first, last, points = 0, late = [] } = found[slot] ?? {};
    if (first === undefined || last === undefined) return [];
    const longestBytes = largestOf(
      snapshots.map((snapshot, at) => bytesFrom(facts, snapshot, snapshots[at + 1] ?? last)),
    );
    return [{ first, last, points, late, snapshots: snapshots.length, longestBytes }];
  });
}

interface Found {
  first: RestorablePoint | undefined;
  last: RestorablePoint | undefined;
  points: number;
  readonly late: RestorablePoint[];
}

/** Where a range may have points: from its first snapshot on, up to an index, and before the next span. */
interface Span {
  readonly snapshots: readonly SnapshotPoint[];
  readonly first: SnapshotPoint;
  readonly reach: Index;
}

function spansOf(facts: GenerationFacts): Span[] {
  const spans: Span[] = [];
  let rest: readonly SnapshotPoint[] = wholeSnapshots(facts.catalog);
  while (rest.length > 0) {
    const [first] = rest;
    if (first === undefined) break;
    const reach = reachFrom(facts, first, rest);
    spans.push({ snapshots: rest.filter(({ name }) => name <= reach), first, reach });
    rest = rest.filter(({ name }) => name > reach);
  }
  return spans;
}

/** The points of one span after the other, each span having one at least. */
function* pointsWithin(
  facts: GenerationFacts,
  records: IndexRecords,
  spans: readonly Span[],
): Generator<{ readonly point: RestorablePoint; readonly slot: number }> {
  const canReach = reachableIn(facts);
  let [slot, isEmpty] = [0, true];
  // Of a snapshot of Litestream's without WAL nothing else tells the place.
  const alone = ({ first }: Span) => ({ point: { ...placeOf(first), isLate: true, isBoundary: true }, slot });
  for (const { point, listed } of everyPoint(facts, records)) {
    for (let next = spans[slot + 1]; next !== undefined && comparePlaces(point, next.first) >= 0;) {
      const span = spans[slot];
      if (isEmpty && span !== undefined) yield alone(span);
      next = spans[++slot + 1];
      isEmpty = true;
    }
    const span = spans[slot];
    if (span === undefined || comparePlaces(point, span.first) < 0 || point.index > span.reach) continue;
    if (!canReach(point)) continue;
    yield { point: listed, slot };
    isEmpty = false;
  }
  for (; slot < spans.length; slot++, isEmpty = true) {
    const span = spans[slot];
    if (isEmpty && span !== undefined) yield alone(span);
  }
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

/** In order, made one by one from records that are in order. */
function* everyPoint(facts: GenerationFacts, records: IndexRecords): Generator<FoundPoint> {
  let pending: FoundPoint | undefined;
  for (const { point, isLate, isBoundary } of inOrder(facts, records)) {
    if (pending !== undefined && comparePlaces(pending.point, point) === 0) { // The first one tells what it is.
      const listed = { ...pending.listed, isBoundary: isBoundary || pending.listed.isBoundary };
      pending = { point: pending.point, listed };
      continue;
    }
    if (pending !== undefined) yield pending;
    const { index, offset, capturedAtMs } = point;
    pending = { point, listed: { index, offset: asOffset(offset), capturedAtMs, isLate, isBoundary } };
  }
  if (pending !== undefined) yield pending;
}

interface Said {
  readonly point: Point;
  readonly isLate: boolean;
  readonly isBoundary: boolean;
}

/** What records, ends and snapshots say, in this order where they say it of one place. */
function* inOrder(facts: GenerationFacts, records: IndexRecords): Generator<Said> {
  const { catalog } = facts;
  const others: Said[] = catalog.wals.flatMap((entry) => {
    const end = endOfWal(facts, entry);
    return end === undefined ? [] : [{ point: end, isLate: entry.lastRecord?.capturedLate ?? true, isBoundary: true }];
  });
  for (const point of wholeSnapshots(catalog)) others.push({ point, isLate: false, isBoundary: true });
  others.sort((a, b) => comparePlaces(a.point, b.point));
  let slot = 0;
  for (const { index } of catalog.wals) {
    const own = records.get(index) ?? [];
    const last = own.at(-1)?.end;
    for (const record of own) {
      const point = pointOf(index, record);
      for (let other = others[slot]; other !== undefined && comparePlaces(other.point, point) < 0;) {
        yield other;
        other = others[++slot];
      }
      yield { point, isLate: record.capturedLate, isBoundary: record.end === last };
    }
  }
  yield* others.slice(slot);
}
