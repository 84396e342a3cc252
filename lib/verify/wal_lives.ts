/**
 * Whether the WAL of the indexes that Litestream wrote is in the order in which SQLite began it. Each time that it begins the
 * WAL anew SQLite adds one to the first salt; where the file was truncated or removed it may take another at random. So a
 * salt that is near to one before it, and not later, is no chance: an index stands where it does not belong. One that is more
 * than the next is seen where an application checkpoints beside Litestream (v0.3.13), which then misses a life of the WAL;
 * whether anything was in that, the pages of the next snapshot tell. PURE.
 */
import { nameObject } from "../position/object_names.ts";
import type { Index } from "../position/position.ts";
import type { GenerationCatalog } from "../store/generation_store.ts";
import type { Salt } from "../wal/salt.ts";

/** Two salts at random are as near as that once in 131,072 times; between two indexes nobody begins the WAL so often. */
const NEAR = 1 << 14;

/** Who is told of an index, a clause that names the object: of one out of order, and of what proves nothing. */
export interface LivesTold {
  readonly wrong: (problem: string) => void;
  readonly odd: (problem: string) => void;
}

interface Life {
  readonly index: Index;
  readonly salt1: number;
}

export class WalLives {
  readonly #catalog: GenerationCatalog;
  readonly #told: LivesTold;
  /** The last index of each run of salts that count up. */
  readonly #runs: Life[] = [];

  constructor(catalog: GenerationCatalog, told: LivesTold) {
    this.#catalog = catalog;
    this.#told = told;
  }

  /** The next index that is there. */
  take(index: Index, { salt1 }: Salt): void {
    const slot = this.#runs.findIndex((life) => Math.abs(distance(life.salt1, salt1)) <= NEAR);
    const near = this.#runs[slot];
    const isLatest = slot === this.#runs.length - 1;
    const life = { index, salt1 };
    if (near === undefined) return void this.#runs.push(life);
    const steps = distance(near.salt1, salt1);
    if (!isLatest || steps <= 0) this.#told.wrong(this.#outOfOrder(life, near, steps, this.#runs.at(-1)));
    else if (steps > index - near.index) this.#told.odd(this.#missed(life, near, steps));
    this.#runs.splice(slot, 1);
    this.#runs.push(life);
  }

  /** `before`: what stands right before it. */
  #outOfOrder({ index }: Life, near: Life, steps: number, before: Life | undefined): string {
    const [own, other] = this.#names(index, near.index);
    if (steps === 0) return `${own} is the same WAL as ${other}`;
    if (steps < 0) return `${own} is WAL that was written before that of ${other}`;
    const [between] = this.#names(before?.index ?? near.index, near.index);
    return `${between} is no WAL that was written between that of ${other} and that of ${own}`;
  }

  #missed({ index }: Life, near: Life, steps: number): string {
    const [own, other] = this.#names(index, near.index);
    return `SQLite began the WAL ${steps} times between ${other} and ${own} (expected ${index - near.index}): ` +
      "what was written meanwhile, if anything was, is not there";
  }

  #names(index: Index, other: Index): readonly [string, string] {
    return [nameObject(this.#catalog, index, "wal"), nameObject(this.#catalog, other, "wal")];
  }
}

/** How many times SQLite began the WAL anew between the two, if it did nothing else; the salt has 32 bits. */
function distance(from: number, to: number): number {
  return (to - from) | 0;
}
