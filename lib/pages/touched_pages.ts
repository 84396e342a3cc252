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

  clear(): void {
    this.#words.fill(0);
  }

  #grow(slot: number): void {
    const words = new Uint32Array(Math.max(slot + 1, this.#words.length * 2));
    words.set(this.#words);
    this.#words = words;
  }
}
