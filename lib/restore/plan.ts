/** What a restore will read, decided before anything is read: a snapshot, then the WAL of one index after the other. PURE. */
import type { Generation } from "../position/generation.ts";
import { type Layout, nameObject } from "../position/object_names.ts";
import { asIndex, asOffset, formatIndex, type Index, type Offset } from "../position/position.ts";
import type { GenerationCatalog, WalEntry } from "../store/generation_store.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import { frameSize } from "../wal/frame.ts";
import { isPageSize, WAL_HEADER_SIZE } from "../wal/header.ts";
import {
  comparePlaces,
  describePoint,
  type GenerationFacts,
  isHalfMade,
  lossOf,
  newestMs,
  type Place,
  type Point,
  type Refusal,
  type SnapshotPoint,
  wholeSnapshots,
} from "./history.ts";
import { withKeptChecksum } from "./kept_checksum.ts";
import { missingIndex, notClosed, type Resolution, resolveTarget } from "./resolve.ts";
import { describeRivals, rivalsOf } from "./rivals.ts";
import type { RestoreTarget } from "./target.ts";

export interface RestorePlan {
  readonly kind: "plan";
  readonly layout: Layout;
  readonly generation: Generation;
  readonly snapshot: SnapshotPoint;
  /** Ascending by index, none of them empty. */
  readonly steps: readonly RestoreStep[];
  readonly end: Point;
  /** 0 for a database without pages. */
  readonly pageSize: number;
  readonly databaseBytes: number;
  /** WAL and snapshot as far as they will be looked at. */
  readonly plannedBytes: number;
  /** Whether the end lies in the index that a snapshot of Litestream's is of some moment of; `snapshot_moment.ts` judges it. */
  readonly isWithinSnapshotIndex: boolean;
  /** Whether nothing but that judgement speaks for it; the notices say so. */
  readonly isDoubtful: boolean;
  /** What the person should know, a sentence each. */
  readonly notices: readonly string[];
}

/** The part of one index that is replayed. */
export interface RestoreStep {
  readonly index: Index;
  readonly from: Offset;
  readonly to: Offset;
  /** Size of the database after the last of these frames, which is a commit frame. */
  readonly databasePages: number;
}

export interface RefusedPlan {
  readonly kind: "refused";
  readonly code: Refusal["code"];
  /** Completes "Cannot restore <what>: ". */
  readonly problem: string;
  /** The newest point before the damage that a restore can still reach. */
  readonly reachable?: { readonly generation: Generation; readonly point: Point };
  /** Where nothing is damaged: what to do. */
  readonly advice?: string;
}

/** `generations` in any order; the one with the newest fitting point is taken. */
export function planRestore(generations: readonly GenerationFacts[], target: RestoreTarget): RestorePlan | RefusedPlan {
  const wanted = generations.filter(({ catalog }) => catalog.generation === (target.generation ?? catalog.generation));
  if (wanted.length === 0) return { kind: "refused", code: "not-found", problem: nothingThere(generations, target) };
  const lost = newestLost(wanted) ?? damagedAt(wanted, target);
  if (lost !== undefined && mayNeed(lost, wanted, target)) return refusedWithOthers(wanted, lost, target);
  const restorable = wanted.filter(({ catalog, damage }) => damage === undefined && !isHalfMade(catalog));
  const chosen = chooseGeneration(restorable, target);
  if (chosen === undefined) return { kind: "refused", code: "not-found", problem: nothingWhole(wanted) };
  const { facts, resolution } = chosen;
  const { generation } = facts.catalog;
  if (resolution.kind === "before-first") {
    const problem = `that is before the first point, ${describePoint(generation, resolution.first)}`;
    return { kind: "refused", code: "not-found", problem };
  }
  if (resolution.kind === "refusal") return refusedWithReach(facts, resolution);
  const { chain, end } = chainTo(facts, resolution.point, target);
  if (chain.stopped !== undefined) return refusedWithReach(facts, chain.stopped, chain.reached);
  const contested = contestedBy(facts, restorable, target);
  if (contested !== undefined) return contested;
  return makePlan(facts.catalog, chain, withKeptChecksum(end, facts), [
    ...wanted.filter((other) => isHalfMade(other.catalog) && isNewer(other, facts)).map(halfMadeNotice),
    ...chain.notices,
    ...resolution.notices,
    ...(chain.isDoubtful === true ? [doubtNotice(facts.catalog, chain.snapshot)] : []),
  ]);
}

