/**
 * Brings the shadow WAL up to what the wal-index says is committed. Frames are published only up to mxFrame and only if the
 * chain's sum there is the one in the wal-index: a valid chain alone proves no commit.
 */
import { commandLine } from "../base/command_line.ts";
import { limits } from "../base/limits.ts";
import { ReplicationError } from "../base/errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileHandle } from "../platform/file_system.ts";
import { WAL_RESET_BUG } from "../sqlite/version.ts";
import { scanAndHash } from "../pages/frame_scan.ts";
import { pageHasher } from "../pages/page_hasher.ts";
import { type Checksum, equalChecksums } from "../wal/checksum.ts";
import { frameSize } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../wal/header.ts";
import { equalSalts, type Salt } from "../wal/salt.ts";
import { scanFrames } from "../wal/scanner.ts";
import { TransactionCounter } from "../wal/transaction_counter.ts";
import { type CaptureDecision, decideCapture } from "./capture_decision.ts";
import type { HoldFacts } from "./read_hold.ts";
import type { ShadowWal } from "./shadow_wal.ts";
import type { WalIndexHeader } from "./wal_index.ts";

export type CaptureOutcome =
  | { readonly kind: "idle" }
  | { readonly kind: "captured"; readonly frames: number }
  | { readonly kind: "doubt"; readonly reason: string };

/** A life of the WAL that was copied whole into a database file which has been overwritten since: it means nothing any more. */
export interface SkippedLife {
  readonly salt: Salt;
  readonly frames: number;
}

export interface Beginning {
  /** What is captured first was committed before anybody watched. */
  readonly late: boolean;
  readonly skipped?: SkippedLife;
  /** The life in the shadow WAL is known to be over: what comes is the next index. */
  readonly lifeEnded?: boolean;
}

/** A transaction that is being copied, slice by slice; nothing of it counts before its end is reached. */
interface Target {
  readonly index: WalIndexHeader;
  readonly header: WalHeader;
  readonly late: boolean;
  frames: number;
  checksum: Checksum;
  databasePages: number;
}

export class WalCapture {
  readonly #wal: FileHandle;
  readonly #shadow: ShadowWal;
  readonly #clock: Clock;
  /** The hasher's own: pages are read into where they are hashed. Nothing of it is needed after an await. */
  readonly #buffer = pageHasher().window;
  readonly #values = new Uint32Array(2 * Math.ceil(this.#buffer.length / frameSize(limits.pageSizeMinBytes)));
  readonly #headerBytes = new Uint8Array(WAL_HEADER_SIZE);
  /** The life in the shadow WAL was seen to be over, with all of it captured. */
  #lifeEnded = false;
  #isChainBroken = false;
  /** Set for what is captured first after being away: its times are those of the capture, not of the commits. */
  #late: boolean;
  readonly #skipped: SkippedLife | undefined;

  constructor(wal: FileHandle, shadow: ShadowWal, clock: Clock, beginning: Beginning) {
    this.#wal = wal;
    this.#shadow = shadow;
    this.#clock = clock;
    this.#late = beginning.late;
    this.#skipped = beginning.skipped;
    this.#lifeEnded = beginning.lifeEnded ?? false;
  }

  /** Whether all of the life in the shadow WAL is captured, and the next one has not begun. */
  get lifeEnded(): boolean {
    return this.#lifeEnded;
  }

  /** Whether frames that are committed were found to continue no chain: nothing that SQLite should ever write. */
  get isChainBroken(): boolean {
    return this.#isChainBroken;
  }

