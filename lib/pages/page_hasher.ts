/**
 * The value of a page: XXH64 of its bytes with the page number as the seed (1 where that is 0), 64 bits as two words, the
 * low one first. It mixes number and content without any linearity, so that no two changes cancel in a sum of values.
 * Source: `lib/pages/kernel/`, compiled by `deno task kernel`.
 *
 * The kernel's memory is of fixed size, so that views of it stay valid:
 *
 *     1 KiB  values
 *    64 KiB  the window that pages are hashed in
 */
import { assert } from "../base/assert.ts";
import { viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import type { Checksum } from "../wal/checksum.ts";
import { frameSize, storedChecksum } from "../wal/frame.ts";
import type { WalHeader } from "../wal/header.ts";
import { KERNEL_BASE64 } from "./kernel_bytes.ts";

const VALUES_AT = 0x400;
const WINDOW_AT = 0x1_0000;
const WASM_PAGE_BYTES = 0x1_0000;
const VALUE_BYTES = 8;

interface KernelExports {
  hashPages(at: number, count: number, pageSize: number, firstPage: number, values: number): void;
  hashFrames(at: number, count: number, pageSize: number, values: number): void;
  scanFrames(
    at: number,
    count: number,
    pageSize: number,
    isLittle: boolean,
    salt1: number,
    salt2: number,
    s0: number,
    s1: number,
    values: number,
  ): number;
}

/** Works on one call at a time and never awaits: all of the program shares one. */
export class PageHasher {
  /** Bytes that are read into here are hashed where they are; whoever awaits loses them. */
  readonly window: Uint8Array<ArrayBuffer>;
  readonly #exports: KernelExports;
  readonly #values: Uint32Array<ArrayBuffer>;

  constructor() {
    const pages = (WINDOW_AT + limits.transferBytes) / WASM_PAGE_BYTES;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const module = new WebAssembly.Module(Uint8Array.fromBase64(KERNEL_BASE64));
    this.#exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
    const buffer = memory.buffer as ArrayBuffer;
    this.window = new Uint8Array(buffer, WINDOW_AT);
    this.#values = new Uint32Array(buffer, VALUES_AT, (WINDOW_AT - VALUES_AT) / VALUE_BYTES * 2);
  }

  /** Two words for each of the pages that follow each other, into `values` from the given word on. */
  hashPages(bytes: Uint8Array, pageSize: number, firstPage: number, values: Uint32Array, at = 0): void {
    assert(bytes.length % pageSize === 0, "whole pages are hashed");
    const pagesAtOnce = Math.floor(this.window.length / pageSize);
    for (let page = 0; page < bytes.length / pageSize; page += pagesAtOnce) {
      const part = bytes.subarray(page * pageSize, (page + pagesAtOnce) * pageSize);
      const count = part.length / pageSize;
      this.#exports.hashPages(this.#place(part), count, pageSize, firstPage + page, VALUES_AT);
      values.set(this.#values.subarray(0, count * 2), at + page * 2);
    }
  }

  /** The same of whole WAL frames, header and page. */
  hashFrames(frames: Uint8Array, pageSize: number, values: Uint32Array): void {
    const size = frameSize(pageSize);
    assert(frames.length % size === 0, "whole frames are hashed");
    const framesAtOnce = Math.floor(this.window.length / size);
    for (let frame = 0; frame < frames.length / size; frame += framesAtOnce) {
      const part = frames.subarray(frame * size, (frame + framesAtOnce) * size);
      const count = part.length / size;
      this.#exports.hashFrames(this.#place(part), count, pageSize, VALUES_AT);
      values.set(this.#values.subarray(0, count * 2), frame * 2);
    }
  }

  /**
   * How many of so many frames are of this WAL and continue its chain, from the first on, and the values of their pages. What
   * is wrong with the next one is for `lib/wal/scanner.ts` to say.
   */
  scanFrames(
    frames: Uint8Array,
    count: number,
    { pageSize, littleEndian, salt }: Pick<WalHeader, "pageSize" | "littleEndian" | "salt">,
    chain: Checksum,
    values: Uint32Array,
  ): number {
    const size = frameSize(pageSize);
    const framesAtOnce = Math.floor(this.window.length / size);
    let { s0, s1 } = chain;
    for (let first = 0; first < count; first += framesAtOnce) {
      const due = Math.min(framesAtOnce, count - first);
      const isAll = frames.length === due * size;
      const at = this.#place(isAll ? frames : frames.subarray(first * size, (first + due) * size));
      const good = this.#exports.scanFrames(
        at,
        due,
        pageSize,
        littleEndian,
        salt.salt1,
        salt.salt2,
        s0,
        s1,
        VALUES_AT,
      );
      // One by one: most transactions have a frame or two, for which a view costs more than the copy.
      for (let word = 0; word < good * 2; word++) values[first * 2 + word] = this.#values[word] ?? 0;
      if (good < due) return first + good;
      ({ s0, s1 } = storedChecksum(viewOf(frames), (first + good - 1) * size));
    }
    return count;
  }

  /** Where in the kernel's memory the bytes are, after a copy unless they stand there already. */
  #place(bytes: Uint8Array): number {
    if (bytes.buffer === this.window.buffer) return bytes.byteOffset;
    this.window.set(bytes);
    return WINDOW_AT;
  }
}

let shared: PageHasher | undefined;

export function pageHasher(): PageHasher {
  return shared ??= new PageHasher();
}
