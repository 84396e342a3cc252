/**
 * One uninterrupted watch over a database: capture, hold, checkpoint. It ends on doubt or when the files under the database's
 * names are no longer those that were opened; what then happens is for `database.ts` to decide.
 */
import { messageOf, ReplicationError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { decideCheckpoint } from "./checkpoint_decision.ts";
import { Checkpointer } from "./checkpointer.ts";
import { isFileKnown } from "./file_look.ts";
import { Follower } from "./follower.ts";
import { HoldKeeper } from "./hold_keeper.ts";
import { Departure } from "./departure.ts";
import { describeChange, identify } from "./identity.ts";
import type { OpenDatabase } from "./open_database.ts";
import type { CheckpointResult } from "./read_hold.ts";
import { RestingFile } from "./resting_file.ts";
import type { ShadowWal } from "./shadow_wal.ts";
import { equalSalts } from "../wal/salt.ts";
import { type Beginning, brokenChainWarning, WalCapture } from "./wal_capture.ts";

export interface WatchSettings {
  readonly minCheckpointPages: number;
  readonly maxCheckpointPages: number;
  readonly checkpointIntervalMs: number;
  readonly lockBudgetMs: number;
  readonly maxWalSizeBytes: number;
  readonly noopCheckpoint: boolean;
  /** PASSIVE off the event loop. */
  readonly checkpointLater: () => Promise<CheckpointResult>;
}

export interface WatchEvents {
  /** The captured position has moved. */
  captured(): void;
  isSnapshotting(): boolean;
}

export type TickOutcome =
  | { readonly kind: "quiet" }
  | { readonly kind: "busy" }
  /** The WAL cannot be followed from what was captured. */
  | { readonly kind: "doubt"; readonly reason: string }
  /** The database file is another database now, and the WAL life that was copied into it means nothing any more. */
  | { readonly kind: "overwritten"; readonly reason: string }
  /** Other files stand under the database's names; or it is being overwritten, and stands still when that has ended. */
  | { readonly kind: "changed"; readonly reason: string; readonly isWritten?: true };

/** A capture from this size on delays the checkpoint by the time its replication is likely to take. */
const LARGE_CAPTURE_BYTES = 32 << 20;
const REPLICATION_BYTES_PER_MS = 200_000;
const HOLD_OFF_MAX_MS = 30_000;
const CHECKPOINT_RETRY_MIN_MS = 20;
const CHECKPOINT_RETRY_MAX_MS = 2_000;
const STORE_PAGES_EVERY_MS = 1_000;
/** A checkpoint that has not come to an end for this long is worth a line. */
const STARVED_AFTER_MS = 60_000;

export class Watch {
  readonly #open: OpenDatabase;
  readonly #shadow: ShadowWal;
  readonly #files: FileSystem;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #settings: WatchSettings;
  readonly #events: WatchEvents;
  readonly #capture: WalCapture;
  readonly #follower: Follower;
  readonly #resting: RestingFile;
  readonly #keeper: HoldKeeper;
  readonly #departure: Departure;
  readonly #checkpointer: Checkpointer;
  #checkpointNotBeforeMs = -Infinity;
  #completeAt: number | undefined;
  #lastTryMs = -Infinity;
  #lastCompleteMs: number;
  #retryMs = CHECKPOINT_RETRY_MIN_MS;
  #starvedSinceMs: number | undefined;
  #lifeIndex: number;
  #storing: Promise<void> | undefined;
  #storedMs = -Infinity;

  constructor(
    open: OpenDatabase,
    shadow: ShadowWal,
    platform: { readonly files: FileSystem; readonly clock: Clock },
    log: Logger,
    settings: WatchSettings,
    events: WatchEvents,
    beginning: Beginning,
  ) {
    this.#open = open;
    this.#shadow = shadow;
    this.#files = platform.files;
    this.#clock = platform.clock;
    this.#log = log;
    this.#settings = settings;
    this.#events = events;
    this.#follower = new Follower(
      open,
      this.#capture = new WalCapture(open.walFile, shadow, platform.clock, beginning),
      shadow,
      platform.clock,
      settings.noopCheckpoint,
      (bytes) => this.#note(bytes),
    );
    this.#resting = new RestingFile(open, shadow, platform);
    this.#keeper = new HoldKeeper(
      open,
      shadow,
      this.#follower,
      this.#resting,
      platform.clock,
      log,
      settings.maxWalSizeBytes,
    );
    this.#departure = new Departure(open, this.#follower, this.#keeper, platform, () => shadow.isSynced);
    this.#lastCompleteMs = platform.clock.monotonicMs();
    this.#lifeIndex = shadow.index;
    this.#checkpointer = new Checkpointer(this.#work(), platform.clock, log, settings.lockBudgetMs);
  }

  get atRest(): boolean {
    return this.#keeper.atRest;
  }

  /** When to look again for what is left to be done after the application's last close; undefined when nothing is. */
  get departureMs(): number | undefined {
    return this.#departure.nextLookMs;
  }

  /** One look at the wal-index and everything that follows from it. */
  async tick(signal: AbortSignal): Promise<TickOutcome> {
    this.#keeper.failIfBroken();
    if (this.#open.hold.facts === undefined) {
      throw new ReplicationError("unavailable", `Cannot go on with ${this.#open.path}: the read hold was lost`);
    }
    const change = this.fileChange() ?? await this.#judgeRest();
    if (change !== undefined) return change;
    const captured = await this.#follower.captureCommitted();
    if (captured && await this.#keeper.maintain()) {
      await this.#checkpointIfDue(signal);
      await this.#departure.look(() => this.#checkpoint(false, signal));
    }
    this.#storePages();
    return this.#doubt() ?? { kind: captured === "moved" ? "busy" : "quiet" };
  }

  /** That other files have the names of the database's now, or none. */
  fileChange(): TickOutcome | undefined {
    const { identity, path } = this.#open;
    const reason = describeChange(identity, identify(this.#files, path), path);
    return reason === undefined ? undefined : { kind: "changed", reason };
  }

  /**
   * Another database that is copied over this one while nobody else has it open is let go of before its first reader comes,
   * for whom our wal-index would tell of the old one; unless it is of an empty WAL, and tells nothing.
   */
  async #judgeRest(): Promise<TickOutcome | undefined> {
    const judgement = await this.#resting.judge();
    if (judgement === "none") return undefined;
    const reason = `${this.#open.path} was overwritten in place`;
    if (this.#departure.isUnderWay && this.#departure.truncate()) return { kind: "changed", reason, isWritten: true };
    return judgement === "pending" ? { kind: "quiet" } : { kind: "overwritten", reason };
  }

  /** Captures to at least what is committed now and makes it durable; says when that cannot be done. */
  async captureAll(): Promise<TickOutcome | undefined> {
    await this.#keeper.settle();
    this.#keeper.failIfBroken();
    await this.#follower.captureNow();
    const doubt = this.#doubt();
    if (doubt !== undefined) return doubt;
    await this.#shadow.sync();
    return undefined;
  }

  #doubt(): TickOutcome | undefined {
    const { doubt } = this.#follower;
    if (doubt === undefined) return undefined;
    if (this.#capture.isChainBroken) this.#log.warn(brokenChainWarning(), { reason: doubt });
    return { kind: "doubt", reason: doubt };
  }

  /** Whether the database file can be taken for what is captured: no doubt, and nobody copies another one over it. */
  async isUndisturbed(): Promise<boolean> {
    return this.#follower.doubt === undefined && await this.#resting.judge() === "none";
  }

  /** Once in each rest, when it has lasted for a while. */
  takeLongRest(): boolean {
    return this.#keeper.takeLongRest();
  }

  async settle(): Promise<void> {
    await this.#keeper.settle();
    await this.#storing;
  }

  /** Whether all of the life in the shadow WAL is captured, and the next one has not begun. */
  get lifeEnded(): boolean {
    return this.#capture.lifeEnded;
  }

  /** Whether the database file can be looked at now, awaiting nothing until that is done. */
  get isFileKnown(): boolean {
    const index = this.#open.walIndex.read();
    return index !== undefined && isFileKnown(this.#open, this.#shadow, this.#follower.isCaughtUp(index));
  }

  /** Whether the database file holds every captured frame. */
  get isLifeCopied(): boolean {
    const index = this.#open.walIndex.read();
    if (index === undefined || !this.#follower.isCaughtUp(index)) return false;
    if (index.mxFrame === 0) return true; // SQLite cuts a WAL only after all of it was copied.
    const { life } = this.#shadow;
    if (life === undefined) return false;
    return equalSalts(index.salt, life.header.salt) && index.backfilled >= life.frames;
  }

  /**
   * Stores the page table now and then, beside everything else. A replay begins with the first frame of an index, so only a
   * new index is worth it.
   */
  #storePages(): void {
    const { pages } = this.#shadow;
    if (pages === undefined || !pages.isUsable || this.#storing !== undefined) return;
    const isDue = pages.stored === undefined || pages.stored.index < this.#shadow.index;
    const now = this.#clock.monotonicMs();
    if (!isDue || now - this.#storedMs < STORE_PAGES_EVERY_MS) return;
    this.#storedMs = now;
    const { generation, index, offset } = this.#shadow;
    this.#storing = pages.store({ generation, index, offset })
      .catch((error: unknown) => this.#log.warn("The page table cannot be stored", { reason: messageOf(error) }))
      .finally(() => this.#storing = undefined);
  }

  /** Stores the page table as it is now, so that the next start has nothing to bring forward. */
  async storePages(): Promise<void> {
    await this.#storing;
    const { pages, generation, index, offset } = this.#shadow;
    if (pages?.isUsable === true) await pages.store({ generation, index, offset });
  }

  #note(bytes: number): void {
    const step = this.#shadow.takeClockStep();
    if (step !== undefined) {
      this.#log.warn("The clock was put back: what is captured now has earlier times than what was captured before", {
        before: new Date(step.fromMs).toISOString(),
        now: new Date(step.toMs).toISOString(),
      });
    }
    if (this.#shadow.index !== this.#lifeIndex) {
      this.#lifeIndex = this.#shadow.index;
      this.#completeAt = undefined;
    }
    // After a large transaction the replicas come first: a checkpoint of that size would take the disk from them.
    if (bytes >= LARGE_CAPTURE_BYTES) {
      this.#checkpointNotBeforeMs = this.#clock.monotonicMs() +
        Math.min(HOLD_OFF_MAX_MS, bytes / REPLICATION_BYTES_PER_MS);
    }
    this.#events.captured();
  }

  async #checkpointIfDue(signal: AbortSignal): Promise<void> {
    const index = this.#open.walIndex.read();
    if (index === undefined || this.#shadow.life === undefined) return;
    const now = this.#clock.monotonicMs();
    if (now < this.#checkpointNotBeforeMs) return;
    const decision = decideCheckpoint({
      frames: this.#follower.isCaughtUp(index) ? index.mxFrame : this.#shadow.life.frames,
      backfilled: index.backfilled,
      completeAt: this.#completeAt,
      msSinceLastTry: now - this.#lastTryMs,
      msSinceLastComplete: now - this.#lastCompleteMs,
      retryMs: this.#retryMs,
      msSincePause: this.#checkpointer.msSincePause,
      snapshotting: this.#events.isSnapshotting(),
      minPages: this.#settings.minCheckpointPages,
      maxPages: this.#settings.maxCheckpointPages,
      intervalMs: this.#settings.checkpointIntervalMs,
    });
    if (decision.kind === "checkpoint") await this.#checkpoint(decision.mayPause, signal);
  }

  async #checkpoint(mayPause: boolean, signal: AbortSignal): Promise<void> {
    await this.#keeper.settle();
    const outcome = await this.#checkpointer.run(mayPause, signal);
    this.#lastTryMs = this.#clock.monotonicMs();
    if (outcome.kind === "complete") this.#noteComplete();
    else if (outcome.kind === "incomplete") this.#noteIncomplete(outcome.reason, outcome.mayPassSoon);
  }

  #noteComplete(): void {
    this.#completeAt = this.#shadow.life?.frames;
    this.#lastCompleteMs = this.#lastTryMs;
    this.#keeper.noteTaken();
    this.#retryMs = CHECKPOINT_RETRY_MIN_MS;
    this.#starvedSinceMs = undefined;
  }

  #noteIncomplete(reason: string, mayPassSoon: boolean): void {
    this.#retryMs = mayPassSoon ? CHECKPOINT_RETRY_MIN_MS : Math.min(CHECKPOINT_RETRY_MAX_MS, this.#retryMs * 2);
    this.#starvedSinceMs ??= this.#lastTryMs;
    if (this.#lastTryMs - this.#starvedSinceMs < STARVED_AFTER_MS) return;
    const frames = this.#shadow.life?.frames ?? 0;
    this.#log.warn("The WAL cannot be checkpointed and grows", { reason, frames, offset: this.#shadow.offset });
    this.#starvedSinceMs = this.#lastTryMs; // Said again after the same time.
  }

  #work() {
    return {
      hold: this.#open.hold,
      captured: () => this.#shadow.life?.frames ?? 0,
      tailBytes: () => this.#follower.tailBytes(),
      syncAhead: async () => {
        await Promise.all([this.#shadow.sync(), this.#open.databaseFile.flush(), this.#open.walFile.flush()]);
      },
      noteCopied: () => this.#resting.begin(),
      uncopiedFrames: () => this.#follower.uncopiedFrames(),
      uncopiedBytes: () => this.#follower.uncopiedBytes(),
      pump: () => this.#keeper.pump(),
      handOver: () => this.#keeper.handOver(),
      copyBeside: this.#settings.checkpointLater,
      captureNow: () => this.#follower.captureUnderPause(),
    };
  }
}
