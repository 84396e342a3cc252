/**
 * The compiled kernel: LZ4 blocks and xxh32 over a memory of fixed size, so that views of it stay valid. Sources:
 * `lib/lz4/kernel/`, compiled by `deno task kernel`.
 *
 *        0  constants of the kernel
 *   32 KiB  table of the compressor
 *   48 KiB  states of hashes
 *   64 KiB  windows, as whoever took the kernel divides them
 */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { KERNEL_BASE64 } from "./kernel_bytes.ts";

export const WINDOWS_AT = 0x1_0000;
const CONTENT_HASH_AT = 0xc000;
const OTHER_HASH_AT = 0xc040;
const HASH_STATE_BYTES = 48;
const SCRATCH_AT = 0xd000;
const SCRATCH_BYTES = 0x1000;
const PAGE_BYTES = 0x1_0000;

interface KernelExports {
  compressBlock(source: number, length: number, target: number, capacity: number): number;
  decompressBlock(source: number, length: number, target: number, capacity: number, history: number): number;
  beginHash(state: number): void;
  addToHash(state: number, at: number, length: number): void;
  hashOf(state: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** A place in the kernel's memory. */
export interface Window {
  readonly at: number;
  readonly length: number;
}

export class Kernel {
  /** All of the memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #exports: KernelExports;

  constructor(windowsBytes: number) {
    const pages = Math.ceil((WINDOWS_AT + windowsBytes) / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    compiled ??= new WebAssembly.Module(Uint8Array.fromBase64(KERNEL_BASE64));
    const instance = new WebAssembly.Instance(compiled, { env: { memory } });
    this.#exports = instance.exports as unknown as KernelExports;
    this.bytes = new Uint8Array(memory.buffer as ArrayBuffer);
  }

  view(at: number, length: number): Uint8Array<ArrayBuffer> {
    this.#assertWindow(at, length);
    return this.bytes.subarray(at, at + length);
  }

  /** Returns the bytes written to the target, 0 if they are more than it can take. */
  compress(source: Window, target: Window): number {
    this.#assertWindow(source.at, source.length);
    this.#assertWindow(target.at, target.length);
    return this.#exports.compressBlock(source.at, source.length, target.at, target.length) >>> 0;
  }

  /**
   * Returns the bytes written to the target, or -1 - the place in the source at which it is wrong. Matches may reach back
   * over so many bytes of history before the target.
   */
  decompress(source: Window, target: Window, historyBytes: number): number {
    this.#assertWindow(source.at, source.length);
    this.#assertWindow(target.at - historyBytes, historyBytes + target.length);
    return this.#exports.decompressBlock(source.at, source.length, target.at, target.length, historyBytes);
  }

  /** The hash of a content, which stays until it is begun again. */
  beginContentHash(): void {
    this.#exports.beginHash(CONTENT_HASH_AT);
  }

  addToContentHash(at: number, length: number): void {
    this.#assertWindow(at, length);
    this.#exports.addToHash(CONTENT_HASH_AT, at, length);
  }

  get contentHash(): number {
    return this.#exports.hashOf(CONTENT_HASH_AT) >>> 0;
  }

  takeContentHashOf(other: Kernel): void {
    const state = other.bytes.subarray(CONTENT_HASH_AT, CONTENT_HASH_AT + HASH_STATE_BYTES);
    this.bytes.set(state, CONTENT_HASH_AT);
  }

  hashOfWindow(at: number, length: number): number {
    this.#assertWindow(at, length);
    return this.#hash(at, length);
  }

  /** The hash of a few bytes that lie elsewhere. */
  hashOfBytes(bytes: Uint8Array): number {
    assert(bytes.length <= SCRATCH_BYTES, "bytes fit in the scratch place");
    this.bytes.set(bytes, SCRATCH_AT);
    return this.#hash(SCRATCH_AT, bytes.length);
  }

  #hash(at: number, length: number): number {
    this.#exports.beginHash(OTHER_HASH_AT);
    this.#exports.addToHash(OTHER_HASH_AT, at, length);
    return this.#exports.hashOf(OTHER_HASH_AT) >>> 0;
  }

  #assertWindow(at: number, length: number): void {
    assert(
      at >= WINDOWS_AT && length >= 0 && at + length <= this.bytes.length,
      "the window lies in the kernel's memory",
    );
  }
}

/** Kernels that nobody uses: memory that was touched before costs a tenth of what fresh memory costs. */
const idle: Kernel[] = [];

/** A kernel of just this size; what its memory holds is left from whoever had it before. */
export function takeKernel(windowsBytes: number): Kernel {
  const size = Math.ceil((WINDOWS_AT + windowsBytes) / PAGE_BYTES) * PAGE_BYTES;
  const slot = idle.findIndex((kernel) => kernel.bytes.length === size);
  const [kernel] = slot === -1 ? [] : idle.splice(slot, 1);
  return kernel ?? new Kernel(windowsBytes);
}

/** Only by who took it, and when no view of its memory is in use any more. */
export function giveBackKernel(kernel: Kernel): void {
  assert(!idle.includes(kernel), "a kernel is given back once");
  idle.push(kernel);
  if (idle.length > limits.lz4IdleKernelsMax) idle.shift();
}

let headerKernel: Kernel | undefined;

/** xxh32 of a few bytes, such as a header. */
export function smallHash(bytes: Uint8Array): number {
  headerKernel ??= new Kernel(0);
  return headerKernel.hashOfBytes(bytes);
}
