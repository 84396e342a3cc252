/** From what is wanted to a point of one generation, or to the reason why there is none. PURE. */
import { nameObject } from "../position/object_names.ts";
import { asIndex, asOffset, formatIndex, formatPosition, type Index, type Position } from "../position/position.ts";
import type { CommitRecords } from "../store/commit_records.ts";
import type { GenerationCatalog, WalEntry } from "../store/generation_store.ts";
import { damagedSnapshots } from "../store/snapshot_state.ts";
import {
  comparePlaces,
  describePoint,
  endOfWal,
  type GenerationFacts,
  type Point,
  pointOf,
  type Refusal,
  shortWal,
  walOf,
  wholeSnapshots,
} from "./history.ts";
import type { RestoreTarget } from "./target.ts";

export type Resolution =
  | { readonly kind: "point"; readonly point: Point; readonly notices: readonly string[] }
  /** The wanted time lies before everything that can be restored. */
  | { readonly kind: "before-first"; readonly first: Point }
  | Refusal;

export function resolveTarget(facts: GenerationFacts, target: RestoreTarget): Resolution {
  switch (target.kind) {
    case "latest":
      return resolveLatest(facts);
    case "time":
      return resolveTime(facts, target.atMs);
    case "index":
      return resolveIndex(facts, target.index);
    case "position":
      return resolvePosition(facts, target.position);
  }
}

/**
 * The indexes whose records a target may need, to be read in this order until one has a record that is not later: a position's
 * own; for a time the first one that ends later. Where a clock was ahead, indexes end later than others behind them: what such
 * an index says of its end counts for nothing, and the first one behind it that can be believed is asked before it.
 */
export function indexesToRead(catalog: GenerationCatalog, target: RestoreTarget): readonly Index[] {
  if (target.kind === "position") {
    return walOf(catalog, target.position.index) === undefined ? [] : [target.position.index];
  }
  if (target.kind !== "time") return [];
  const first = wholeSnapshots(catalog)[0];
  const ends = catalog.wals.flatMap(({ index, lastRecord }) =>
    first === undefined || index < first.index || lastRecord === undefined
      ? []
      : [{ index, atMs: lastRecord.capturedAtMs, believedMs: lastRecord.capturedAtMs }]
  );
  let nextMs = Infinity;
  for (const end of ends.toReversed()) nextMs = end.believedMs = Math.min(nextMs, end.atMs);
  const later = ends.filter(({ believedMs }) => believedMs > target.atMs);
  const believed = later.findIndex(({ atMs, believedMs }) => atMs === believedMs);
  return later.slice(0, believed + 1).map(({ index }) => index).toReversed();
}

/** Whether nothing before these records is asked for. */
export function isInRecords(records: CommitRecords, target: RestoreTarget): boolean {
  return target.kind !== "time" || records.some(({ capturedAtMs }) => capturedAtMs <= target.atMs);
}

/** `untilMs` is later than all WAL. */
function resolveLatest(facts: GenerationFacts, untilMs = Infinity): Resolution {
  const snapshot = wholeSnapshots(facts.catalog).at(-1);
  const wal = lastWalWithState(facts);
  if (wal === undefined) {
    return damagedBehind(facts.catalog, snapshot, untilMs) ?? pointOrNothing(facts.catalog, snapshot);
  }
  const end = endOfWal(facts, wal);
  const point = later(end, snapshot);
  const promised = wal.promisedEnd;
  if (promised !== undefined && (point === undefined || isBefore(point, wal.index, promised))) {
    return brokenPromise(facts.catalog, wal, point);
  }
  if (end === undefined && isBefore(snapshot, wal.index, 0)) return unknownEnd(facts.catalog, wal);
  return damagedBehind(facts.catalog, point, untilMs) ?? pointOrNothing(facts.catalog, point, damageNotices(wal));
}

