/**
 * The checksum of a whole database: the sum, modulo 2^64, of the values of its pages from 1 to its size. The page that
 * SQLite locks bytes of, at 1 GiB, holds nothing and is left out. A page within the size that was never written counts as
 * one of zeros. Stored as 8 bytes, little-endian.
 */
import { viewOf } from "../base/bytes.ts";
import { type PageHasher, pageHasher } from "./page_hasher.ts";

export const CHECKSUM_BYTES = 8;
const WORD = 2 ** 32;
const LOCK_BYTE_AT = 0x4000_0000;

/** The page that SQLite never writes; a smaller database has none. */
export function lockPage(pageSize: number): number {
  return LOCK_BYTE_AT / pageSize + 1;
}

export class DatabaseChecksum {
  #low = 0;
  #high = 0;

  static parse(bytes: Uint8Array): DatabaseChecksum {
    const sum = new DatabaseChecksum();
    const view = viewOf(bytes);
    sum.add(view.getUint32(0, true), view.getUint32(4, true));
    return sum;
  }

  add(low: number, high: number): void {
    this.#low += low;
    this.#high += high;
    if (this.#low >= WORD) {
      this.#low -= WORD;
      this.#high++;
    }
    if (this.#high >= WORD) this.#high -= WORD;
  }

  subtract(low: number, high: number): void {
    this.#low -= low;
    this.#high -= high;
    if (this.#low < 0) {
      this.#low += WORD;
      this.#high--;
    }
    if (this.#high < 0) this.#high += WORD;
  }

  /** Adds values, two words each. */
  addAll(values: Uint32Array): void {
    for (let at = 0; at < values.length; at += 2) this.add(values[at] ?? 0, values[at + 1] ?? 0);
  }

  copy(): DatabaseChecksum {
    const copy = new DatabaseChecksum();
    copy.add(this.#low, this.#high);
    return copy;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(CHECKSUM_BYTES);
    const view = viewOf(bytes);
    view.setUint32(0, this.#low, true);
    view.setUint32(4, this.#high, true);
    return bytes;
  }
}

const ZERO_PAGES = new Map<number, Uint8Array>();

/** The value of a page of zeros, as two words at the beginning of `values`. */
export function hashZeroPage(page: number, pageSize: number, values: Uint32Array, hasher: PageHasher = pageHasher()) {
  let zeros = ZERO_PAGES.get(pageSize);
  if (zeros === undefined) ZERO_PAGES.set(pageSize, zeros = new Uint8Array(pageSize));
  hasher.hashPages(zeros, pageSize, page, values);
}
