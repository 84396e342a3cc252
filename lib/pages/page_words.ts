/** Two words for each page of a database, the low one first; 0, 0 for a page that was never set. In memory are blocks of pages. */
const PAGES_A_BLOCK = 1024;

export class PageWords {
  readonly #blocks = new Map<number, Uint32Array>();

  low(page: number): number {
    return this.#word(page, 0);
  }

  high(page: number): number {
    return this.#word(page, 1);
  }

  set(page: number, low: number, high: number): void {
    const number = Math.floor((page - 1) / PAGES_A_BLOCK);
    let block = this.#blocks.get(number);
    if (block === undefined) this.#blocks.set(number, block = new Uint32Array(PAGES_A_BLOCK * 2));
    const at = ((page - 1) % PAGES_A_BLOCK) * 2;
    block[at] = low;
    block[at + 1] = high;
  }

  /** Pages behind so many were never set. */
  cut(pages: number): void {
    const kept = Math.ceil(pages / PAGES_A_BLOCK);
    for (const number of [...this.#blocks.keys()]) if (number >= kept) this.#blocks.delete(number);
    if (pages % PAGES_A_BLOCK !== 0) this.#blocks.get(kept - 1)?.fill(0, (pages % PAGES_A_BLOCK) * 2);
  }

  #word(page: number, word: 0 | 1): number {
    const block = this.#blocks.get(Math.floor((page - 1) / PAGES_A_BLOCK));
    return block?.[((page - 1) % PAGES_A_BLOCK) * 2 + word] ?? 0;
  }
}
