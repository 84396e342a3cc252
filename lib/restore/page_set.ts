/** Which pages of a database are done: one bit a page, whatever the order in which they come. Page numbers begin at 1. */
export class PageSet {
  readonly #words: Uint32Array;
  readonly #pages: number;

  constructor(pages: number) {
    this.#pages = pages;
    this.#words = new Uint32Array(Math.ceil(pages / 32));
  }

  /** Whether the page is new to the set; it is in it afterwards. */
  add(page: number): boolean {
    const slot = (page - 1) >>> 5;
    const bit = 1 << ((page - 1) & 31);
    const word = this.#words[slot] ?? 0;
    if ((word & bit) !== 0) return false;
    this.#words[slot] = word | bit;
    return true;
  }

  has(page: number): boolean {
    return ((this.#words[(page - 1) >>> 5] ?? 0) & (1 << ((page - 1) & 31))) !== 0;
  }

  /** The first page from `page` on that is not in the set; one more than the last page when there is none. */
  nextMissing(page: number): number {
    let at = page;
    while (at <= this.#pages) {
      const rest = ~(this.#words[(at - 1) >>> 5] ?? 0) >>> ((at - 1) & 31);
      if (rest !== 0) return Math.min(at + lowestBit(rest), this.#pages + 1);
      at = ((at - 1) >>> 5) * 32 + 33;
    }
    return this.#pages + 1;
  }

  /** The first page from `page` on that is in the set, or `end` when none is before it. */
  nextPresent(page: number, end: number): number {
    let at = page;
    while (at < end) {
      const rest = (this.#words[(at - 1) >>> 5] ?? 0) >>> ((at - 1) & 31);
      if (rest !== 0) return Math.min(at + lowestBit(rest), end);
      at = ((at - 1) >>> 5) * 32 + 33;
    }
    return end;
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
