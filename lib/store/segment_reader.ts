/**
 * Reads the WAL of one index over its segments, of which each begins where the one before ended. A name says only where a
 * segment begins; that it ends where the next one begins is checked whenever it is read: no gap, and no overlap but of what
 * the next ones hold as well. When Litestream is ended its last sync does not wait for the one that goes on, and may write a
 * segment again, longer than before, beside the one that follows it.
 */
import { equalBytes } from "../base/bytes.ts";
import { isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import type { Generation } from "../position/generation.ts";
import { formatSegmentKey } from "../position/litestream_names.ts";
import { asOffset } from "../position/position.ts";
import { DamagedSegment } from "./damaged_segment.ts";
import type { Segment } from "./litestream_listing.ts";
import type { ObjectContent } from "./stored_object.ts";

/** Lends the content of a segment for as long as the work takes. */
export type UseContent = <T>(segment: Segment, work: (content: ObjectContent) => Promise<T>) => Promise<T>;

const PIECE_BYTES = 1 << 16;

export class SegmentReader {
  /** Those whose overlap was read: each belongs to one listing, and what is listed does not change. */
  static readonly #repeating = new WeakSet<Segment>();

  readonly #generation: Generation;
  readonly #segments: readonly Segment[];
  readonly #use: UseContent;

  /** `segments` in order. */
  constructor(generation: Generation, segments: readonly Segment[], use: UseContent) {
    this.#generation = generation;
    this.#segments = segments;
    this.#use = use;
  }

  /** Fills `into` from byte `at` of the WAL; fewer bytes only at its end. */
  async read(at: number, into: Uint8Array): Promise<number> {
    let filled = 0;
    for (let slot = this.#slotAt(at); slot < this.#segments.length && filled < into.length; slot++) {
      const segment = this.#segments[slot];
      if (segment === undefined) break;
      const end = await this.endOf(slot);
      const from = at + filled;
      const wanted = into.subarray(filled, filled + Math.max(0, Math.min(into.length - filled, end - from)));
      const got = await this.#guarded(segment, async (content) => await content.read(from - segment.offset, wanted));
      filled += got;
      const next = this.#segments[slot + 1];
      if (filled < into.length && next !== undefined && next.offset > end) throw gapBetween(segment, end, next);
      if (got < wanted.length) break;
    }
    return filled;
  }

  /** Where the segment ends; never beyond the beginning of the next one. */
  async endOf(slot: number): Promise<number> {
    const segment = this.#segments[slot];
    const [first] = this.#segments;
    if (segment === undefined || first === undefined) return 0;
    if (first.offset > 0) {
      const key = formatSegmentKey(this.#generation, segment.index, asOffset(0));
      throw new DamagedSegment("gap", `${key} is missing (the WAL of an index begins at offset 0)`, 0);
    }
    const end = segment.offset + await this.#guarded(segment, async (content) => await content.size());
    const next = this.#segments[slot + 1];
    if (next === undefined || next.offset >= end) return end;
    if (await this.#isRepeated(segment, next.offset, end)) return next.offset;
    throw new DamagedSegment("corrupt", sentenceOfEnd(segment, end, next), next.offset);
  }

  /** Whether what the segment holds from there on is what those behind it hold. */
  async #isRepeated(segment: Segment, from: number, end: number): Promise<boolean> {
    if (SegmentReader.#repeating.has(segment)) return true;
    const [own, other] = [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)];
    for (let at = from; at < end; at += PIECE_BYTES) {
      const piece = own.subarray(0, end - at);
      await this.#guarded(segment, async (content) => await content.read(at - segment.offset, piece));
      const got = await this.read(at, other.subarray(0, piece.length));
      if (got < piece.length || !equalBytes(piece, other.subarray(0, got))) return false;
    }
    SegmentReader.#repeating.add(segment);
    return true;
  }

  #slotAt(at: number): number {
    const after = this.#segments.findIndex((segment) => segment.offset > at);
    return Math.max(0, (after === -1 ? this.#segments.length : after) - 1);
  }

  async #guarded<T>(segment: Segment, work: (content: ObjectContent) => Promise<T>): Promise<T> {
    try {
      return await this.#use(segment, work);
    } catch (error) {
      if (!(error instanceof ReplicationError) || isRetryable(error)) throw error;
      if (error.code !== "corrupt" && error.code !== "not-found") throw error;
      throw new DamagedSegment("corrupt", messageOf(error), segment.offset, error);
    }
  }
}

function gapBetween(segment: Segment, end: number, next: Segment): DamagedSegment {
  return new DamagedSegment("gap", sentenceOfEnd(segment, end, next), end);
}

function sentenceOfEnd(segment: Segment, end: number, next: Segment): string {
  return `${segment.key} ends at offset ${end} (expected ${next.offset}, where the next segment begins)`;
}
