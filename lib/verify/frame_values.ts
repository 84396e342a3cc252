/** What of a frame makes a state of the database: page, commit size, and the page's value. PURE. */
import { viewOf } from "../base/bytes.ts";
import { COMMIT_SIZE_AT, frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";

/** Page number, size of the database where the frame ends a transaction, low and high word of the page's value. */
export const WORDS_A_FRAME = 4;

/** Of frames one after the other, whose values, two words each, are known. */
export function frameValues(frames: Uint8Array, pageSize: number, values: Uint32Array): Uint32Array<ArrayBuffer> {
  const size = frameSize(pageSize);
  const view = viewOf(frames);
  const words = new Uint32Array(frames.length / size * WORDS_A_FRAME);
  for (let frame = 0, at = 0; at < frames.length; frame++, at += size) {
    const slot = frame * WORDS_A_FRAME;
    words[slot] = view.getUint32(at + PAGE_NUMBER_AT);
    words[slot + 1] = view.getUint32(at + COMMIT_SIZE_AT);
    words[slot + 2] = values[2 * frame] ?? 0;
    words[slot + 3] = values[2 * frame + 1] ?? 0;
  }
  return words;
}
