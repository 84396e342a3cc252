/**
 * Text on its way to a reader that may not read: a pipe is full then, and who writes into it stands still. So it is written
 * on another thread, one piece after the other, and what waits is bounded; lines beyond that are lost, and counted.
 */
import { limits } from "../base/limits.ts";

export interface OutputQueueOptions {
  /** Writes some of it, and says how much. What it throws is for `hasFailed`. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  /** Whether what is left of a text cannot be delivered; after a pause where it can. */
  readonly hasFailed: (error: unknown) => Promise<boolean>;
  /** Called once there is room again after so many lines were lost; it may write. */
  readonly lost: (lines: number) => void;
}

export class OutputQueue {
  readonly #options: OutputQueueOptions;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #lostLines = 0;
  #writtenBytes = 0;
  #writing: Promise<void> | undefined;

  constructor(options: OutputQueueOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#writing === undefined;
  }

  /** All that was delivered so far. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Nothing waits for it. */
  add(text: string): void {
    const bytes = new TextEncoder().encode(text);
    // Once something is lost, so is what follows until that is said: its place in the text is where lines are missing.
    if (this.#lostLines > 0 || this.#waitingBytes + bytes.length > limits.outputQueueMaxBytes) {
      this.#lostLines += text.split("\n").length - 1;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let bytes = this.#waiting.shift(); bytes !== undefined; bytes = this.#waiting.shift()) {
      await this.#writeOne(bytes);
      this.#waitingBytes -= bytes.length;
      if (this.#lostLines > 0 && this.#waitingBytes <= limits.outputQueueMaxBytes / 2) this.#tellLost();
    }
    this.#writing = undefined;
  }

  #tellLost(): void {
    const lines = this.#lostLines;
    this.#lostLines = 0;
    this.#options.lost(lines);
  }

  async #writeOne(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      try {
        const count = await this.#options.write(rest);
        this.#writtenBytes += count;
        rest = rest.subarray(count);
      } catch (error) {
        if (await this.#options.hasFailed(error)) return;
      }
    }
  }
}
