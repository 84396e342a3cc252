/**
 * Keeps a read hold on the WAL and keeps it moving: hands over in time, rests on slot 0, steps aside for a checkpoint that it
 * would otherwise block.
 */
import { isRetryable } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import { SqliteError } from "../sqlite/driver.ts";
import { frameSize } from "../wal/frame.ts";
import { equalSalts } from "../wal/salt.ts";
import type { Follower } from "./follower.ts";
import type { OpenDatabase } from "./open_database.ts";
import type { RestingFile } from "./resting_file.ts";
import type { ShadowWal } from "./shadow_wal.ts";
import type { WalIndexHeader } from "./wal_index.ts";

/** After this long a rest is a long one: the second connection is given back, and how the file looks is noted. */
const LONG_REST_MS = 5_000;
/** An application that waits for a lock looks again every 100 ms at the latest. */
const STEP_ASIDE_MAX_MS = 150;
const TAKE_AGAIN_MAX_MS = 2_000;
const TOO_LARGE_EVERY_MS = 10_000;

export class HoldKeeper {
  readonly #open: OpenDatabase;
  readonly #shadow: ShadowWal;
  readonly #follower: Follower;
  readonly #resting: RestingFile;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #maxWalSizeBytes: number;
  /** A hand-over whose old hold waits for the shadow WAL to be durable. */
  #handOver: Promise<void> | undefined;
  #failure: unknown;
  #lastHandOverMs = 0;
  #restConfirmed = false;
  #restingSinceMs = 0;
  #isLongRestTaken = false;
  #checkpointSeenMs: number | undefined;
  #lastTooLargeMs = -Infinity;

  constructor(
    open: OpenDatabase,
    shadow: ShadowWal,
    follower: Follower,
    resting: RestingFile,
    clock: Clock,
    log: Logger,
    maxWalSizeBytes: number,
  ) {
    this.#open = open;
    this.#shadow = shadow;
    this.#follower = follower;
    this.#resting = resting;
    this.#clock = clock;
    this.#log = log;
    this.#maxWalSizeBytes = maxWalSizeBytes;
  }

  /** On slot 0 with nothing to hand over. */
  get atRest(): boolean {
    return this.#restConfirmed && this.#open.hold.facts?.onSlotZero === true;
  }

