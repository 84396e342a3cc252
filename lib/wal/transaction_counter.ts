import { equalBytes, viewOf } from "../base/bytes.ts";
import { COMMIT_SIZE_AT, FRAME_HEADER_SIZE, frameSize, PAGE_NUMBER_AT } from "./frame.ts";

/**
 * Counts the transactions of a run of frames. With `synchronous = FULL` on a device without power-safe overwrite SQLite
 * fills the rest of a sector by repeating the commit frame; such repetitions are one transaction. Two transactions in a row
 * that consist of the very same page count as one, too: the count is never too high.
 */
export class TransactionCounter {
  transactions = 0;
  readonly #pageSize: number;
  readonly #lastCommit: Uint8Array;
  #lastWasCommit = false;

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
    this.#lastCommit = new Uint8Array(frameSize(pageSize));
  }

  /** Whole frames, in order; may be called again with those that follow. */
  add(frames: Uint8Array): void {
    const size = frameSize(this.#pageSize);
    const view = viewOf(frames);
    for (let at = 0; at + size <= frames.length; at += size) {
      const isCommit = view.getUint32(at + COMMIT_SIZE_AT) !== 0;
      if (isCommit) {
        const frame = frames.subarray(at, at + size);
        if (!this.#lastWasCommit || !isSamePage(frame, this.#lastCommit)) this.transactions++;
        this.#lastCommit.set(frame);
      }
      this.#lastWasCommit = isCommit;
    }
  }
}

function isSamePage(a: Uint8Array, b: Uint8Array): boolean {
  return viewOf(a).getUint32(PAGE_NUMBER_AT) === viewOf(b).getUint32(PAGE_NUMBER_AT) &&
    equalBytes(a.subarray(FRAME_HEADER_SIZE), b.subarray(FRAME_HEADER_SIZE));
}