/** A damaged snapshot of a later state that is none of the WAL's: what comes before it is not the newest. */
function damagedBehind(catalog: GenerationCatalog, point: Point | undefined, untilMs: number): Refusal | undefined {
  if (point === undefined) return undefined;
  const behind = damagedSnapshots(catalog).findLast(({ name, place, isPlaceKnown, capturedAtMs }) =>
    comparePlaces(place, point) > 0 && (isPlaceKnown ? capturedAtMs <= untilMs : name > point.index)
  );
  return behind && { kind: "refusal", code: "corrupt", problem: behind.problem, intactTo: point };
}

/** The last index that holds anything: one that was begun, but holds no commit yet, adds nothing. */
function lastWalWithState(facts: GenerationFacts): WalEntry | undefined {
  const { wals } = facts.catalog;
  const last = wals.at(-1);
  if (last === undefined || endOfWal(facts, last) !== undefined || last.promisedEnd !== undefined) return last;
  return wals.at(-2) ?? last;
}

function resolveTime(facts: GenerationFacts, atMs: number): Resolution {
  const { catalog } = facts;
  const snapshots = wholeSnapshots(catalog);
  const first = snapshots[0];
  if (first === undefined) return pointOrNothing(catalog, undefined);
  const index = facts.records?.index ?? indexesToRead(catalog, { kind: "time", atMs })[0];
  if (index === undefined) {
    const latest = resolveLatest(facts, atMs);
    if (latest.kind !== "point" || latest.point.capturedAtMs <= atMs) return withLaterNotice(catalog, latest, atMs);
  }
  const inWal = index === undefined ? endBefore(facts, undefined) : lastRecordUntil(facts, index, atMs);
  if (inWal.kind === "refusal") return inWal;
  const fromWal = inWal.point !== undefined && comparePlaces(inWal.point, first) >= 0 ? inWal.point : undefined;
  const snapshot = snapshots.findLast((point) => point.capturedAtMs <= atMs);
  const point = later(fromWal, snapshot);
  if (point === undefined) return { kind: "before-first", first };
  const behind = index === undefined ? damagedBehind(catalog, point, atMs) : undefined;
  return behind ?? { kind: "point", point, notices: [] };
}

/** The last record of the index that is not later; the end of the index before where it has none. */
function lastRecordUntil(facts: GenerationFacts, index: Index, atMs: number): FoundInWal | Refusal {
  const { catalog } = facts;
  const records = facts.records?.index === index ? facts.records.records : [];
  const last = records.at(-1);
  const isWhole = last?.end === walOf(catalog, index)?.lastRecord?.end;
  if (!isWhole && (last === undefined || last.capturedAtMs <= atMs)) {
    const key = nameObject(catalog, index, "commits");
    const problem = `${key} is damaged after ${records.length} records (expected all records up to the wanted time)`;
    const intactTo = last === undefined ? { index, offset: asOffset(0) } : pointOf(index, last);
    return { kind: "refusal", code: "corrupt", problem, intactTo };
  }
  const record = records.findLast((one) => one.capturedAtMs <= atMs);
  return record === undefined ? endBefore(facts, index) : { kind: "found", point: pointOf(index, record) };
}

interface FoundInWal {
  readonly kind: "found";
  readonly point?: Point;
}

/** The end of the index before the given one; for undefined the last end that a record speaks of. */
function endBefore(facts: GenerationFacts, index: Index | undefined): FoundInWal | Refusal {
  const { wals } = facts.catalog;
  const first = wholeSnapshots(facts.catalog)[0];
  if (index !== undefined && first !== undefined && index <= first.index) return { kind: "found" };
  const earlier = index !== undefined
    ? wals.filter((entry) => entry.index < index)
    : wals.at(-1)?.lastRecord === undefined
    ? wals.slice(0, -1)
    : wals;
  const before = earlier.at(-1);
  if (before === undefined) return { kind: "found" };
  if (index !== undefined && before.index !== index - 1) {
    return missingIndex(facts.catalog, asIndex(before.index + 1), before.index, index);
  }
  const { lastRecord } = before;
  return lastRecord === undefined
    ? unknownEnd(facts.catalog, before)
    : { kind: "found", point: pointOf(before.index, lastRecord) };
}

