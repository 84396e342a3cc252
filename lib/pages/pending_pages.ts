/** Values of pages of a transaction whose end is not known yet, in the order of its frames. */
import { limits } from "../base/limits.ts";

const FIRST_CAPACITY = 256;
/** A page number and its slot fit into one sortable number. */
const SLOTS = 65_536;

export class PendingPages {
  #pages = new Uint32Array(FIRST_CAPACITY);
  #values = new Uint32Array(FIRST_CAPACITY * 2);
  #keys = new Float64Array(FIRST_CAPACITY);
  #count = 0;
  #sorted = 0;

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= limits.pendingPagesMax;
  }

  add(page: number, low: number, high: number): void {
    const slot = this.#count++;
    if (slot >= this.#pages.length) this.#grow();
    this.#pages[slot] = page;
    this.#values[2 * slot] = low;
    this.#values[2 * slot + 1] = high;
  }

  clear(): void {
    this.#count = 0;
    this.#sorted = 0;
  }

  /** Calls `use` with the newest value of each page, in page order. */
  eachNewest(use: (page: number, low: number, high: number) => void): void {
    const keys = this.#sort();
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] ?? 0;
      const page = Math.floor(key / SLOTS);
      if (i + 1 < keys.length && Math.floor((keys[i + 1] ?? 0) / SLOTS) === page) continue;
      const slot = key % SLOTS;
      use(page, this.#values[2 * slot] ?? 0, this.#values[2 * slot + 1] ?? 0);
    }
  }

  /** The slots in page order, of one page in the order in which they came. */
  #sort(): Float64Array {
    const keys = this.#keys.subarray(0, this.#count);
    if (this.#sorted === this.#count) return keys;
    let isSorted = true;
    for (let slot = 0, before = 0; slot < this.#count; slot++) {
      const key = (this.#pages[slot] ?? 0) * SLOTS + slot;
      keys[slot] = key;
      isSorted &&= key > before;
      before = key;
    }
    this.#sorted = this.#count;
    return isSorted ? keys : keys.sort();
  }

  #grow(): void {
    const capacity = Math.min(SLOTS, this.#pages.length * 4);
    const [pages, values] = [this.#pages, this.#values];
    this.#pages = new Uint32Array(capacity);
    this.#values = new Uint32Array(capacity * 2);
    this.#keys = new Float64Array(capacity);
    this.#pages.set(pages);
    this.#values.set(values);
  }
}