/** For a time, a snapshot of Litestream's serves alone where it holds what came behind the last point before. */
function chainTo(
  facts: GenerationFacts,
  point: Point,
  target: RestoreTarget,
): { readonly chain: Chain; readonly end: Point } {
  const chain = walkChain(facts, point);
  const { snapshot, stopped } = chain;
  const isInTime = target.kind === "time" && snapshot !== undefined && snapshot.capturedAtMs <= target.atMs;
  if (stopped === undefined || !isInTime || unfitBecause(facts, snapshot, point) === undefined) {
    return { chain, end: point };
  }
  return { chain: walkChain(facts, snapshot), end: snapshot };
}

/** Which of two histories of the same time is wanted is for a person to say. */
function contestedBy(
  { catalog: { generation } }: GenerationFacts,
  generations: readonly GenerationFacts[],
  target: RestoreTarget,
): RefusedPlan | undefined {
  const untilMs = target.kind === "time" ? target.atMs : Infinity;
  const rivals = rivalsOf(generation, generations.map(({ catalog }) => catalog))
    .filter(({ firstMs }) => firstMs <= untilMs);
  if (rivals.length === 0) return undefined;
  const advice = "choose one by --generation, and give each database, and each host, a replica of its own";
  return { kind: "refused", code: "corrupt", problem: describeRivals(generation, rivals), advice };
}

/** The newest of all, when its snapshot is lost: what is older may be what a removal left. */
function newestLost(generations: readonly GenerationFacts[]): GenerationFacts | undefined {
  const [newest] = generations.toSorted((a, b) => newestMs(b) - newestMs(a));
  return newest !== undefined && lossOf(newest) !== undefined ? newest : undefined;
}

/** A past moment may lie in any generation of which not all can be told. */
function damagedAt(generations: readonly GenerationFacts[], target: RestoreTarget): GenerationFacts | undefined {
  return target.kind === "time" ? generations.find(({ damage }) => damage !== undefined) : undefined;
}

/** A moment before all that it holds is served by the others. */
function mayNeed(lost: GenerationFacts, generations: readonly GenerationFacts[], target: RestoreTarget): boolean {
  if (target.kind !== "time") return true;
  const others = generations.filter((other) => other !== lost && other.damage === undefined);
  if (lost.damage !== undefined) return !others.some((other) => goesOnAt(other, target.atMs));
  return target.atMs >= Math.max(...others.map(newestMs), firstRecordedMs(lost));
}

function goesOnAt(facts: GenerationFacts, atMs: number): boolean {
  const [first] = wholeSnapshots(facts.catalog);
  return first !== undefined && first.capturedAtMs <= atMs && atMs <= newestMs(facts);
}

function firstRecordedMs({ catalog }: GenerationFacts): number {
  const [first] = catalog.wals;
  return first?.lastRecord?.capturedAtMs ?? -Infinity;
}

/** Damage, with the newest state that another generation still has. */
function refusedWithOthers(
  generations: readonly GenerationFacts[],
  lost: GenerationFacts,
  target: RestoreTarget,
): RefusedPlan {
  const refusal = lossOf(lost);
  const others = generations.filter((other) => other !== lost);
  const next = others.length === 0 ? undefined : planRestore(others, { ...target, kind: "latest" });
  const reachable = next?.kind === "plan" ? { generation: next.generation, point: next.end } : next?.reachable;
  return {
    kind: "refused",
    code: refusal?.code ?? "gap",
    problem: refusal?.problem ?? nothingWhole(generations),
    ...(reachable === undefined ? {} : { reachable }),
  };
}

interface Choice {
  readonly facts: GenerationFacts;
  readonly resolution: Resolution;
  /** How new what it offers is. */
  readonly ms: number;
}

