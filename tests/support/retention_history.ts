/** Random histories of a replica for retention: what it holds, what can be restored of it, and what deletions leave. */
import type { Deletion } from "../../lib/replica/retention_plan.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { planRestore } from "../../lib/restore/plan.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import {
  after,
  asGeneration,
  type GenerationSpec,
  type SnapshotSpec,
  someFacts,
  type WalSpec,
} from "./catalog_builder.ts";
import { randomInteger } from "./random.ts";

export type Spec = GenerationSpec;

export const HOUR_MS = 3_600_000;

export interface RestorablePoint {
  readonly generation: string;
  readonly index: number;
  readonly offset: number;
  readonly atMs: number;
}

export function idOf({ generation = "00000000000000aa" }: Spec): string {
  return generation;
}

/** Every point of one generation that a restore by its position reaches. */
export function restorablePoints(spec: Spec): RestorablePoint[] {
  const generation = asGeneration(idOf(spec));
  const places = [
    ...spec.snapshots.map(({ index, frames = 0, atMs }) => ({ index, offset: after(frames), atMs })),
    ...(spec.wals ?? []).flatMap(({ index, records = [] }) =>
      records.map(([frames, atMs]) => ({ index, offset: after(frames), atMs }))
    ),
  ];
  return places.flatMap(({ index, offset, atMs }) => {
    const position = { generation, index: asIndex(index), offset: asOffset(offset) };
    const target: RestoreTarget = { kind: "position", position, generation };
    const plan = planRestore([someFacts(spec, target)], target);
    return plan.kind === "plan" ? [{ generation, index, offset, atMs }] : [];
  });
}

/** What `latest` gives of one generation; undefined when it is refused. */
export function latestOf(spec: Spec): readonly [index: number, offset: number] | undefined {
  return endOf(spec, { kind: "latest" });
}

/** What a restore to that time gives. */
export function stateAt(spec: Spec, atMs: number): readonly [index: number, offset: number] | undefined {
  return endOf(spec, { kind: "time", atMs });
}

function endOf(spec: Spec, target: RestoreTarget): readonly [index: number, offset: number] | undefined {
  const plan = planRestore([someFacts(spec, target)], target);
  return plan.kind === "plan" ? [plan.end.index, plan.end.offset] : undefined;
}

export function afterDeletions(specs: readonly Spec[], deletions: readonly Deletion[]): Spec[] {
  return specs.flatMap((spec) => {
    const own = deletions.filter(({ generation }) => generation === idOf(spec));
    if (own.some(({ kind }) => kind === "generation")) return [];
    const isGone = (kind: Deletion["kind"], index: number) =>
      own.some((one) => one.kind === kind && "index" in one && one.index === index);
    return [{
      ...spec,
      snapshots: spec.snapshots.filter(({ index }) => !isGone("snapshot", index)),
      wals: (spec.wals ?? []).filter(({ index }) => !isGone("wal", index)),
    }];
  });
}

export interface HistoryOptions {
  readonly nowMs: number;
  /** Whether the clock may be set back and forth, files may be lost and snapshots damaged. */
  readonly isTroubled: boolean;
}

/** One generation, its first snapshot up to five days before now, or now and then after it. */
export function randomHistory(random: () => number, generation: string, options: HistoryOptions): Spec {
  const { nowMs, isTroubled } = options;
  const chance = (percent: number) => randomInteger(random, 100) < percent;
  let atMs = nowMs - randomInteger(random, 120 * HOUR_MS);
  const tick = () => {
    atMs = Math.min(nowMs, atMs + randomInteger(random, 6 * HOUR_MS));
    if (isTroubled && chance(3)) atMs += (randomInteger(random, 200) - 100) * HOUR_MS;
    return atMs;
  };
  const snapshots: SnapshotSpec[] = [];
  const wals: WalSpec[] = [];
  const indexes = 1 + randomInteger(random, 12);
  for (let index = 0; index < indexes; index++) {
    const records = Array.from({ length: randomInteger(random, 4) }, (_, i) => [i * 2 + 1, 0] as const);
    // A snapshot may lie before, between or after the records of its index.
    const snapshotAfter = index === 0 ? 0 : chance(40) ? randomInteger(random, records.length + 1) : undefined;
    const timed: [number, number][] = [];
    for (let i = 0; i <= records.length; i++) {
      if (i === snapshotAfter) snapshots.push(aSnapshot(index, timed.at(-1)?.[0] ?? 0, tick()));
      const record = records[i];
      if (record !== undefined) timed.push([record[0], tick()]);
    }
    const isLast = index === indexes - 1;
    if (timed.length > 0) wals.push({ index, records: timed, ...(isLast ? {} : { closedMs: tick() }) });
    else if (!isLast) break; // An index without frames has no next one.
  }
  if (!isTroubled) return { generation, snapshots, wals };
  return {
    generation,
    snapshots: snapshots.filter(() => !chance(5)).map((one) =>
      chance(8) ? { ...one, damage: "it is damaged" } : chance(8) ? { ...one, isIncomplete: true } : one
    ),
    wals: wals.filter(() => !chance(5)).map((one) => chance(4) ? withoutClosing(one) : one),
  };
}

function aSnapshot(index: number, frames: number, atMs: number): SnapshotSpec {
  return { index, frames, atMs };
}

function withoutClosing({ closedMs: _, ...wal }: WalSpec): WalSpec {
  return wal;
}
