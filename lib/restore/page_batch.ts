import { limits } from "../base/limits.ts";
import type { Clock } from "../platform/clock.ts";
import type { EarlySync } from "../platform/early_sync.ts";
import type { FileHandle } from "../platform/file_system.ts";
import type { PageWriter } from "../platform/page_writer.ts";

/** Slots are numbered below this, so that a page number and its slot fit into one sortable number. */
const SLOTS_MAX = 65_536;
/** After so many bytes written other work gets a turn. */
const TURN_BYTES = 2 << 20;

interface Memory {
  readonly pages: Uint8Array<SharedArrayBuffer>;
  /** Page number times SLOTS_MAX plus slot. */
  readonly keys: Float64Array<SharedArrayBuffer>;
}

interface DatabaseSize {
  readonly pageSize: number;
  readonly databaseBytes: number;
}

interface BatchTools {
  readonly clock: Clock;
  readonly early: EarlySync;
  readonly writer?: PageWriter | undefined;
}

/**
 * Pages on their way into the database: collected in any order, written in page order, neighbours in one write. No page
 * comes twice. With a writer one half of the memory is written while the other one is filled.
 */
export class PageBatch {
  readonly #draft: FileHandle;
  readonly #clock: Clock;
  readonly #early: EarlySync;
  readonly #pageSize: number;
  readonly #writer: PageWriter | undefined;
  readonly #staging: Uint8Array;
  #filled: Memory;
  #other: Memory | undefined;
  #writing: Promise<void> = Promise.resolve();
  #count = 0;

  constructor(draft: FileHandle, { pageSize, databaseBytes }: DatabaseSize, { clock, early, writer }: BatchTools) {
    this.#draft = draft;
    this.#clock = clock;
    this.#early = early;
    this.#pageSize = pageSize;
    this.#writer = writer;
    const bytes = Math.min(limits.restoreBatchBytes, databaseBytes);
    const slots = Math.min(SLOTS_MAX, Math.max(1, Math.floor(bytes / pageSize / (writer === undefined ? 1 : 2))));
    this.#filled = memoryFor(slots, pageSize);
    this.#other = writer === undefined ? undefined : memoryFor(slots, pageSize);
    this.#staging = new Uint8Array(Math.max(pageSize, Math.min(limits.transferBytes, bytes)));
  }

  get isFull(): boolean {
    return this.#count === this.#filled.keys.length;
  }

  /** Copies the page that stands at `at` in `bytes`; the batch is not full. */
  add(page: number, bytes: Uint8Array, at: number): void {
    const slot = this.#count++;
    this.#filled.keys[slot] = page * SLOTS_MAX + slot;
    this.#filled.pages.set(bytes.subarray(at, at + this.#pageSize), slot * this.#pageSize);
  }

  /** Makes room; what was added is written by now, or will be before `finish` resolves. */
  async flush(): Promise<void> {
    const { pages, keys } = this.#filled;
    const count = this.#count;
    this.#count = 0;
    await this.#early.wrote(count * this.#pageSize);
    keys.subarray(0, count).sort();
    if (this.#writer === undefined || this.#other === undefined) {
      return await this.#write(pages, keys.subarray(0, count));
    }
    await this.#writing;
    if (count === 0) return;
    this.#writing = this.#writer.write({ pages, keys, count, pageSize: this.#pageSize, slotsMax: SLOTS_MAX });
    this.#writing.catch(() => {}); // Whoever flushes next hears of it.
    [this.#filled, this.#other] = [this.#other, this.#filled];
  }

  /** Writes all that was added. */
  async finish(): Promise<void> {
    await this.flush();
    await this.#writing;
  }

  async #write(pages: Uint8Array, keys: Float64Array): Promise<void> {
    let staged = 0;
    let first = 0; // The page that stands first in the staging buffer.
    let next = 0;
    let sinceTurn = 0;
    for (const key of keys) {
      const page = Math.floor(key / SLOTS_MAX);
      const slot = key - page * SLOTS_MAX;
      if (staged > 0 && (page !== next || staged === this.#staging.length)) {
        this.#writeRun(first, staged);
        sinceTurn += staged;
        staged = 0;
        if (sinceTurn >= TURN_BYTES) {
          sinceTurn = 0;
          await this.#clock.yield();
        }
      }
      if (staged === 0) first = page;
      const from = slot * this.#pageSize;
      this.#staging.set(pages.subarray(from, from + this.#pageSize), staged);
      staged += this.#pageSize;
      next = page + 1;
    }
    if (staged > 0) this.#writeRun(first, staged);
  }

  #writeRun(firstPage: number, bytes: number): void {
    this.#draft.writeAt(this.#staging.subarray(0, bytes), (firstPage - 1) * this.#pageSize);
  }
}

function memoryFor(slots: number, pageSize: number): Memory {
  return {
    pages: new Uint8Array(new SharedArrayBuffer(slots * pageSize)),
    keys: new Float64Array(new SharedArrayBuffer(slots * Float64Array.BYTES_PER_ELEMENT)),
  };
}
