/** Which past points a run restores: chosen by chance, the same again with the same seed. PURE. */
import type { Index } from "../position/position.ts";
import { comparePlaces, type GenerationFacts, pointOf, wholeSnapshots } from "../restore/history.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { ReportedPoint } from "./report.ts";

/** Every record of a generation, by index. */
export type IndexRecords = ReadonlyMap<Index, readonly CommitRecord[]>;

export interface SamplePoint extends ReportedPoint {
  /** Where an index ends, or a snapshot was taken: what goes wrong goes wrong there first. */
  readonly isBoundary: boolean;
}

/** The points that a restore can go to, in order; a closing record, or a snapshot, makes no other point of one. */
export function pointsOf({ catalog }: GenerationFacts, records: IndexRecords): SamplePoint[] {
  const snapshots = wholeSnapshots(catalog);
  const [first] = snapshots;
  if (first === undefined) return [];
  const found = new Map<string, SamplePoint>();
  const add = (index: Index, offset: SamplePoint["position"]["offset"], capturedAtMs: number, isBoundary: boolean) => {
    const key = `${index}:${offset}`;
    const known = found.get(key);
    found.set(key, {
      position: { generation: catalog.generation, index, offset },
      capturedAtMs: known?.capturedAtMs ?? capturedAtMs,
      isBoundary: isBoundary || known?.isBoundary === true,
    });
  };
  for (const { index } of catalog.wals) {
    const own = records.get(index) ?? [];
    for (const record of own) {
      const point = pointOf(index, record);
      if (comparePlaces(point, first) >= 0) {
        add(index, point.offset, point.capturedAtMs, record.end === own.at(-1)?.end);
      }
    }
  }
  for (const { index, offset, capturedAtMs, isPeers } of snapshots) {
    if (!isPeers) add(index, offset, capturedAtMs, true);
  }
  return [...found.values()].sort((a, b) => comparePlaces(a.position, b.position));
}

/** Boundaries are half of them, as long as there are as many. */
export function choosePoints(points: readonly SamplePoint[], count: number, seed: number): readonly SamplePoint[] {
  const random = generator(seed);
  const shuffled = [...points];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as SamplePoint, shuffled[i] as SamplePoint];
  }
  const boundaries = shuffled.filter(({ isBoundary }) => isBoundary).slice(0, Math.ceil(count / 2));
  const rest = shuffled.filter((point) => !boundaries.includes(point)).slice(0, count - boundaries.length);
  return [...boundaries, ...rest];
}

/** mulberry32, by Tommy Ettinger (public domain): numbers from 0 up to 1. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
