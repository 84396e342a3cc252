/** The values of the pages that are known, 8 bytes a page; a page of which nothing is known is equal to whatever it may be. */
const PAGES_A_BLOCK = 1024;

export class KnownPages {
  readonly pageSize: number;
  /** Two words a page, the low one first; 0, 0 for one that is not known. */
  readonly #blocks = new Map<number, Uint32Array>();
  /** No page behind it is known. */
  #end = 0;

  constructor(pageSize: number) {
    this.pageSize = pageSize;
  }

  set(page: number, low: number, high: number): void {
    const number = Math.floor((page - 1) / PAGES_A_BLOCK);
    let block = this.#blocks.get(number);
    if (block === undefined) this.#blocks.set(number, block = new Uint32Array(PAGES_A_BLOCK * 2));
    const at = ((page - 1) % PAGES_A_BLOCK) * 2;
    block[at] = low;
    block[at + 1] = high;
    this.#end = Math.max(this.#end, page);
  }

  /** Whether it is known to be another one. */
  isOther(page: number, low: number, high: number): boolean {
    const block = this.#blocks.get(Math.floor((page - 1) / PAGES_A_BLOCK));
    const at = ((page - 1) % PAGES_A_BLOCK) * 2;
    const [knownLow, knownHigh] = [block?.[at] ?? 0, block?.[at + 1] ?? 0];
    return (knownLow !== 0 || knownHigh !== 0) && (knownLow !== low || knownHigh !== high);
  }

  /** The database has no more pages than that: what the file holds behind them nobody can know from now on. */
  cut(pages: number): void {
    if (pages >= this.#end) return;
    const kept = Math.ceil(pages / PAGES_A_BLOCK);
    for (let number = kept; number * PAGES_A_BLOCK < this.#end; number++) this.#blocks.delete(number);
    if (pages % PAGES_A_BLOCK !== 0) this.#blocks.get(kept - 1)?.fill(0, (pages % PAGES_A_BLOCK) * 2);
    this.#end = pages;
  }
}
