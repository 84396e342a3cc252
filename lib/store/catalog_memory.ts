/**
 * What was read of objects for a catalog, by the look that they had in a listing: who looks again and again need not read
 * again what a listing shows as it was.
 */
import type { Generation } from "../position/generation.ts";
import type { Index } from "../position/position.ts";
import type { SnapshotEntry, WalEntry } from "./generation_store.ts";
import { SeenSegments } from "./seen_segments.ts";

type Read<Entry> = { readonly look: string; readonly entry: Entry };

export class CatalogMemory {
  readonly snapshots = new Remembered<SnapshotEntry>();
  readonly wals = new Remembered<WalEntry>();
  readonly #seen: SeenSegments;

  constructor(seen: SeenSegments = new SeenSegments()) {
    this.#seen = seen;
  }

  /** A catalog begins: what it does not ask for is forgotten with the next one. */
  begin(): void {
    this.snapshots.begin();
    this.wals.begin();
  }

  /** The segments of a generation, of which `first` is the first index now, that this and earlier memories were shown. */
  seenIn(generation: Generation, first: Index): SeenSegments {
    this.#seen.enter(generation, first);
    return this.#seen;
  }

  /** Without what was read of objects; which of them there were is still known. */
  readAnew(): CatalogMemory {
    return new CatalogMemory(this.#seen);
  }
}

class Remembered<Entry> {
  #before = new Map<number, Read<Entry>>();
  #now = new Map<number, Read<Entry>>();

  begin(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }

  async entry<Found extends Entry | undefined>(
    index: number,
    look: string,
    read: () => Promise<Found>,
  ): Promise<Found | Entry> {
    const before = this.#before.get(index);
    const entry = before?.look === look ? before.entry : await read();
    if (entry !== undefined) this.#now.set(index, { look, entry });
    return entry;
  }
}

/** As a listing shows an object: with another size or time it may be another one. */
export interface ListedLook {
  readonly size: number;
  readonly modifiedAtMs: number;
}

/** Of many objects, where each has a name of its own and none is ever replaced by another. */
export function lookOf(objects: readonly (ListedLook | undefined)[], last = ""): string {
  let [size, time] = [0, 0];
  for (const object of objects) {
    size += object?.size ?? 0;
    time += object?.modifiedAtMs ?? 0;
  }
  return `${objects.length} ${objects.filter((object) => object !== undefined).length} ${size} ${time} ${last}`;
}
