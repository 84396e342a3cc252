/**
 * Capture as it is used by everything that holds, hands over and checkpoints: reads the wal-index (and has SQLite repair one
 * that a killed writer left torn), captures, and remembers a doubt once there is one.
 */
import type { Clock } from "../platform/clock.ts";
import { SqliteError } from "../sqlite/driver.ts";
import { frameSize } from "../wal/frame.ts";
import { equalSalts, type Salt } from "../wal/salt.ts";
import type { OpenDatabase } from "./open_database.ts";
import { type CheckpointResult, type HoldFacts, noopCheckpoint, NOTHING_COPIED } from "./read_hold.ts";
import type { ShadowWal } from "./shadow_wal.ts";
import type { CaptureOutcome, WalCapture } from "./wal_capture.ts";
import type { WalIndexHeader } from "./wal_index.ts";

/** "moved" when something was captured, "same" when there was nothing, false on doubt. */
export type Captured = "moved" | "same" | false;

/** Header copies that stay unequal this long are those of a writer that was killed between them. */
const TORN_HEADER_MS = 5;

export class Follower {
  readonly #open: OpenDatabase;
  readonly #shadow: ShadowWal;
  readonly #clock: Clock;
  readonly #capture: WalCapture;
  readonly #hasNoop: boolean;
  readonly #onCaptured: (bytes: number) => void;
  #tornSinceMs: number | undefined;
  #doubt: string | undefined;

  constructor(
    open: OpenDatabase,
    capture: WalCapture,
    shadow: ShadowWal,
    clock: Clock,
    hasNoop: boolean,
    onCaptured: (bytes: number) => void,
  ) {
    this.#open = open;
    this.#shadow = shadow;
    this.#clock = clock;
    this.#hasNoop = hasNoop;
    this.#onCaptured = onCaptured;
    this.#capture = capture;
  }

  /** Why the WAL cannot be followed from what was captured; undefined while it can. */
  get doubt(): string | undefined {
    return this.#doubt;
  }

  noteDoubt(reason: string): false {
    this.#doubt ??= reason;
    return false;
  }

  /** Captures what is committed, letting other work have its turn. */
  async captureCommitted(): Promise<Captured> {
    const index = this.#readIndex();
    const hold = this.#open.hold.facts;
    if (index === undefined || hold === undefined) return "same";
    return this.#noteOutcome(await this.#capture.capture(index, hold));
  }

  /** With writers paused: captures to mxFrame and makes it durable, blocking. */
  captureUnderPause(): "captured" | "unclear" | "doubt" {
    const index = this.#open.walIndex.read();
    const hold = this.#open.hold.facts;
    if (index === undefined || hold === undefined) return "unclear";
    if (this.#noteOutcome(this.#capture.captureNow(index, hold)) === false) return "doubt";
    this.#shadow.syncNow();
    return this.#capture.isCaughtUp(index) ? "captured" : "unclear";
  }

  /** Captures at least everything that is committed at this moment. False on doubt. */
  async captureNow(): Promise<boolean> {
    for (;;) {
      const index = this.#readIndex();
      if (index !== undefined) return await this.#captureUpTo(index.salt, index.mxFrame);
      await this.#clock.sleep(1);
    }
  }

  /** Captures at least everything up to the mark of a hold that was just opened. False on doubt. */
  captureTo(next: HoldFacts): Promise<boolean> {
    return this.#captureUpTo(next.salt, next.mark);
  }

  /**
   * So many frames of the life with these salts, which was the WAL's a moment ago. Not until there is nothing more: an
   * application that never pauses would never let it end.
   */
  async #captureUpTo(salt: Salt, frames: number): Promise<boolean> {
    const first = this.#shadow.index;
    const isTarget = () => this.#shadow.life !== undefined && equalSalts(this.#shadow.life.header.salt, salt);
    // Lives later than this one: the target was captured whole before they could begin.
    const lastIndex = isTarget() ? first : first + 1;
    for (;;) {
      if (await this.captureCommitted() === false) return false;
      if (isTarget() && (this.#shadow.life?.frames ?? 0) >= frames) return true;
      const index = this.#open.walIndex.read();
      const isBehindUs = this.#shadow.life !== undefined && this.#shadow.index > lastIndex;
      if (isBehindUs || (index !== undefined && this.#capture.isCaughtUp(index))) return true;
      await (index === undefined ? this.#clock.sleep(1) : this.#clock.yield());
    }
  }

  isCaughtUp(index: WalIndexHeader): boolean {
    return this.#capture.isCaughtUp(index);
  }

  /** After a moment without a hold: whether nothing was missed. Notes the doubt when that cannot be shown. */
  bridge(before: WalIndexHeader, after: WalIndexHeader | undefined): boolean {
    if (after !== undefined && this.#capture.bridge(before, after)) return true;
    return this.noteDoubt("the WAL was restarted while a checkpoint of the application had its way");
  }

  /** Bytes that a capture would have to copy now. */
  tailBytes(): number {
    const index = this.#open.walIndex.read();
    return index === undefined ? Number.MAX_SAFE_INTEGER : this.#capture.tailBytes(index);
  }

  /** Frames that a checkpoint would have to copy into the database file. */
  uncopiedFrames(): number {
    const index = this.#open.walIndex.read();
    return index === undefined ? Number.MAX_SAFE_INTEGER : Math.max(0, index.mxFrame - index.backfilled);
  }

  uncopiedBytes(): number {
    return this.uncopiedFrames() * (this.#open.walIndex.read()?.pageSize ?? 1);
  }

  /** SQLite's own count of the WAL's frames, as long as the wal-index does not move meanwhile. */
  agreesWithSqlite(): boolean {
    if (!this.#hasNoop) return true;
    const before = this.#open.walIndex.read();
    const counted = this.#lookBySqlite();
    const after = this.#open.walIndex.read();
    if (before === undefined || after === undefined || counted.log < 0) return true;
    const still = before.mxFrame === after.mxFrame && equalSalts(before.salt, after.salt);
    // A WAL that was restarted and not written since is still counted by its last life.
    if (!still || after.mxFrame === 0 || counted.log === after.mxFrame) return true;
    return this.noteDoubt(`SQLite counts ${counted.log} frames in the WAL, the wal-index says ${after.mxFrame}`);
  }

  #noteOutcome(outcome: CaptureOutcome): Captured {
    if (outcome.kind === "doubt") return this.noteDoubt(outcome.reason);
    if (outcome.kind === "idle") return "same";
    this.#onCaptured(outcome.frames * frameSize(this.#shadow.life?.header.pageSize ?? 0));
    return "moved";
  }

  #readIndex(): WalIndexHeader | undefined {
    const index = this.#open.walIndex.read();
    const now = this.#clock.monotonicMs();
    if (index !== undefined) {
      this.#tornSinceMs = undefined;
      return index;
    }
    this.#tornSinceMs ??= now;
    // A look by SQLite itself repairs a header that a killed writer left torn.
    const mayLook = this.#hasNoop && !this.#open.hold.isHandingOver;
    if (now - this.#tornSinceMs >= TORN_HEADER_MS && mayLook) {
      this.#lookBySqlite();
    }
    return this.#open.walIndex.read();
  }

  #lookBySqlite(): CheckpointResult {
    if (this.#open.hold.isHeldUp) return NOTHING_COPIED;
    try {
      return noopCheckpoint(this.#open.hold.free);
    } catch (error) {
      if (error instanceof SqliteError && error.isBusy) return NOTHING_COPIED;
      throw error;
    }
  }
}
