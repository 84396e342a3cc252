/**
 * The content of an LZ4 object, read by position. Blocks that are independent are decoded one by one, in any order; linked
 * ones from the beginning of their frame. Two decoded blocks are kept.
 *
 * How much an independent block holds is not known before it is decoded. Every one but the last of its frame is taken to be
 * full, as all encoders of files make them; one that is not is found when it is decoded, and refused unless everything
 * before it was decoded, too: then no place behind it was ever derived from it.
 */
import { assert } from "../base/assert.ts";
import type { ByteSource, StoredBytes } from "../base/byte_source.ts";
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { BlockCache, type Decoded } from "./block_cache.ts";
import { corruptAt } from "./frame_format.ts";
import { type Block, FrameWalk, type Place, type Skippable, type Step } from "./frame_walk.ts";
import { SourceWindow } from "./source_window.ts";

/** Places that are remembered are at least this part of the object apart, so that there are never more of them. */
const MARKS_MAX = 1 << 13;

export interface Lz4Content extends ByteSource {
  /** The length of the content; the whole object is looked through, and decoded where it must be. */
  size(): Promise<number>;
  /** Checks every frame up to the end, and the checksums of all content that has not been read in order before. */
  verify(): Promise<void>;
  /** The payload of the last skippable frame of this magic; undefined without one. */
  trailer(magic: number): Promise<Uint8Array | undefined>;
  /** How many blocks have been decoded, those decoded again included. */
  readonly decodedBlocks: number;
  /** Gives its memory back, after the calls that are under way. */
  close(): void;
}

/** The description names the object in errors, `WAL "00000001_00000020.wal.lz4"`. */
export async function openLz4(source: StoredBytes, description: string): Promise<Lz4Content> {
  if (source.sizeBytes === 0) throw corruptAt(description, 0, "it ends (an LZ4 frame is expected)");
  const content = new FrameDecoder(source, description);
  await content.begin();
  return content;
}

