/** A set of page numbers that grows as needed: one bit a page. */
const FIRST_WORDS = 64;

export class TouchedPages {
  #words = new Uint32Array(FIRST_WORDS);

  add(page: number): void {
    const slot = (page - 1) >>> 5;
    if (slot >= this.#words.length) this.#grow(slot);
    this.#words[slot] = (this.#words[slot] ?? 0) | (1 << ((page - 1) & 31));
  }

  has(page: number): boolean {
    return ((this.#words[(page - 1) >>> 5] ?? 0) & (1 << ((page - 1) & 31))) !== 0;
  }

  /** Ascending. */
  list(): Uint32Array {
    let count = 0;
    for (const word of this.#words) for (let rest = word; rest !== 0; rest &= rest - 1) count++;
    const pages = new Uint32Array(count);
    let slot = 0;
    this.#words.forEach((word, at) => {
      for (let rest = word; rest !== 0; rest &= rest - 1) pages[slot++] = at * 32 + (31 - Math.clz32(rest & -rest)) + 1;
    });
    return pages;
  }

  clear(): void {
    this.#words.fill(0);
  }

  #grow(slot: number): void {
    const words = new Uint32Array(Math.max(slot + 1, this.#words.length * 2));
    words.set(this.#words);
    this.#words = words;
  }
}
