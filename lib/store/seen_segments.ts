/**
 * Which segments of a generation were there when it was listed: each index has many, none of them is replaced or removed
 * without the others, and only the last is read for a catalog. So one that vanished is known by this alone.
 */
import type { Generation } from "../position/generation.ts";
import type { Index, Offset } from "../position/position.ts";

interface Listed {
  readonly offset: Offset;
  readonly sizeBytes: number;
}

interface Seen {
  readonly last: Offset;
  readonly count: number;
  readonly bytes: number;
}

export class SeenSegments {
  #generation: Generation | undefined;
  readonly #seen = new Map<Index, Seen>();

  /** A listing of that generation begins, with that index. */
  enter(generation: Generation, first: Index): void {
    if (generation !== this.#generation) this.#seen.clear();
    this.#generation = generation;
    for (const index of this.#seen.keys()) if (index < first) this.#seen.delete(index);
  }

  /** What is not as it was, of all segments of the index in order; undefined where all that were seen are there. */
  problemIn(index: Index, segments: readonly Listed[]): string | undefined {
    const seen = this.#seen.get(index);
    if (seen !== undefined) {
      const still = segments.filter(({ offset }) => offset <= seen.last);
      const missing = seen.count - still.length;
      if (missing > 0) {
        return `${missing} of ${seen.count} segments that were there ${missing === 1 ? "is" : "are"} missing`;
      }
      if (bytesOf(still) !== seen.bytes) return `its segments do not have the ${seen.bytes} bytes that they had`;
    }
    const last = segments.at(-1)?.offset;
    if (last !== undefined) this.#seen.set(index, { last, count: segments.length, bytes: bytesOf(segments) });
    return undefined;
  }
}

function bytesOf(segments: readonly Listed[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
