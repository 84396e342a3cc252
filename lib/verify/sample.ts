/** Which past points a run restores: chosen by chance, the same again with the same seed. PURE. */
import type { ReportedPoint } from "./report.ts";

export interface SamplePoint extends ReportedPoint {
  /** Where an index ends, or a snapshot was taken: what goes wrong goes wrong there first. */
  readonly isBoundary: boolean;
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
