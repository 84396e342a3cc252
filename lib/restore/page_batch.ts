import { limits } from "../base/limits.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileHandle } from "../platform/file_system.ts";

/** Slots are numbered below this, so that a page number and its slot fit into one sortable number. */
const SLOTS_MAX = 65_536;
/** After so many bytes written other work gets a turn. */
const TURN_BYTES = 2 << 20;

/**
 * Pages on their way into the database: collected in any order, written in page order, neighbours in one write. No page
 * comes twice.
 */
export class PageBatch {
  readonly #draft: FileHandle;
  readonly #clock: Clock;
  readonly #pageSize: number;
  readonly #pages: Uint8Array;
  /** Page number times SLOTS_MAX plus slot. */
  readonly #keys: Float64Array;
  readonly #staging: Uint8Array;
  #count = 0;

  constructor(draft: FileHandle, clock: Clock, pageSize: number, databaseBytes: number) {
    this.#draft = draft;
    this.#clock = clock;
    this.#pageSize = pageSize;
    const bytes = Math.min(limits.restoreBatchBytes, databaseBytes);
    const slots = Math.min(SLOTS_MAX, Math.max(1, Math.floor(bytes / pageSize)));
    this.#pages = new Uint8Array(slots * pageSize);
    this.#keys = new Float64Array(slots);
    this.#staging = new Uint8Array(Math.max(pageSize, Math.min(limits.transferBytes, bytes)));
  }

  get isFull(): boolean {
    return this.#count === this.#keys.length;
  }

  /** Copies the page that stands at `at` in `bytes`; the batch is not full. */
  add(page: number, bytes: Uint8Array, at: number): void {
    const slot = this.#count++;
    this.#keys[slot] = page * SLOTS_MAX + slot;
    this.#pages.set(bytes.subarray(at, at + this.#pageSize), slot * this.#pageSize);
  }

  async flush(): Promise<void> {
    const keys = this.#keys.subarray(0, this.#count).sort();
    let staged = 0;
    let first = 0; // The page that stands first in the staging buffer.
    let next = 0;
    let sinceTurn = 0;
    for (const key of keys) {
      const page = Math.floor(key / SLOTS_MAX);
      const slot = key - page * SLOTS_MAX;
      if (staged > 0 && (page !== next || staged === this.#staging.length)) {
        this.#write(first, staged);
        sinceTurn += staged;
        staged = 0;
        if (sinceTurn >= TURN_BYTES) {
          sinceTurn = 0;
          await this.#clock.yield();
        }
      }
      if (staged === 0) first = page;
      const from = slot * this.#pageSize;
      this.#staging.set(this.#pages.subarray(from, from + this.#pageSize), staged);
      staged += this.#pageSize;
      next = page + 1;
    }
    if (staged > 0) this.#write(first, staged);
    this.#count = 0;
  }

  #write(firstPage: number, bytes: number): void {
    this.#draft.writeAt(this.#staging.subarray(0, bytes), (firstPage - 1) * this.#pageSize);
  }
}
