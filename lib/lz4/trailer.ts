/**
 * What we add to an LZ4 object: a skippable frame at its very end, which every decoder passes over. Its last 8 bytes say
 * how long its payload is, so that it is found from the end of the object alone:
 *
 *   magic 0x184D2A5E · size, 4 · payload: bytes · size of the payload, 4 · 0x4C525454 ("TTRL"), 4      (little-endian)
 */
import { assert } from "../base/assert.ts";
import type { StoredBytes } from "../base/byte_source.ts";
import { viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { SKIPPABLE_HEADER_BYTES } from "./frame_format.ts";

export const TRAILER_MAGIC = 0x184d2a5e;
const ENDING_MAGIC = 0x4c525454;
const ENDING_BYTES = 8;
/** Read at once from the end: enough for most trailers. */
const TAIL_BYTES = 4 << 10;

/** The payload of a trailer that says these bytes and can be found from the end. */
export function withTrailerEnding(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(bytes.length + ENDING_BYTES);
  payload.set(bytes);
  const view = viewOf(payload);
  view.setUint32(bytes.length, payload.length, true);
  view.setUint32(bytes.length + 4, ENDING_MAGIC, true);
  assert(payload.length <= limits.lz4TrailerMaxBytes, "the trailer is within its limit");
  return payload;
}

/** What a payload says, without its ending; undefined when it has none. */
export function withoutTrailerEnding(payload: Uint8Array): Uint8Array | undefined {
  return endingLength(payload) === payload.length ? payload.subarray(0, -ENDING_BYTES) : undefined;
}

/**
 * What the trailer of the object says, without its ending, found from the end of the object alone; undefined when there is
 * none. It may be as long as its limit, and so is not read before somebody does. "damaged": header and ending of the frame do not agree. Either of them is enough to know that it was one of ours,
 * since nobody else writes such a thing: a bit that is flipped in the other must not make it look like foreign.
 */
export async function readTail(source: StoredBytes): Promise<StoredBytes | "damaged" | undefined> {
  const tail = await readLast(source, Math.min(TAIL_BYTES, source.sizeBytes));
  if (tail.length < ENDING_BYTES) return undefined;
  const view = viewOf(tail);
  const hasEnding = view.getUint32(tail.length - 4, true) === ENDING_MAGIC;
  const payloadBytes = view.getUint32(tail.length - ENDING_BYTES, true);
  const frameBytes = payloadBytes + SKIPPABLE_HEADER_BYTES;
  const isPossible = payloadBytes >= ENDING_BYTES && payloadBytes <= limits.lz4TrailerMaxBytes &&
    frameBytes <= source.sizeBytes;
  if (!isPossible) return hasEnding ? "damaged" : undefined;
  const isInTail = frameBytes <= tail.length;
  const header = isInTail ? tail.subarray(-frameBytes) : await readAt(source, frameBytes, SKIPPABLE_HEADER_BYTES);
  if (!isHeaderOf(header, payloadBytes)) return hasEnding ? "damaged" : undefined;
  if (!hasEnding) return "damaged";
  const sizeBytes = payloadBytes - ENDING_BYTES;
  if (isInTail) return inMemory(header.subarray(SKIPPABLE_HEADER_BYTES, SKIPPABLE_HEADER_BYTES + sizeBytes));
  const start = source.sizeBytes - payloadBytes;
  return {
    sizeBytes,
    read: (at, into) => source.read(start + at, into.subarray(0, Math.max(0, Math.min(into.length, sizeBytes - at)))),
  };
}

function inMemory(bytes: Uint8Array): StoredBytes {
  return {
    sizeBytes: bytes.length,
    read: (at, into) => {
      const found = bytes.subarray(at, at + into.length);
      into.set(found);
      return Promise.resolve(found.length);
    },
  };
}

function isHeaderOf(bytes: Uint8Array, payloadBytes: number): boolean {
  if (bytes.length < SKIPPABLE_HEADER_BYTES) return false;
  const view = viewOf(bytes);
  return view.getUint32(0, true) === TRAILER_MAGIC && view.getUint32(4, true) === payloadBytes;
}

function endingLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < ENDING_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(bytes.length - 4, true) !== ENDING_MAGIC) return undefined;
  return view.getUint32(bytes.length - ENDING_BYTES, true);
}

function readLast(source: StoredBytes, length: number): Promise<Uint8Array> {
  return readAt(source, length, length);
}

/** So many bytes, so far from the end. */
async function readAt(source: StoredBytes, fromEnd: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const count = await source.read(source.sizeBytes - fromEnd, bytes);
  return bytes.subarray(0, count);
}
