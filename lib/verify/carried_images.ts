/**
 * The pages of one generation that Litestream wrote, carried from one snapshot to the next. It keeps no checksums, and notes
 * no position of a snapshot: the image is the database file, copied while nothing was checkpointed but by others. The life of
 * the WAL that it is named by began when all before was in that file, so each page of the image is as it was at the beginning
 * of its index, or as a frame of that index has it. A page of which nobody can know what the file holds is not compared: one
 * that the database lost or got without a frame, and what came before something that is missing or wrong.
 */
import { limits } from "../base/limits.ts";
import { lockPage } from "../pages/database_checksum.ts";
import { nameObject } from "../position/object_names.ts";
import { formatIndex, type Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { GenerationCatalog, SnapshotEntry, WalEntry } from "../store/generation_store.ts";
import { WORDS_A_FRAME } from "./frame_values.ts";
import { KnownPages } from "./known_pages.ts";

/** Of pages that differ: enough to name some, and to say that there are more. */
const DIFFERENT_MAX = 1 << 16;
const SHOWN_PAGES = 5;

/** An image whose pages wait for the frames of its index. */
interface Waiting {
  readonly name: Index;
  /** By their numbers, those that are not as at the beginning of the index, and that no frame explained yet: two words each. */
  readonly different: Map<number, readonly [low: number, high: number]>;
  readonly sum: string;
}

export class CarriedImages {
  readonly #catalog: GenerationCatalog;
  readonly #wrong: (problem: string) => void;
  /** The snapshot that the pages come from; undefined while nothing is known. */
  #origin: Index | undefined;
  #known: KnownPages | undefined;
  #before: { readonly index: Index; readonly isClosed: boolean } | undefined;
  #waiting: Waiting | undefined;
  /** Snapshots by what all their pages make. */
  readonly #sums = new Map<string, Index>();

  /** `wrong`: is told what a snapshot says that is not so, a clause that names the object. */
  constructor(catalog: GenerationCatalog, wrong: (problem: string) => void) {
    this.#catalog = catalog;
    this.#wrong = wrong;
  }

  /** Nothing is known until the next snapshot. */
  lose(): void {
    this.#origin = undefined;
    this.#known = undefined;
    this.#before = undefined;
    this.#waiting = undefined;
  }

  /** What comes now is of this index. */
  enter(index: Index): void {
    if (this.#before?.index !== index - 1 || !this.#before.isClosed) this.lose();
    this.#waiting = undefined;
  }

  /** The image of a snapshot is read; who does so gives the values of its pages. Undefined where nobody needs them. */
  beginImage({ index, isPeers }: SnapshotEntry, { pageSize, databasePages }: CommitRecord) {
    if (isPeers !== true || pageSize === 0 || databasePages > limits.carriedPagesMax) return undefined;
    const carried = this.#known?.pageSize === pageSize ? this.#known : undefined;
    // Nothing is kept of the last one, 8 bytes a page, where there is nothing to compare it with: a file can claim many.
    if (carried === undefined && this.#catalog.snapshots.at(-1)?.index === index) return undefined;
    const image = carried === undefined ? new KnownPages(pageSize) : undefined;
    const different: Waiting["different"] = new Map();
    const lock = lockPage(pageSize);
    let [low, high] = [0, 0];
    return {
      take: (page: number, pageLow: number, pageHigh: number) => {
        if (page === lock) return;
        [low, high] = [(low + pageLow) >>> 0, (high + pageHigh) >>> 0];
        image?.set(page, pageLow, pageHigh);
        if (carried?.isOther(page, pageLow, pageHigh) === true && different.size < DIFFERENT_MAX) {
          different.set(page, [pageLow, pageHigh]);
        }
      },
      /** All of them were given, and it is whole. */
      began: (imagePages: number) => {
        this.#waiting = { name: index, different, sum: `${low}/${high}/${imagePages}` };
        if (image === undefined) return;
        this.#known = image;
        this.#origin = index;
      },
    };
  }

  /** Frames of the WAL of the index, which follow each other. */
  take(frames: Uint32Array): void {
    const known = this.#known;
    if (known === undefined) return;
    for (let slot = 0; slot < frames.length; slot += WORDS_A_FRAME) {
      const [page, commitSize] = [frames[slot] ?? 0, frames[slot + 1] ?? 0];
      const [low, high] = [frames[slot + 2] ?? 0, frames[slot + 3] ?? 0];
      if (page > limits.carriedPagesMax) return this.lose();
      known.set(page, low, high);
      const image = this.#waiting?.different.get(page);
      if (image !== undefined && image[0] === low && image[1] === high) this.#waiting?.different.delete(page);
      if (commitSize > 0) known.cut(commitSize);
    }
  }

  /** All WAL of the index was taken. Where more of it may come, the image may be of what comes. */
  endWal({ index, lastRecord }: WalEntry): void {
    const isClosed = lastRecord?.indexClosed === true;
    if (this.#origin !== undefined) this.#before = { index, isClosed };
    this.#judge(isClosed);
  }

  #judge(isClosed: boolean): void {
    const [waiting, origin] = [this.#waiting, this.#origin];
    if (waiting === undefined || origin === undefined) return;
    const { name, different, sum } = waiting;
    const same = this.#sums.get(sum);
    this.#sums.set(sum, name);
    if (different.size === 0 || (!isClosed && same === undefined)) return;
    const pages = [...different.keys()];
    const shown = pages.slice(0, SHOWN_PAGES).join(", ");
    const rest = pages.length > SHOWN_PAGES ? ` and ${pages.length - SHOWN_PAGES} more` : "";
    const key = nameObject(this.#catalog, name, "snapshot");
    const is = same === undefined ? "" : `, which is the image of index ${formatIndex(same)},`;
    this.#wrong(
      `${key}${is} holds ${pages.length === 1 ? "page" : "pages"} ${shown}${rest} as never in its index ` +
        `(as the snapshot of index ${formatIndex(origin)} and the WAL from there on make it)`,
    );
    this.lose();
  }
}