function resolveIndex(facts: GenerationFacts, index: Index): Resolution {
  const { catalog } = facts;
  const snapshot = wholeSnapshots(catalog).filter((point) => point.index === index).at(-1);
  const entry = walOf(catalog, index);
  if (entry === undefined) {
    if (snapshot !== undefined) return { kind: "point", point: snapshot, notices: [] };
    return notAPoint(facts, `index ${formatIndex(index)} is not there`, { index, offset: Infinity });
  }
  const point = later(endOfWal(facts, entry), snapshot);
  if (point === undefined) return unknownEnd(catalog, entry);
  if (entry.promisedEnd !== undefined && isBefore(point, index, entry.promisedEnd)) {
    return brokenPromise(catalog, entry, point);
  }
  const goesOn = [...catalog.wals, ...wholeSnapshots(catalog)].some((other) => other.index > index);
  if (goesOn && entry.lastRecord?.indexClosed !== true) return notClosed(catalog, entry);
  return pointOrNothing(catalog, point, goesOn ? [] : damageNotices(entry));
}

function resolvePosition(facts: GenerationFacts, position: Position): Resolution {
  const { catalog } = facts;
  const { index, offset } = position;
  const entry = walOf(catalog, index);
  const records = facts.records?.index === index ? facts.records.records : [];
  const snapshot = wholeSnapshots(catalog).find((point) => point.index === index && point.offset === offset);
  const record = records.find((one) => one.end === offset);
  const end = entry === undefined ? undefined : endOfWal(facts, entry);
  const found = record !== undefined ? pointOf(index, record) : end?.offset === offset ? end : snapshot;
  if (found !== undefined) return { kind: "point", point: found, notices: [] };
  const isHidden = entry?.recordProblem !== undefined || (records.at(-1)?.end ?? 0) < (entry?.lastRecord?.end ?? 0);
  if (isHidden && offset > (records.at(-1)?.end ?? 0)) {
    const last = records.at(-1);
    const problem = entry?.recordProblem ?? `${nameObject(catalog, index, "commits")} is damaged`;
    return {
      kind: "refusal",
      code: "corrupt",
      problem: `${problem} (expected a record that ends there)`,
      intactTo: last === undefined ? { index, offset: asOffset(0) } : pointOf(index, last),
    };
  }
  const damaged = damagedSnapshots(catalog).find(({ name, place, isPlaceKnown }) =>
    isPlaceKnown ? comparePlaces(place, position) === 0 : name === index
  );
  if (damaged !== undefined) return { kind: "refusal", code: "corrupt", problem: damaged.problem };
  return notAPoint(facts, `${formatPosition(position)} is not where a captured transaction ends`, position);
}

/** Refuses with the points on both sides of a place that is none. */
function notAPoint(
  facts: GenerationFacts,
  what: string,
  place: { readonly index: Index; readonly offset: number },
): Refusal {
  const { catalog } = facts;
  const { generation } = catalog;
  const first = wholeSnapshots(catalog)[0];
  const isEarlier = (point: Point) =>
    point.index < place.index ||
    (point.index === place.index && point.offset <= place.offset);
  let [before, after]: (Point | undefined)[] = [];
  const look = (point: Point) => {
    if (first === undefined || comparePlaces(point, first) < 0) return;
    if (!isEarlier(point)) after = after === undefined || comparePlaces(point, after) < 0 ? point : after;
    else if (before === undefined || comparePlaces(point, before) >= 0) before = point;
  };
  wholeSnapshots(catalog).forEach(look);
  for (const record of facts.records?.records ?? []) look(pointOf(facts.records?.index ?? place.index, record));
  catalog.wals.flatMap((entry) => endOfWal(facts, entry) ?? []).forEach(look);
  const neighbours = [
    before === undefined ? [] : [`the nearest before it is ${describePoint(generation, before)}`],
    after === undefined ? [] : [`the nearest after it is ${describePoint(generation, after)}`],
  ].flat();
  const problem = neighbours.length === 0 ? what : `${what} (${neighbours.join("; ")})`;
  return { kind: "refusal", code: "not-found", problem };
}

