/**
 * The values of all pages of a database at one moment, 8 bytes a page, and the checksum that they make: frames are taken one
 * after the other, and at the end of a transaction the database gets its size. What a life of the WAL holds of pages beyond
 * the size counts again when the database grows in that life, as for SQLite; with the next life it is gone.
 */
import { DatabaseChecksum, hashZeroPage, lockPage } from "./database_checksum.ts";
import { PageWords } from "./page_words.ts";

/** So many pages that come or go with a size are counted before others get a turn. */
const PAGES_A_TURN = 1 << 16;

export class PageValues {
  readonly pageSize: number;
  readonly #lockPage: number;
  readonly #sum = new DatabaseChecksum();
  readonly #zero = new Uint32Array(2);
  /** A page that was never written reads as zeros. */
  readonly #values = new PageWords();
  #pages = 0;

  constructor(pageSize: number) {
    this.pageSize = pageSize;
    this.#lockPage = lockPage(pageSize);
  }

  get pages(): number {
    return this.#pages;
  }

  /** The page has this value now. */
  take(page: number, low: number, high: number): void {
    if (page === this.#lockPage) return;
    if (page <= this.#pages) {
      this.#count(page, "subtract");
      this.#sum.add(low, high);
    }
    this.#values.set(page, low, high);
  }

  /** The database has so many pages now. */
  async resize(pages: number, turn: () => Promise<void>): Promise<void> {
    for (let due = 1; this.#pages < pages; due++) {
      this.#count(++this.#pages, "add");
      if (due % PAGES_A_TURN === 0) await turn();
    }
    for (let due = 1; this.#pages > pages; due++) {
      this.#count(this.#pages--, "subtract");
      if (due % PAGES_A_TURN === 0) await turn();
    }
  }

  /** The next life of the WAL begins: the file was cut to the size of the database. */
  beginLife(): void {
    this.#values.cut(this.#pages);
  }

  /** Of the whole database. */
  checksum(): Uint8Array {
    return this.#sum.bytes();
  }

  #count(page: number, how: "add" | "subtract"): void {
    if (page === this.#lockPage) return;
    const [low, high] = [this.#values.low(page), this.#values.high(page)];
    if (low !== 0 || high !== 0) return this.#sum[how](low, high);
    hashZeroPage(page, this.pageSize, this.#zero);
    this.#sum[how](this.#zero[0] ?? 0, this.#zero[1] ?? 0);
  }
}
