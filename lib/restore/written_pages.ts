/**
 * The pages of a restored database as they are written, each once, and the checksum of the whole that they lead to. What is
 * never written is of zeros, and counts as such.
 */
import { DatabaseChecksum, hashZeroPage, lockPage } from "../pages/database_checksum.ts";
import { pageHasher } from "../pages/page_hasher.ts";
import { PageSet } from "./page_set.ts";

/** Some 50 ms. */
const PAGES_A_TURN = 1 << 16;

export class WrittenPages {
  readonly done: PageSet;
  readonly #pages: number;
  readonly #pageSize: number;
  readonly #lockPage: number;
  readonly #sum: DatabaseChecksum | undefined;
  #values = new Uint32Array(2);

  /** Without `isSummed` no time is spent on a checksum that nobody can compare. */
  constructor(pages: number, pageSize: number, isSummed: boolean) {
    this.done = new PageSet(pages);
    this.#pages = pages;
    this.#pageSize = pageSize;
    this.#lockPage = pageSize === 0 ? 0 : lockPage(pageSize);
    this.#sum = isSummed ? new DatabaseChecksum() : undefined;
  }

  /** Whether the page, of that value, is new and is to be written. */
  add(page: number, low: number, high: number): boolean {
    if (!this.done.add(page)) return false;
    if (page !== this.#lockPage) this.#sum?.add(low, high);
    return true;
  }

  /** Pages that follow each other and are not `done`, nor ever asked for again. */
  addRest(firstPage: number, bytes: Uint8Array): void {
    this.#sumUp(firstPage, bytes);
  }

  /**
   * The checksum, when all pages before `firstUnwritten` are done or were added as rest, and behind it only those done. There
   * may be many that nobody wrote: others get their turn.
   */
  async checksum(firstUnwritten: number, turn: () => Promise<void>): Promise<Uint8Array | undefined> {
    if (this.#sum === undefined) return undefined;
    for (let page = firstUnwritten; page <= this.#pages; page++) {
      if (page % PAGES_A_TURN === 0) await turn();
      if (this.done.has(page) || page === this.#lockPage) continue;
      hashZeroPage(page, this.#pageSize, this.#values);
      this.#sum.add(this.#values[0] ?? 0, this.#values[1] ?? 0);
    }
    return this.#sum.bytes();
  }

  #sumUp(firstPage: number, bytes: Uint8Array): void {
    if (this.#sum === undefined) return;
    const count = bytes.length / this.#pageSize;
    if (this.#values.length < count * 2) this.#values = new Uint32Array(count * 2);
    pageHasher().hashPages(bytes, this.#pageSize, firstPage, this.#values);
    for (let slot = 0; slot < count; slot++) {
      if (firstPage + slot === this.#lockPage) continue;
      this.#sum.add(this.#values[2 * slot] ?? 0, this.#values[2 * slot + 1] ?? 0);
    }
  }
}