/** Without a point: a snapshot that is damaged is named, and is not the same as none. */
function pointOrNothing(
  catalog: GenerationCatalog,
  point: Point | undefined,
  notices: readonly string[] = [],
): Resolution {
  if (point !== undefined) return { kind: "point", point, notices };
  const [damaged] = damagedSnapshots(catalog);
  if (damaged !== undefined) return { kind: "refusal", code: "corrupt", problem: damaged.problem };
  return { kind: "refusal", code: "not-found", problem: `generation ${catalog.generation} has nothing to restore` };
}

function withLaterNotice(catalog: GenerationCatalog, latest: Resolution, atMs: number): Resolution {
  if (latest.kind !== "point" || latest.point.capturedAtMs === atMs) return latest;
  const notice = `${new Date(atMs).toISOString()} is later than the newest point, ` +
    `${describePoint(catalog.generation, latest.point)}, which is restored`;
  return { ...latest, notices: [...latest.notices, notice] };
}

function damageNotices(entry: WalEntry): string[] {
  return entry.recordProblem === undefined ? [] : [`${entry.recordProblem}; what it spoke of is not restored`];
}

function brokenPromise(catalog: GenerationCatalog, entry: WalEntry, intact: Point | undefined): Refusal {
  const key = nameObject(catalog, entry.index, "wal");
  const problem = shortWal(catalog, entry) ??
    `${key} has ${entry.sizeBytes} bytes (expected at least ${entry.promisedEnd}, as its records say)`;
  const begin = { index: entry.index, offset: asOffset(0) };
  const intactTo = intact === undefined || comparePlaces(intact, begin) < 0 ? begin : intact;
  return { kind: "refusal", code: "corrupt", problem, intactTo };
}

function unknownEnd(catalog: GenerationCatalog, entry: WalEntry): Refusal {
  const key = nameObject(catalog, entry.index, "commits");
  const problem = `${entry.recordProblem ?? `${key} holds no record`} (expected one that says where the WAL ends)`;
  return { kind: "refusal", code: "gap", problem, intactTo: { index: entry.index, offset: asOffset(0) } };
}

export function notClosed(catalog: GenerationCatalog, entry: WalEntry): Refusal {
  const key = nameObject(catalog, entry.index, "commits");
  const problem = entry.recordProblem ?? `${key} has no closing record, though a later index exists`;
  const { lastRecord } = entry;
  return {
    kind: "refusal",
    code: entry.promisedEnd === undefined ? "gap" : "corrupt",
    problem: `${problem} (expected a record that says where this index ends)`,
    intactTo: lastRecord === undefined ? { index: entry.index, offset: asOffset(0) } : pointOf(entry.index, lastRecord),
  };
}

/** `first` to `last` are the indexes of which `index` should be one. */
export function missingIndex(catalog: GenerationCatalog, index: Index, first: Index, last: Index): Refusal {
  const range = `every index from ${formatIndex(first)} to ${formatIndex(last)}`;
  const problem = `${nameObject(catalog, index, "wal")} is missing (expected ${range})`;
  return { kind: "refusal", code: "gap", problem, intactTo: { index, offset: asOffset(0) } };
}

function later(a: Point | undefined, b: Point | undefined): Point | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return comparePlaces(a, b) >= 0 ? a : b;
}

/** Whether the point lies before the place; no point lies before everything. */
function isBefore(point: Point | undefined, index: Index, offset: number): boolean {
  return point === undefined || point.index < index || (point.index === index && point.offset < offset);
}