  /** Once in each rest, when it has lasted for a while. */
  takeLongRest(): boolean {
    if (this.#isLongRestTaken || !this.atRest || !this.#isLongRest()) return false;
    this.#isLongRestTaken = true;
    return true;
  }

  /** Waits for a hand-over under way, so that the connections can be taken from under the keeper. */
  async settle(): Promise<void> {
    await this.#handOver;
  }

  /** Throws what a hand-over in the background failed with. */
  failIfBroken(): true {
    if (this.#failure !== undefined) throw this.#failure;
    return true;
  }

  /** After the next hold was taken without a hand-over. */
  noteTaken(): void {
    this.#lastHandOverMs = this.#clock.monotonicMs();
    this.#restConfirmed = false;
  }

  /** Hands over when it is time. False on doubt. */
  async maintain(): Promise<boolean> {
    if (this.#handOver !== undefined) return true;
    const facts = this.#open.hold.facts;
    const index = this.#open.walIndex.read();
    if (facts === undefined || index === undefined) return true;
    const now = this.#clock.monotonicMs();
    const still = index.mxFrame === facts.mark && equalSalts(index.salt, facts.salt);
    if (!still || index.backfilled < index.mxFrame) this.#resting.end();
    if (facts.onSlotZero && still && this.#restConfirmed) {
      if (this.#isLongRest()) this.#open.hold.closeFree();
      return true;
    }
    // On slot 0 with new frames behind it nobody can copy anything: leave it at once.
    const mustLeave = facts.onSlotZero && !still;
    if (!mustLeave && now - this.#lastHandOverMs < limits.handOverMs) return true;
    if (this.#isInTheWay(index, !facts.onSlotZero && still, now)) return await this.#stepAside(index);
    if (this.#isTooLarge(index, now)) return await this.#stepAside(index);
    return await this.#startHandOver(facts.onSlotZero && still);
  }

  #isLongRest(): boolean {
    return this.#clock.monotonicMs() - this.#restingSinceMs > LONG_REST_MS;
  }

  /**
   * Whether an application's checkpoint waits for the very slot that our holds share. With nothing new to read, every next
   * hold lands on the slot of the one before, so handing over never frees it; what remains is to let go for a moment.
   */
  #isInTheWay(index: WalIndexHeader, isUpToDate: boolean, now: number): boolean {
    const isRunning = isUpToDate && index.backfilled < index.mxFrame && this.#open.walIndex.isCheckpointRunning();
    if (!isRunning) this.#checkpointSeenMs = undefined;
    else this.#checkpointSeenMs ??= now;
    const seenMs = this.#checkpointSeenMs;
    return seenMs !== undefined && now - seenMs >= limits.handOverMs && this.#shadow.isSynced &&
      this.#follower.isCaughtUp(index);
  }

  /** Beyond the limit the application gets its chance to restart the WAL itself, whatever keeps our own checkpoints from it. */
  #isTooLarge(index: WalIndexHeader, now: number): boolean {
    const bytes = index.mxFrame * frameSize(index.pageSize);
    const isDue = bytes > this.#maxWalSizeBytes && now - this.#lastTooLargeMs > TOO_LARGE_EVERY_MS &&
      this.#shadow.isSynced && this.#follower.isCaughtUp(index);
    if (!isDue) return false;
    this.#lastTooLargeMs = now;
    this.#log.warn("The WAL is larger than max-wal-size; letting go of it for a moment", { bytes });
    return true;
  }

  /** Lets go of the WAL until the checkpoint has had its way, and proves afterwards that nothing was missed. False on doubt. */
  async #stepAside(before: WalIndexHeader): Promise<boolean> {
    const { hold, walIndex } = this.#open;
    const start = this.#clock.monotonicMs();
    this.#checkpointSeenMs = undefined;
    hold.release();
    while (this.#clock.monotonicMs() - start < STEP_ASIDE_MAX_MS) {
      await this.#clock.sleep(1);
      const now = walIndex.read();
      if (now === undefined) continue;
      const hasMoved = now.changeCounter !== before.changeCounter || !equalSalts(now.salt, before.salt);
      if (hasMoved || now.backfilled >= now.mxFrame) break;
    }
    await this.takeAgain();
    return this.#follower.bridge(before, walIndex.read());
  }

  /** After the hold was let go. */
  async takeAgain(): Promise<void> {
    for (const start = this.#clock.monotonicMs();;) {
      try {
        this.#open.hold.take();
        this.noteTaken();
        return;
      } catch (error) {
        const isBusy = error instanceof SqliteError ? error.isBusy : isRetryable(error);
        if (!isBusy || this.#clock.monotonicMs() - start > TAKE_AGAIN_MAX_MS) throw error;
        await this.#clock.sleep(1);
      }
    }
  }

  /** Closes all our connections and takes the hold anew, while the caller keeps an empty WAL from being restarted or cut. */
  async renew(): Promise<void> {
    const { hold } = this.#open;
    const before = hold.facts;
    for (const connection of hold.surrender()) connection.close();
    await this.takeAgain();
    if (hold.facts?.mark === 0) this.#resting.continueUnder(before, hold.facts);
  }

  /** Hands over, unless the present hold is up to date and a next one could not land on slot 0 either. */
  async handOver(): Promise<boolean> {
    await this.#handOver;
    const index = this.#open.walIndex.read();
    const facts = this.#open.hold.facts;
    const isUpToDate = index !== undefined && facts !== undefined && index.mxFrame === facts.mark &&
      equalSalts(index.salt, facts.salt) && index.backfilled < index.mxFrame;
    if (isUpToDate) return true;
    if (!await this.#startHandOver(false)) return false;
    await this.#handOver;
    return this.failIfBroken();
  }

  /** One more look, and the hand-over that may be due, to its end. False on doubt. */
  async pump(): Promise<boolean> {
    if (await this.#follower.captureCommitted() === false) return false;
    await this.#handOver;
    if (!await this.maintain()) return false;
    await this.#handOver;
    return this.failIfBroken();
  }

  /** Opens the next hold and captures to its mark; the old hold goes when that is durable, which is not waited for. */
  async #startHandOver(wasAtRest: boolean): Promise<boolean> {
    this.#lastHandOverMs = this.#clock.monotonicMs();
    if (!this.#follower.agreesWithSqlite()) return false;
    const { hold } = this.#open;
    const next = hold.openNext();
    if (next === undefined) return true;
    try {
      if (!await this.#follower.captureTo(next)) {
        hold.abandonNext();
        return false;
      }
    } catch (error) {
      hold.abandonNext();
      throw error;
    }
    const finish = () => {
      this.#resting.handOver(hold.facts, next);
      hold.releaseOld(next);
      const stillAtRest = wasAtRest && next.onSlotZero;
      if (stillAtRest && !this.#restConfirmed) {
        this.#restingSinceMs = this.#clock.monotonicMs();
        this.#isLongRestTaken = false;
        this.#resting.begin();
      }
      this.#restConfirmed = stillAtRest;
    };
    if (this.#shadow.isSynced) {
      finish();
      return true;
    }
    this.#handOver = this.#shadow.sync().then(finish, (error) => {
      hold.abandonNext();
      this.#failure = error;
    }).finally(() => this.#handOver = undefined);
    return true;
  }
}
