/** From one part of an LZ4 object to the next: frame headers, blocks, ends. Nothing is decoded here. */
import { assert } from "../base/assert.ts";
import { viewOf } from "../base/bytes.ts";
import {
  BLOCK_HEADER_BYTES,
  CHECKSUM_BYTES,
  corruptAt,
  type Frame,
  FRAME_HEADER_MAX_BYTES,
  frameKindOf,
  legacyFrame,
  MAGIC_BYTES,
  parseFrameHeader,
  SKIPPABLE_HEADER_BYTES,
  STORED_BIT,
  truncated,
} from "./frame_format.ts";
import type { SourceWindow } from "./source_window.ts";

/** Where a part begins. */
export interface Place {
  readonly at: number;
  /** How much content comes before it. */
  readonly contentAt: number;
  /** The data frame that a block or an end is expected of; undefined where a frame may begin. */
  readonly frame: Frame | undefined;
}

export interface Block {
  readonly frame: Frame;
  readonly at: number;
  readonly contentAt: number;
  readonly dataAt: number;
  readonly dataBytes: number;
  readonly isStored: boolean;
  /** The place behind it and its checksum. */
  readonly nextAt: number;
}

export interface Skippable {
  readonly magic: number;
  readonly payloadAt: number;
  readonly payloadBytes: number;
}

export type Step =
  | { readonly kind: "begin"; readonly frame: Frame; readonly next: Place }
  | { readonly kind: "block"; readonly block: Block }
  | { readonly kind: "end"; readonly frame: Frame; readonly checksum: number | undefined; readonly next: Place }
  | { readonly kind: "skippable"; readonly skippable: Skippable; readonly next: Place }
  | { readonly kind: "finish" };

/** The longest that any part begins with. */
const PEEKED_BYTES = Math.max(FRAME_HEADER_MAX_BYTES, BLOCK_HEADER_BYTES + CHECKSUM_BYTES);

export class FrameWalk {
  readonly #window: SourceWindow;
  readonly #description: string;

  constructor(window: SourceWindow, description: string) {
    this.#window = window;
    this.#description = description;
  }

  async step(place: Place): Promise<Step> {
    await this.#window.hold(place.at, PEEKED_BYTES);
    const step = this.stepNow(place);
    assert(step !== undefined, "what it takes is held");
    return step;
  }

  /** The same where it takes bytes that are held already: of very many small parts each would wait. */
  stepNow(place: Place): Step | undefined {
    const bytes = this.#window.peek(place.at, PEEKED_BYTES);
    if (bytes === undefined) return undefined;
    return place.frame === undefined ? this.#stepOutside(place, bytes) : this.#stepInside(place, place.frame, bytes);
  }

  /** Whether the frame ends behind this block. */
  async isLast(block: Block): Promise<boolean> {
    const step = await this.step({ at: block.nextAt, contentAt: 0, frame: block.frame });
    return step.kind !== "block";
  }

  #stepOutside(place: Place, bytes: Uint8Array): Step {
    const { at, contentAt } = place;
    if (at === this.#window.sizeBytes) return { kind: "finish" };
    if (bytes.length < MAGIC_BYTES) throw this.#noFrame(at);
    const magic = viewOf(bytes).getUint32(0, true);
    switch (frameKindOf(magic)) {
      case "data":
        return begin(parseFrameHeader(bytes, at, contentAt, this.#description));
      case "legacy":
        return begin(legacyFrame(at, contentAt));
      case "skippable": {
        if (bytes.length < SKIPPABLE_HEADER_BYTES) throw this.#truncated("in the header of a skippable frame");
        const payloadBytes = viewOf(bytes).getUint32(4, true);
        const payloadAt = at + SKIPPABLE_HEADER_BYTES;
        const end = payloadAt + payloadBytes;
        if (end > this.#window.sizeBytes) throw this.#truncated(`in the skippable frame that begins at byte ${at}`);
        const skippable = { magic, payloadAt, payloadBytes };
        return { kind: "skippable", skippable, next: { at: end, contentAt, frame: undefined } };
      }
      case undefined:
        throw this.#noFrame(at);
    }
  }

  #stepInside(place: Place, frame: Frame, bytes: Uint8Array): Step {
    const { at, contentAt } = place;
    if (frame.isLegacy && at === this.#window.sizeBytes) return this.#legacyEnd(place, frame);
    if (bytes.length < BLOCK_HEADER_BYTES) throw this.#truncated(`in the frame that begins at byte ${frame.at}`);
    const header = viewOf(bytes).getUint32(0, true);
    if (frame.isLegacy) {
      if (header > frame.storedBlockMaxBytes) return this.#legacyEnd(place, frame);
    } else if (header === 0) {
      return this.#end(place, frame, bytes);
    }
    const isStored = !frame.isLegacy && header >= STORED_BIT;
    const dataBytes = isStored ? header - STORED_BIT : header;
    if (dataBytes > frame.storedBlockMaxBytes || header === 0) {
      const problem = `a block of ${dataBytes} bytes begins (1 to ${frame.storedBlockMaxBytes} in this frame)`;
      throw corruptAt(this.#description, at, problem);
    }
    const dataAt = at + BLOCK_HEADER_BYTES;
    const nextAt = dataAt + dataBytes + (frame.hasBlockChecksums ? CHECKSUM_BYTES : 0);
    if (nextAt > this.#window.sizeBytes) throw this.#truncated(`in the block that begins at byte ${at}`);
    return { kind: "block", block: { frame, at, contentAt, dataAt, dataBytes, isStored, nextAt } };
  }

  #end({ at, contentAt }: Place, frame: Frame, bytes: Uint8Array): Step {
    const endAt = at + BLOCK_HEADER_BYTES;
    if (!frame.hasContentChecksum) {
      return { kind: "end", frame, checksum: undefined, next: { at: endAt, contentAt, frame: undefined } };
    }
    if (bytes.length < BLOCK_HEADER_BYTES + CHECKSUM_BYTES) throw this.#truncated("in the checksum of a frame");
    const checksum = viewOf(bytes).getUint32(BLOCK_HEADER_BYTES, true);
    return { kind: "end", frame, checksum, next: { at: endAt + CHECKSUM_BYTES, contentAt, frame: undefined } };
  }

  /** A legacy frame has no end mark: the end of the object, or what is too large for a block, ends it. */
  #legacyEnd({ at, contentAt }: Place, frame: Frame): Step {
    return { kind: "end", frame, checksum: undefined, next: { at, contentAt, frame: undefined } };
  }

  #truncated(where: string): Error {
    return truncated(this.#description, this.#window.sizeBytes, where);
  }

  #noFrame(at: number): Error {
    return corruptAt(this.#description, at, "there is no LZ4 frame");
  }
}

function begin(frame: Frame): Step {
  return { kind: "begin", frame, next: { at: frame.blocksAt, contentAt: frame.contentAt, frame } };
}