/** For a time the generation with the last point before it, else the newest one. */
function chooseGeneration(generations: readonly GenerationFacts[], target: RestoreTarget): Choice | undefined {
  if (target.kind !== "time") {
    const facts = generations.reduce<GenerationFacts | undefined>(
      (best, other) => best === undefined || newestMs(other) > newestMs(best) ? other : best,
      undefined,
    );
    return facts && { facts, resolution: resolveTarget(facts, target), ms: newestMs(facts) };
  }
  const choices = generations.map((facts): Choice => {
    const resolution = resolveTarget(facts, target);
    const ms = resolution.kind === "point" ? resolution.point.capturedAtMs : Math.min(newestMs(facts), target.atMs);
    return { facts, resolution, ms };
  });
  const fitting = choices.filter(({ resolution }) => resolution.kind !== "before-first");
  if (fitting.length > 0) return fitting.reduce((best, other) => other.ms > best.ms ? other : best);
  return choices.toSorted((a, b) => firstMs(a) - firstMs(b))[0];
}

function firstMs({ resolution }: Choice): number {
  return resolution.kind === "before-first" ? resolution.first.capturedAtMs : Infinity;
}

export interface Chain {
  readonly snapshot?: SnapshotPoint;
  readonly steps: readonly RestoreStep[];
  /** How far the chain was walked. */
  readonly reached?: Point;
  readonly stopped?: Refusal;
  /** The index that it stopped in. */
  readonly stoppedIn?: Index;
  readonly isWithin?: boolean;
  readonly isDoubtful?: boolean;
  readonly notices: readonly string[];
}

/** How a chain is walked from a snapshot to an end. */
export type Walk = (snapshot: SnapshotPoint, end: Point | Place) => Chain;

/**
 * From the newest whole snapshot that is not later than `end` over every index up to it; from an older one where the newest
 * is later than `end` after all, or may be.
 */
export function walkChain(
  facts: GenerationFacts,
  end: Point | Place,
  walk: Walk = (snapshot, end) => walkFrom(facts, snapshot, end),
): Chain {
  const fitting = wholeSnapshots(facts.catalog).filter((point) => comparePlaces(point, end) <= 0);
  const newest = fitting.at(-1);
  if (newest === undefined) return { steps: [], notices: [], stopped: withoutSnapshot(facts, end) };
  const chain = walk(newest, end);
  if (!isWithin(newest, end)) return chain;
  const unfit = unfitBecause(facts, newest, end);
  const own = { ...chain, isWithin: true, ...(unfit === undefined ? {} : { stopped: unfit, reached: newest }) };
  if (unfit === undefined && !mayBeLater(newest, end)) return own;
  for (const snapshot of fitting.slice(0, -1).toReversed()) {
    const other = walk(snapshot, end);
    if (other.stopped === undefined) return other;
  }
  return unfit === undefined ? { ...own, isDoubtful: true } : own;
}

/** As far as the snapshot's pages have been looked at. */
function unfitBecause({ catalog, moments }: GenerationFacts, snapshot: SnapshotPoint, end: Place): Refusal | undefined {
  const moment = moments?.get(snapshot.name);
  if (moment === undefined) return undefined;
  if (moment.kind === "unfit") return { kind: "refusal", code: moment.code, problem: moment.problem };
  if (end.offset >= moment.from) return undefined;
  const key = nameObject(catalog, snapshot.name, "snapshot");
  const problem = `${key} is of a later moment (it serves from offset ${moment.from} of its index on)`;
  return { kind: "refusal", code: "gap", problem };
}

/** Whether the end lies in the index that a snapshot of Litestream's is of some moment of. */
function isWithin(snapshot: SnapshotPoint, end: Point | Place): boolean {
  return snapshot.isPeers && end.index === snapshot.name && end.offset > 0;
}

/** Whether no WAL up to `end` was stored after the snapshot of Litestream's: it may hold pages of WAL that is not there. */
function mayBeLater(snapshot: SnapshotPoint, end: Point | Place): boolean {
  return isWithin(snapshot, end) && (!("capturedAtMs" in end) || end.capturedAtMs <= snapshot.capturedAtMs);
}