class FrameDecoder implements Lz4Content {
  readonly #source: StoredBytes;
  readonly #description: string;
  readonly #walk: FrameWalk;
  readonly #cache: BlockCache;
  /** Where blocks can be decoded from, ascending. */
  readonly #marks: Place[] = [{ at: 0, contentAt: 0, frame: undefined }];
  readonly #skippables = new Map<number, Skippable>();
  readonly #markDistance: number;
  /** Everything before it was decoded in order, and its checksums are right as far as it has come. */
  #proven: Place = { at: 0, contentAt: 0, frame: undefined };
  /** How far anybody has walked. */
  #walkedTo = 0;
  #sizeBytes: number | undefined;
  /** Places that were told are wrong; nothing more is read. */
  #failure: ReplicationError | undefined;
  #isClosed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(source: StoredBytes, description: string) {
    this.#source = source;
    this.#description = description;
    const window = new SourceWindow(source, description);
    this.#walk = new FrameWalk(window, description);
    this.#cache = new BlockCache(window, description);
    this.#markDistance = Math.ceil(source.sizeBytes / MARKS_MAX);
  }

  get decodedBlocks(): number {
    return this.#cache.decodedBlocks;
  }

  begin(): Promise<unknown> {
    return this.#alone(() => this.#walk.step(this.#proven));
  }

  read(at: number, into: Uint8Array): Promise<number> {
    return this.#alone(async () => {
      const end = at + into.length;
      let position = at;
      while (position < end) {
        const decoded = await this.#decodedAt(position, end);
        if (decoded === undefined) break;
        const from = position - decoded.block.contentAt;
        const count = Math.min(decoded.length - from, end - position);
        into.set(this.#cache.view(decoded, from, count), position - at);
        position += count;
      }
      return position - at;
    });
  }

  size(): Promise<number> {
    return this.#alone(() => this.#size());
  }

  verify(): Promise<void> {
    return this.#alone(async () => {
      while (true) {
        const place = this.#proven;
        const step = this.#walk.stepNow(place) ?? await this.#walk.step(place);
        if (step.kind === "finish") return;
        if (step.kind !== "block") {
          this.#pass(place, step);
          continue;
        }
        const decoded = this.#cache.beginningAt(place.at);
        if (decoded === undefined) await this.#decode(step.block, 0, 0);
        else await this.#prove(decoded);
      }
    });
  }

  trailer(magic: number): Promise<Uint8Array | undefined> {
    return this.#alone(async () => {
      await this.#size();
      const skippable = this.#skippables.get(magic);
      if (skippable === undefined) return undefined;
      const { payloadAt, payloadBytes } = skippable;
      if (payloadBytes > limits.lz4TrailerMaxBytes) {
        throw new ReplicationError(
          "unsupported",
          `Cannot read ${this.#description}: its skippable frame has ${payloadBytes} bytes ` +
            `(at most ${limits.lz4TrailerMaxBytes})`,
        );
      }
      const payload = new Uint8Array(payloadBytes);
      const count = await this.#source.read(payloadAt, payload);
      if (count < payloadBytes) throw corruptAt(this.#description, payloadAt + count, "it ends in a skippable frame");
      return payload;
    });
  }

  close(): void {
    if (this.#isClosed) return;
    void this.#alone(() => {
      this.#cache.close();
      return Promise.resolve();
    });
    this.#isClosed = true;
  }

  /** One call after the other: they share places, cache and memory. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    assert(!this.#isClosed, "the content is open");
    const result = this.#last.then(() => {
      if (this.#failure !== undefined) throw this.#failure;
      return work();
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #size(): Promise<number> {
    if (this.#sizeBytes === undefined) await this.#decodedAt(Infinity, Infinity);
    assert(this.#sizeBytes !== undefined, "the walk came to the end");
    return this.#sizeBytes;
  }

  /** The block with that byte of the content, decoded; undefined when the content ends before it. */
  async #decodedAt(contentAt: number, keepTo: number): Promise<Decoded | undefined> {
    const covering = this.#cache.covering(contentAt);
    if (covering !== undefined) return covering;
    if (this.#sizeBytes !== undefined && contentAt >= this.#sizeBytes) return undefined;
    let place = this.#startFor(contentAt);
    while (true) {
      const step = this.#walk.stepNow(place) ?? await this.#walk.step(place);
      if (step.kind === "finish") {
        this.#sizeBytes = place.contentAt;
        return undefined;
      }
      if (step.kind !== "block") {
        place = this.#pass(place, step);
      } else if (await this.#liesBefore(step.block, contentAt)) {
        place = this.#behind(step.block, step.block.isStored ? step.block.dataBytes : step.block.frame.blockBytes);
      } else {
        const decoded = this.#cache.beginningAt(step.block.at) ??
          await this.#decode(step.block, contentAt, keepTo);
        if (contentAt < step.block.contentAt + decoded.length) return decoded;
        place = this.#behind(step.block, decoded.length);
      }
    }
  }

  /** The last place from which that byte of the content can be reached. */
  #startFor(contentAt: number): Place {
    let low = 0;
    let high = this.#marks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#marks[middle]?.contentAt ?? Infinity) <= contentAt) low = middle;
      else high = middle;
    }
    const mark = this.#marks[low];
    assert(mark !== undefined, "the beginning is a mark");
    const linked = this.#cache.lastLinkedBefore(contentAt);
    if (linked === undefined || linked.block.nextAt <= mark.at) return mark;
    return placeBehind(linked.block, linked.length);
  }

  /** Whether the block ends before that byte as far as can be told without decoding it. */
  async #liesBefore(block: Block, contentAt: number): Promise<boolean> {
    if (block.frame.isLinked) return false;
    if (block.isStored) return contentAt >= block.contentAt + block.dataBytes;
    return contentAt >= block.contentAt + block.frame.blockBytes && !await this.#walk.isLast(block);
  }

  /** Decodes a block, after those of its frame that it needs. */
  async #decode(block: Block, keepFrom: number, keepTo: number): Promise<Decoded> {
    const { frame } = block;
    if (frame.isLinked && block.at !== frame.blocksAt && this.#cache.before(block.at, frame) === undefined) {
      let place: Place = { at: frame.blocksAt, contentAt: frame.contentAt, frame };
      while (place.at < block.at) {
        const step = this.#walk.stepNow(place) ?? await this.#walk.step(place);
        assert(step.kind === "block", "the frame has blocks up to this one");
        place = placeBehind(step.block, (await this.#decodeNext(step.block, keepFrom, keepTo)).length);
      }
    }
    return await this.#decodeNext(block, keepFrom, keepTo);
  }

  async #decodeNext(block: Block, keepFrom: number, keepTo: number): Promise<Decoded> {
    const decoded = await this.#cache.decode(block, keepFrom, keepTo);
    const isShort = !block.frame.isLinked && !block.isStored && decoded.length < block.frame.blockBytes;
    if (isShort && block.at >= this.#proven.at && this.#walkedTo > block.at && !await this.#walk.isLast(block)) {
      throw this.#shortBlock(`the block at byte ${block.at} is not full`);
    }
    if (block.at === this.#proven.at) await this.#prove(decoded);
    return decoded;
  }

  /** Takes a block that follows everything proven into the proof, and the end of its frame if that comes next. */
  async #prove(decoded: Decoded): Promise<void> {
    const { block, length, target } = decoded;
    const { frame } = block;
    const kernel = this.#cache.kernelFor(frame);
    if (block.at === frame.blocksAt) kernel.beginContentHash();
    if (frame.hasContentChecksum) kernel.addToContentHash(target, length);
    this.#proven = placeBehind(block, length);
    const step = this.#walk.stepNow(this.#proven) ?? await this.#walk.step(this.#proven);
    if (step.kind === "end") this.#pass(this.#proven, step);
  }

  /** Goes over a part that holds no content. */
  #pass(place: Place, step: Exclude<Step, { kind: "block" | "finish" }>): Place {
    if (step.kind === "end") this.#checkEnd(place, step);
    if (step.kind === "skippable") this.#remember(step.skippable);
    if (place.at === this.#proven.at) this.#proven = step.next;
    this.#mark(step.next);
    return step.next;
  }

  #checkEnd(place: Place, { frame, checksum }: Extract<Step, { kind: "end" }>): void {
    const isProven = place.at === this.#proven.at;
    const contentBytes = place.contentAt - frame.contentAt;
    if (frame.contentBytes !== undefined && frame.contentBytes !== contentBytes) {
      const problem = `the frame that begins at byte ${frame.at} holds ${contentBytes} bytes ` +
        `(its header says ${frame.contentBytes})`;
      throw isProven || frame.isLinked ? corruptAt(this.#description, place.at, problem) : this.#shortBlock(problem);
    }
    if (!isProven || checksum === undefined) return;
    const kernel = this.#cache.kernelFor(frame);
    if (place.at === frame.blocksAt) kernel.beginContentHash();
    if (kernel.contentHash !== checksum) {
      throw corruptAt(this.#description, place.at, "the checksum of a frame's content is wrong");
    }
  }

  #remember(skippable: Skippable): void {
    const known = this.#skippables.get(skippable.magic);
    if (known === undefined || known.payloadAt < skippable.payloadAt) {
      this.#skippables.set(skippable.magic, skippable);
    }
  }

  #behind(block: Block, length: number): Place {
    const place = placeBehind(block, length);
    if (block.frame.isLinked) this.#walkedTo = Math.max(this.#walkedTo, place.at);
    else this.#mark(place);
    return place;
  }

  #mark(place: Place): void {
    this.#walkedTo = Math.max(this.#walkedTo, place.at);
    const last = this.#marks.at(-1);
    if (last === undefined || place.at <= last.at) return;
    // Frames without content lead nowhere: what is behind any number of them begins behind the last.
    if (place.contentAt === last.contentAt) this.#marks[this.#marks.length - 1] = place;
    else if (place.at >= last.at + this.#markDistance) this.#marks.push(place);
  }

  #shortBlock(what: string): ReplicationError {
    return this.#failure = new ReplicationError(
      "unsupported",
      `Cannot read ${this.#description} out of order: ${what} (every block but the last of a frame is)`,
    );
  }
}

function placeBehind({ frame, nextAt, contentAt }: Block, length: number): Place {
  return { at: nextAt, contentAt: contentAt + length, frame };
}
