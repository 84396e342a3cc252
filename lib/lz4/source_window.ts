/** An object as its decoder reads it: a few bytes here and there, which are read ahead, and large runs in between. */
import { assert } from "../base/assert.ts";
import type { StoredBytes } from "../base/byte_source.ts";
import { truncated } from "./frame_format.ts";

/** Read at once for a few bytes; small objects come whole. */
const AHEAD_BYTES = 4 << 10;

export class SourceWindow {
  readonly sizeBytes: number;
  readonly #source: StoredBytes;
  readonly #description: string;
  readonly #buffer: Uint8Array;
  #at = 0;
  #length = 0;

  constructor(source: StoredBytes, description: string) {
    this.#source = source;
    this.#description = description;
    this.sizeBytes = source.sizeBytes;
    this.#buffer = new Uint8Array(Math.min(AHEAD_BYTES, source.sizeBytes));
  }

  /** Reads these bytes, or as many as there are up to the end of the object, unless they are held. */
  async hold(at: number, length: number): Promise<void> {
    assert(length <= AHEAD_BYTES, "only a few bytes are asked for");
    if (this.peek(at, length) !== undefined) return;
    this.#length = 0;
    const ahead = Math.min(AHEAD_BYTES, this.sizeBytes - at);
    await this.#readWhole(at, this.#buffer.subarray(0, ahead));
    this.#at = at;
    this.#length = ahead;
  }

  /** The same bytes, where they are held; valid until others are read. */
  peek(at: number, length: number): Uint8Array | undefined {
    const wanted = Math.max(0, Math.min(length, this.sizeBytes - at));
    if (!this.holds(at, wanted)) return undefined;
    const from = wanted === 0 ? 0 : at - this.#at;
    return this.#buffer.subarray(from, from + wanted);
  }

  holds(at: number, length: number): boolean {
    return length === 0 || (at >= this.#at && at + length <= this.#at + this.#length);
  }

  /** Fills `into`, of which all must be there; its last bytes are what `peek()` is asked for next. */
  async read(at: number, into: Uint8Array, tailBytes: number): Promise<void> {
    if (this.holds(at, into.length)) {
      into.set(this.#buffer.subarray(at - this.#at, at - this.#at + into.length));
      return;
    }
    await this.#readWhole(at, into);
    const tail = into.subarray(into.length - tailBytes);
    this.#buffer.set(tail);
    this.#at = at + into.length - tailBytes;
    this.#length = tailBytes;
  }

  async #readWhole(at: number, into: Uint8Array): Promise<void> {
    const count = await this.#source.read(at, into);
    if (count < into.length) {
      throw truncated(this.#description, at + count, `before its ${this.sizeBytes} bytes are read`);
    }
  }
}
