import { DatabaseChecksum, hashZeroPage, lockPage } from "../pages/database_checksum.ts";
import { pageHasher } from "../pages/page_hasher.ts";

/** The checksum of a database that is an image with some of its pages changed, from the image as it is read. */
export class ImageSum {
  readonly #databasePages: number;
  readonly #pageSize: number;
  readonly #changed: ReadonlyMap<number, readonly [low: number, high: number]>;
  readonly #sum = new DatabaseChecksum();
  #values = new Uint32Array(2);
  #nextPage = 1;

  constructor(
    databasePages: number,
    pageSize: number,
    changed: ReadonlyMap<number, readonly [low: number, high: number]>,
  ) {
    this.#databasePages = databasePages;
    this.#pageSize = pageSize;
    this.#changed = changed;
  }

  /** Pages of the image, each once and in order. */
  add(firstPage: number, bytes: Uint8Array): void {
    const count = bytes.length / this.#pageSize;
    if (this.#values.length < count * 2) this.#values = new Uint32Array(count * 2);
    pageHasher().hashPages(bytes, this.#pageSize, firstPage, this.#values);
    this.addValues(firstPage, count, this.#values);
  }

  /** The same of pages whose values, two words each, are known. */
  addValues(firstPage: number, count: number, values: Uint32Array): void {
    for (let slot = 0; slot < count; slot++) {
      this.#addPage(firstPage + slot, values[2 * slot] ?? 0, values[2 * slot + 1] ?? 0);
    }
    this.#nextPage = firstPage + count;
  }

  /** When all of the image was added. */
  bytes(): Uint8Array {
    for (let page = this.#nextPage; page <= this.#databasePages; page++) {
      hashZeroPage(page, this.#pageSize, this.#values);
      this.#addPage(page, this.#values[0] ?? 0, this.#values[1] ?? 0);
    }
    return this.#sum.bytes();
  }

  #addPage(page: number, low: number, high: number): void {
    if (page > this.#databasePages || page === lockPage(this.#pageSize)) return;
    const changed = this.#changed.get(page);
    if (changed === undefined) this.#sum.add(low, high);
    else this.#sum.add(changed[0], changed[1]);
  }
}
