/** The values of the pages that are known, 8 bytes a page; a page of which nothing is known is equal to whatever it may be. */
import { PageWords } from "../pages/page_words.ts";

export class KnownPages {
  readonly pageSize: number;
  /** 0, 0 for one that is not known. */
  readonly #values = new PageWords();
  /** No page behind it is known. */
  #end = 0;

  constructor(pageSize: number) {
    this.pageSize = pageSize;
  }

  set(page: number, low: number, high: number): void {
    this.#values.set(page, low, high);
    this.#end = Math.max(this.#end, page);
  }

  /** Whether it is known to be another one. */
  isOther(page: number, low: number, high: number): boolean {
    const [knownLow, knownHigh] = [this.#values.low(page), this.#values.high(page)];
    return (knownLow !== 0 || knownHigh !== 0) && (knownLow !== low || knownHigh !== high);
  }

  /** The database has no more pages than that: what the file holds behind them nobody can know from now on. */
  cut(pages: number): void {
    if (pages >= this.#end) return;
    this.#values.cut(pages);
    this.#end = pages;
  }
}