export function walkFrom(facts: GenerationFacts, snapshot: SnapshotPoint, end: Point | Place): Chain {
  const { catalog } = facts;
  const notices = passedOver(facts, snapshot, end);
  const { replay } = snapshot;
  const steps: RestoreStep[] = [];
  let reached: Point | undefined = snapshot.needsWal ? undefined : snapshot;
  let slot = catalog.wals.findIndex((entry) => entry.index >= replay.index);
  for (let index: number = replay.index; index <= end.index; index++, slot++) {
    const from = index === replay.index ? replay.offset : asOffset(0);
    const isLast = index === end.index;
    const stop = (stopped: Refusal): Chain => (
      { snapshot, steps, ...reachedPart(reached), stopped, stoppedIn: asIndex(index), notices }
    );
    if (isLast && end.offset <= from) {
      const other = steps.length === 0 && "databasePages" in end ? ofOtherState(catalog, end, snapshot) : undefined;
      if (other !== undefined) return stop(other);
      break;
    }
    const entry = catalog.wals[slot];
    if (entry?.index !== index) {
      return stop(missingIndex(catalog, asIndex(index), replay.index, end.index));
    }
    const stepEnd: Point | undefined = isLast && "databasePages" in end ? end : closedEnd(entry);
    if (stepEnd === undefined) return stop(notClosed(catalog, entry));
    const disagreement = disagree(catalog, stepEnd, from, snapshot);
    if (disagreement !== undefined) return stop(disagreement);
    if (stepEnd.offset > from) {
      steps.push({ index: stepEnd.index, from, to: stepEnd.offset, databasePages: stepEnd.databasePages });
    }
    if (comparePlaces(stepEnd, snapshot) >= 0) reached = stepEnd;
  }
  return { snapshot, steps, ...reachedPart(reached ?? snapshot), notices };
}

function reachedPart(reached: Point | undefined): { readonly reached?: Point } {
  return reached === undefined ? {} : { reached };
}

function closedEnd(entry: WalEntry): Point | undefined {
  const record = entry.lastRecord;
  if (record?.indexClosed !== true) return undefined;
  const { end, pageSize, databasePages, capturedAtMs } = record;
  return { index: entry.index, offset: end, pageSize, databasePages, capturedAtMs };
}

/** Where nothing is replayed, the record of the end and that of the snapshot speak of the same state. */
function ofOtherState(
  catalog: GenerationCatalog,
  { index, offset, pageSize, databasePages }: Point,
  snapshot: SnapshotPoint,
): Refusal | undefined {
  if (snapshot.pageSize === 0 || (pageSize === snapshot.pageSize && databasePages === snapshot.databasePages)) {
    return undefined;
  }
  const problem = `${nameObject(catalog, index, "commits")}: the record that ends at ${offset} says ${databasePages} ` +
    `pages of ${pageSize} bytes (expected ${snapshot.databasePages} of ${snapshot.pageSize}, as in the snapshot there)`;
  return { kind: "refusal", code: "corrupt", problem, intactTo: { index, offset: asOffset(0) } };
}

/** What records must agree on: one page size throughout, ends on frames, none before the snapshot of its own index. */
export function disagree(
  catalog: GenerationCatalog,
  end: Point,
  from: Offset,
  snapshot: SnapshotPoint,
): Refusal | undefined {
  const refuse = (problem: string): Refusal => ({
    kind: "refusal",
    code: "corrupt",
    problem: `${nameObject(catalog, end.index, "commits")}: ${problem}`,
    intactTo: { index: end.index, offset: asOffset(0) },
  });
  if (end.offset < from) return refuse(`it ends at ${end.offset} (expected at least the snapshot's offset ${from})`);
  if (end.offset === 0) return undefined;
  if (!isPageSize(end.pageSize)) {
    return refuse(`the page size is ${end.pageSize} (expected a power of two, 512 to 65536)`);
  }
  if (snapshot.pageSize !== 0 && snapshot.pageSize !== end.pageSize) {
    return refuse(`the page size is ${end.pageSize} (expected ${snapshot.pageSize}, as in the snapshot)`);
  }
  const isAligned = (offset: number) => offset === 0 || (offset - WAL_HEADER_SIZE) % frameSize(end.pageSize) === 0;
  if (isAligned(end.offset) && isAligned(from)) return undefined;
  return refuse(`the replay from ${from} to ${end.offset} does not begin and end between frames`);
}

