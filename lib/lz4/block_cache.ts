/** The last two decoded blocks of an object, where they were decoded: in the memory of a kernel. */
import { viewOf } from "../base/bytes.ts";
import { corruptAt, type Frame, HISTORY_BYTES } from "./frame_format.ts";
import type { Block } from "./frame_walk.ts";
import { giveBackKernel, type Kernel, takeKernel, WINDOWS_AT } from "./kernel.ts";
import type { SourceWindow } from "./source_window.ts";

/** Read with a block: the header of the next one, or the end of the frame and what comes next. */
const TAIL_BYTES = 64;
/** Room behind each window for a checksum and that tail. */
const BEHIND_BYTES = 128;
const SLOTS = 2;
const SMALLEST_BLOCK_BYTES = 64 << 10;

/** A block that is decoded. */
export interface Decoded {
  readonly block: Block;
  readonly length: number;
  /** The place of its first byte in the memory of the kernel. */
  readonly target: number;
  /** Bytes before it there that the next block may repeat, too. */
  readonly historyBytes: number;
}

export class BlockCache {
  decodedBlocks = 0;
  readonly #window: SourceWindow;
  readonly #description: string;
  #kernel: Kernel | undefined;
  #inputBytes = 0;
  #blockBytes = 0;
  /** The one used last stands last. */
  #decoded: Decoded[] = [];

  constructor(window: SourceWindow, description: string) {
    this.#window = window;
    this.#description = description;
  }

  /** The memory, large enough for blocks of this frame; what was decoded in a smaller one is forgotten. */
  kernelFor(frame: Frame): Kernel {
    const old = this.#kernel;
    const blockBytes = Math.min(frame.blockBytes, mostDecodedBytes(this.#window.sizeBytes));
    if (old !== undefined && blockBytes <= this.#blockBytes) return old;
    this.#inputBytes = Math.min(frame.storedBlockMaxBytes, Math.max(this.#window.sizeBytes, blockBytes)) + BEHIND_BYTES;
    this.#blockBytes = blockBytes;
    const kernel = takeKernel(this.#inputBytes + SLOTS * this.#slotBytes());
    if (old !== undefined) {
      kernel.takeContentHashOf(old);
      this.#decoded = [];
      giveBackKernel(old);
    }
    return this.#kernel = kernel;
  }

  close(): void {
    this.#decoded = [];
    if (this.#kernel !== undefined) giveBackKernel(this.#kernel);
    this.#kernel = undefined;
  }

  covering(contentAt: number): Decoded | undefined {
    return this.#use((decoded) =>
      contentAt >= decoded.block.contentAt && contentAt < decoded.block.contentAt + decoded.length
    );
  }

  beginningAt(at: number): Decoded | undefined {
    return this.#use((decoded) => decoded.block.at === at);
  }

  /** The block before the one that begins there, of the same frame. */
  before(at: number, frame: Frame): Decoded | undefined {
    return this.#decoded.find(({ block }) => block.nextAt === at && block.frame.at === frame.at);
  }

  /** The linked block that was decoded last before that place of the content. */
  lastLinkedBefore(contentAt: number): Decoded | undefined {
    const linked = this.#decoded.filter(({ block, length }) =>
      block.frame.isLinked && block.contentAt + length <= contentAt
    );
    return linked.sort((a, b) => b.block.at - a.block.at)[0];
  }

  view(decoded: Decoded, from: number, length: number): Uint8Array {
    return this.kernelFor(decoded.block.frame).view(decoded.target + from, length);
  }

  /** Decodes a block; if it is linked, the one before it is here. A block with content up to `keepTo` stays if it can. */
  async decode(block: Block, keepFrom: number, keepTo: number): Promise<Decoded> {
    const { frame, dataAt, dataBytes, isStored } = block;
    const kernel = this.kernelFor(frame);
    const previous = frame.isLinked ? this.before(block.at, frame) : undefined;
    const target = this.#freeTarget(previous, keepFrom, keepTo);
    const historyBytes = previous === undefined ? 0 : copyHistory(kernel, previous, target);

    const at = isStored ? target : WINDOWS_AT;
    const tailBytes = Math.min(TAIL_BYTES, this.#window.sizeBytes - block.nextAt);
    await this.#window.read(dataAt, kernel.view(at, block.nextAt - dataAt + tailBytes), tailBytes);
    if (frame.hasBlockChecksums) {
      const checksum = viewOf(kernel.bytes).getUint32(at + dataBytes, true);
      if (kernel.hashOfWindow(at, dataBytes) !== checksum) {
        throw corruptAt(this.#description, block.at, "begins a block whose checksum is wrong");
      }
    }
    let length = dataBytes;
    if (!isStored) {
      const source = { at, length: dataBytes };
      const capacity = Math.min(frame.blockBytes, this.#blockBytes);
      length = kernel.decompress(source, { at: target, length: capacity }, historyBytes);
      if (length < 0) {
        throw corruptAt(this.#description, dataAt - 1 - length, `the block that begins at byte ${block.at} is wrong`);
      }
    }
    this.decodedBlocks += 1;
    const decoded = { block, length, target, historyBytes };
    this.#decoded.push(decoded);
    return decoded;
  }

  #use(condition: (decoded: Decoded) => boolean): Decoded | undefined {
    const found = this.#decoded.find(condition);
    if (found !== undefined) this.#decoded = [...this.#decoded.filter((other) => other !== found), found];
    return found;
  }

  /** Forgets a block if both places are taken: neither the previous one nor, if it can be, one that is still to be read. */
  #freeTarget(previous: Decoded | undefined, keepFrom: number, keepTo: number): number {
    if (this.#decoded.length === SLOTS) {
      const others = this.#decoded.filter((decoded) => decoded !== previous);
      const isWanted = ({ block, length }: Decoded) => block.contentAt < keepTo && block.contentAt + length > keepFrom;
      const forgotten = others.find((decoded) => !isWanted(decoded)) ?? others[0];
      this.#decoded = this.#decoded.filter((decoded) => decoded !== forgotten);
    }
    const targets = Array.from({ length: SLOTS }, (_, slot) => this.#targetOf(slot));
    const free = targets.find((target) => this.#decoded.every((decoded) => decoded.target !== target));
    return free ?? this.#targetOf(0);
  }

  #targetOf(slot: number): number {
    return WINDOWS_AT + this.#inputBytes + slot * this.#slotBytes() + HISTORY_BYTES;
  }

  #slotBytes(): number {
    return HISTORY_BYTES + this.#blockBytes + BEHIND_BYTES;
  }
}

/**
 * What an object of that size can hold: no byte of a block stands for more than 255. As a power of two, so that the memory of
 * one small object serves the next.
 */
function mostDecodedBytes(storedBytes: number): number {
  return Math.max(SMALLEST_BLOCK_BYTES, 2 ** Math.ceil(Math.log2(storedBytes * 256)));
}

/** Puts the end of what came before a linked block before its target; returns how much that is. */
function copyHistory(kernel: Kernel, previous: Decoded, target: number): number {
  const historyBytes = Math.min(HISTORY_BYTES, previous.historyBytes + previous.length);
  const end = previous.target + previous.length;
  kernel.bytes.copyWithin(target - historyBytes, end - historyBytes, end);
  return historyBytes;
}