  decide(index: WalIndexHeader, hold: HoldFacts): CaptureDecision {
    if (this.#skipped !== undefined && equalSalts(index.salt, this.#skipped.salt)) {
      if (index.mxFrame === this.#skipped.frames) return { kind: "idle" };
      return { kind: "doubt", reason: "the WAL goes on, though the database was overwritten in place" };
    }
    const life = this.#shadow.life;
    return decideCapture({
      lifeBegun: life !== undefined,
      sameLife: life !== undefined && equalSalts(life.header.salt, index.salt),
      captured: life?.frames ?? 0,
      committed: index.mxFrame,
      sameChecksum: life !== undefined && equalChecksums(life.checksum, index.checksum),
      lifeComplete: life !== undefined &&
        (this.#lifeEnded || (equalSalts(life.header.salt, hold.salt) && life.frames >= hold.mark)),
    });
  }

  /** Captures to `index.mxFrame`, letting other work have its turn between slices. */
  async capture(index: WalIndexHeader, hold: HoldFacts): Promise<CaptureOutcome> {
    const prepared = this.#prepare(index, hold);
    if ("kind" in prepared) return prepared;
    return await this.#copySlices(prepared) ?? this.#publish(prepared);
  }

  /** The same without a pause, for the moment in which writers are held up. */
  captureNow(index: WalIndexHeader, hold: HoldFacts): CaptureOutcome {
    const prepared = this.#prepare(index, hold);
    if ("kind" in prepared) return prepared;
    return this.#copySlice(prepared, Number.MAX_SAFE_INTEGER) ?? this.#publish(prepared);
  }

  /** Bytes that a capture to this wal-index would have to copy. */
  tailBytes(index: WalIndexHeader): number {
    const life = this.#shadow.life;
    const captured = life !== undefined && equalSalts(life.header.salt, index.salt) ? life.frames : 0;
    return Math.max(0, index.mxFrame - captured) * frameSize(index.pageSize);
  }

  #prepare(index: WalIndexHeader, hold: HoldFacts): Target | Exclude<CaptureOutcome, { kind: "captured" }> {
    const decision = this.decide(index, hold);
    switch (decision.kind) {
      case "idle":
        // Empty WAL with new salts: whatever comes next is the next index, also under holds taken from now on.
        this.#lifeEnded = this.#shadow.life !== undefined && !equalSalts(this.#shadow.life.header.salt, index.salt);
        return decision;
      case "doubt":
        return decision;
      case "append":
        break;
      case "next-index":
        this.#shadow.closeIndex(this.#clock.now().getTime());
        return this.#begin(index);
      case "begin":
        return this.#begin(index);
    }
    const life = this.#shadow.life;
    if (life === undefined) return { kind: "idle" };
    const { header, frames, checksum, databasePages } = life;
    return { index, header, frames, checksum, databasePages, late: this.#late };
  }

  /**
   * After a moment without a hold: whether nothing was committed that can no longer be captured. The wal-index counts
   * transactions, restarts do not reset the count, and ours is mapped all the time: as many as were counted since must stand
   * in the present life. `before` was caught up with.
   */
  bridge(before: WalIndexHeader, after: WalIndexHeader): boolean {
    if (equalSalts(before.salt, after.salt)) return true;
    const counted = (after.changeCounter - before.changeCounter) >>> 0;
    if (counted !== this.#countCommits(after)) return false;
    this.#lifeEnded = true;
    return true;
  }

  /**
   * Transactions in the WAL up to mxFrame; undefined when its frames form no unbroken chain. SQLite may fill the rest of a
   * sector by repeating a commit frame: a frame equal to the commit frame before it is not counted, which can only be too few.
   */
  #countCommits(index: WalIndexHeader): number | undefined {
    if (index.mxFrame === 0) return 0;
    const header = this.#readHeader(index);
    if ("reason" in header) return undefined;
    const size = frameSize(header.pageSize);
    const framesInBuffer = Math.floor(this.#buffer.length / size);
    const counter = new TransactionCounter(header.pageSize);
    let chain = header.checksum;
    for (let walked = 0; walked < index.mxFrame;) {
      const frames = Math.min(framesInBuffer, index.mxFrame - walked);
      const bytes = this.#buffer.subarray(0, frames * size);
      this.#wal.readAt(bytes, WAL_HEADER_SIZE + walked * size);
      const scan = scanFrames(bytes, header, chain);
      if (scan.frames < frames) return undefined;
      counter.add(bytes);
      chain = scan.checksum;
      walked += frames;
    }
    return equalChecksums(chain, index.checksum) ? counter.transactions : undefined;
  }

  /** Whether the shadow WAL holds everything that this wal-index says is committed. */
  isCaughtUp(index: WalIndexHeader): boolean {
    const life = this.#shadow.life;
    if (index.mxFrame === 0) return true;
    if (this.#skipped !== undefined && equalSalts(index.salt, this.#skipped.salt)) return true;
    return life !== undefined && equalSalts(life.header.salt, index.salt) && life.frames === index.mxFrame;
  }

  #begin(index: WalIndexHeader): Target | { readonly kind: "doubt"; readonly reason: string } {
    const header = this.#readHeader(index);
    if ("reason" in header) return { kind: "doubt", reason: header.reason };
    this.#lifeEnded = false;
    this.#shadow.begin(header, this.#headerBytes);
    return { index, header, frames: 0, checksum: header.checksum, databasePages: 0, late: this.#late };
  }

  /** The WAL's header, which must be that of the wal-index. */
  #readHeader(index: WalIndexHeader): WalHeader | { readonly reason: string } {
    const bytes = this.#headerBytes;
    const parsed = parseWalHeader(bytes.subarray(0, this.#wal.readAt(bytes, 0)));
    if (!parsed.ok) return parsed;
    const { header } = parsed;
    const isSame = equalSalts(header.salt, index.salt) && header.pageSize === index.pageSize;
    return isSame ? header : { reason: "the WAL header is not that of the wal-index" };
  }

  async #copySlices(target: Target): Promise<CaptureOutcome | undefined> {
    const early = this.#shadow.earlySync();
    try {
      for (;;) {
        const before = target.frames;
        const broken = this.#copySlice(target, limits.captureSliceBytes);
        if (broken !== undefined || target.frames === target.index.mxFrame) return broken;
        await early.wrote((target.frames - before) * frameSize(target.header.pageSize));
        await this.#clock.yield();
      }
    } finally {
      await early.settle();
    }
  }

  /** Copies so much, or to the target's end. Returns where the chain is broken. */
  #copySlice(target: Target, maxBytes: number): CaptureOutcome | undefined {
    const { index, header } = target;
    const size = frameSize(header.pageSize);
    const framesInBuffer = Math.floor(this.#buffer.length / size);
    for (let copied = 0; target.frames < index.mxFrame && copied < maxBytes;) {
      const frames = Math.min(framesInBuffer, index.mxFrame - target.frames);
      const bytes = this.#buffer.subarray(0, frames * size);
      const read = this.#wal.readAt(bytes, WAL_HEADER_SIZE + target.frames * size);
      const scan = this.#shadow.pages === undefined
        ? scanFrames(bytes.subarray(0, read), header, target.checksum)
        : scanAndHash(bytes.subarray(0, read), header, target.checksum, this.#values);
      if (scan.frames < frames) return this.#broken(target.frames + scan.frames + 1);
      this.#shadow.writeFrames(target.frames, bytes, this.#values);
      target.frames += frames;
      target.checksum = scan.checksum;
      if (scan.commits > 0) target.databasePages = scan.databasePages;
      copied += bytes.length;
    }
    return undefined;
  }

  #publish(target: Target): CaptureOutcome {
    if (!equalChecksums(target.checksum, target.index.checksum)) return this.#broken(target.frames);
    const before = this.#shadow.life?.frames ?? 0;
    this.#shadow.publish(target, this.#clock.now().getTime(), target.late);
    this.#late = false;
    return { kind: "captured", frames: target.frames - before };
  }

  #broken(frame: number): CaptureOutcome {
    this.#isChainBroken = true;
    if (this.#shadow.life?.frames === 0) this.#shadow.forget();
    else this.#shadow.forgetFrames();
    return { kind: "doubt", reason: `frame ${frame} of the WAL does not continue the chain, though it is committed` };
  }
}

/** What can have written committed frames that SQLite itself would not read again. */
const BROKEN_BY = `damage, or an application whose SQLite has ${WAL_RESET_BUG}`;

/** The error for a WAL that cannot be followed even from its first frame. */
export function damagedWalError(path: string, reason: string): ReplicationError {
  const what = `${reason} (${BROKEN_BY}; every earlier point of the replicas still restores)`;
  return new ReplicationError("corrupt", `Cannot follow ${path}-wal: ${what}`, {
    advice: commandLine(["sqlite3", path, "PRAGMA integrity_check"]),
  });
}

/** For the log, once per watch that it ends. */
export function brokenChainWarning(): string {
  return `The WAL holds committed frames that form no chain: ${BROKEN_BY}; a resync follows, at the latest when the WAL is restarted`;
}