function withoutSnapshot({ catalog }: GenerationFacts, end: Place): Refusal {
  const { generation } = catalog;
  for (const entry of catalog.snapshots.toReversed()) {
    const state = snapshotState(catalog, entry);
    if (entry.index <= end.index && state.kind === "corrupt") {
      return { kind: "refusal", code: "corrupt", problem: state.problem };
    }
  }
  const first = wholeSnapshots(catalog)[0];
  const problem = first === undefined
    ? `generation ${generation} has no complete snapshot`
    : `that is before the first point, ${describePoint(generation, first)}`;
  return { kind: "refusal", code: "not-found", problem };
}

/** Newer snapshots that cannot serve, though they would have. */
function passedOver({ catalog }: GenerationFacts, used: SnapshotPoint, end: Place): string[] {
  return catalog.snapshots.flatMap((entry) => {
    if (entry.index <= used.name || entry.index > end.index) return [];
    const state = snapshotState(catalog, entry);
    return state.kind === "whole" ? [] : [`${state.problem}; the snapshot of index ${formatIndex(used.name)} serves`];
  });
}

function makePlan(
  { layout, generation }: GenerationCatalog,
  chain: Chain,
  end: Point,
  notices: readonly string[],
): RestorePlan {
  const { snapshot, steps, isWithin = false, isDoubtful = false } = chain;
  if (snapshot === undefined) throw new Error("A chain that was walked begins with a snapshot");
  const databaseBytes = end.databasePages * end.pageSize;
  const walBytes = steps.reduce((sum, { from, to }) => sum + to - from, 0);
  const plannedBytes = walBytes + Math.min(snapshot.imageBytes, databaseBytes);
  const pageSize = steps.length > 0 ? end.pageSize : snapshot.pageSize;
  return {
    kind: "plan",
    layout,
    generation,
    snapshot,
    steps,
    end,
    pageSize,
    databaseBytes,
    plannedBytes,
    isWithinSnapshotIndex: isWithin,
    isDoubtful,
    notices,
  };
}

function refusedWithReach(facts: GenerationFacts, refusal: Refusal, walkedTo?: Point): RefusedPlan {
  const { code, problem, intactTo } = refusal;
  const intact = intactTo === undefined ? undefined : walkChain(facts, intactTo).reached;
  const reached = [walkedTo, intact].filter((point) => point !== undefined).sort(comparePlaces).at(-1);
  const { generation } = facts.catalog;
  return {
    kind: "refused",
    code,
    problem,
    ...(reached === undefined ? {} : { reachable: { generation, point: reached } }),
  };
}

function isNewer(other: GenerationFacts, chosen: GenerationFacts): boolean {
  const ms = newestMs(other);
  return ms === -Infinity || ms > newestMs(chosen); // An empty folder has no time; it is most likely the newest.
}

function doubtNotice(catalog: GenerationCatalog, snapshot: SnapshotPoint | undefined): string {
  const key = nameObject(catalog, snapshot?.name ?? asIndex(0), "snapshot");
  return `${key} was stored after all WAL of its index, and Litestream notes no position in it: ` +
    'what is restored fits together as far as can be told; check it with "PRAGMA integrity_check"';
}

function halfMadeNotice({ catalog }: GenerationFacts): string {
  return `generation ${catalog.generation} has no complete snapshot yet and cannot be restored`;
}

function nothingThere(generations: readonly GenerationFacts[], target: RestoreTarget): string {
  if (generations.length === 0 || target.generation === undefined) return "there is no backup";
  const names = generations.map(({ catalog }) => catalog.generation);
  return `there is no generation ${target.generation} (it holds ${names.join(", ")})`;
}

function nothingWhole(generations: readonly GenerationFacts[]): string {
  const names = generations.map(({ catalog }) => catalog.generation).join(", ");
  return `it holds no complete snapshot yet (generation ${names} was begun and not finished)`;
}
