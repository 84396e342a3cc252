/**
 * The checkpoint cycle: copies the WAL into the database file so that the application's next commit restarts it. It never
 * writes a byte of its own, never waits on a lock, and never asks for RESTART or TRUNCATE.
 */
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import { isSameTrouble } from "../platform/file_error.ts";
import { SqliteError } from "../sqlite/driver.ts";
import { decideCopyPlace, isSlowCopy } from "./copy_place.ts";
import { type CheckpointResult, NOTHING_COPIED, passiveCheckpoint, type ReadHold } from "./read_hold.ts";

export type CheckpointOutcome =
  /** Everything is copied; the next commit restarts the WAL unless another reader keeps it. */
  | { readonly kind: "complete" }
  /** `mayPassSoon`: the next moment may do; else an old reader is in the way. */
  | { readonly kind: "incomplete"; readonly reason: string; readonly mayPassSoon: boolean }
  | { readonly kind: "doubt"; readonly reason: string };

/** What the cycle asks of its database. `capture` calls return false on doubt, which they have noted. */
export interface CheckpointWork {
  readonly hold: ReadHold;
  /** Frames captured of the present life, and whether that is all of it. */
  captured(): number;
  /** Captures what is committed, hands over when that is due; other work gets its turn. */
  pump(): Promise<boolean>;
  /** Captures, makes durable and hands over now. */
  handOver(): Promise<boolean>;
  /** Under the pause: captures to mxFrame and makes it durable, blocking. "unclear": the wal-index could not be read. */
  captureNow(): "captured" | "unclear" | "doubt";
  tailBytes(): number;
  /** Has on stable storage by now what must be there before the end of the pause, as far as it goes. */
  syncAhead(): Promise<void>;
  /** Runs a PASSIVE checkpoint off the event loop. */
  readonly copyBeside: () => Promise<CheckpointResult>;
  /** Frames that a checkpoint would have to copy into the database file, and the size of their pages. */
  uncopiedFrames(): number;
  uncopiedBytes(): number;
  /** All of the WAL was copied just now. */
  noteCopied(): void;
}

/** One try at the write lock keeps the loop busy this long, then everything else has a turn. */
const BURST_MS = 5;
const BURST_AFTER_REFUSAL_MS = 25;
/** The lock is waited for (which costs nobody anything) this long, then again at the next cycle. */
const PATIENCE_MS = 2_000;
/** Under the pause at most so many frames are copied: some 20 ms. */
const PAUSED_FRAMES_MAX = 4_000;
const PUMP_MS = 2;

export class Checkpointer {
  readonly #work: CheckpointWork;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #lockBudgetMs: number;
  #tailMaxBytes: number = limits.pauseTailMaxBytes;
  #isDeviceSlow = false;
  /** Why the last copy beside the loop failed. */
  #trouble: string | undefined;
  #pauseEndedMs = -Infinity;

  constructor(work: CheckpointWork, clock: Clock, log: Logger, lockBudgetMs: number) {
    this.#work = work;
    this.#clock = clock;
    this.#log = log;
    this.#lockBudgetMs = lockBudgetMs;
  }

  get msSincePause(): number {
    return this.#clock.monotonicMs() - this.#pauseEndedMs;
  }

  /** With `mayPause` writers are held up for a moment if it cannot be done without. */
  async run(mayPause: boolean, signal: AbortSignal): Promise<CheckpointOutcome> {
    const result = await this.#copy();
    if (result === undefined) return doubt();
    if (isComplete(result, this.#work.captured())) {
      this.#work.noteCopied();
      return await this.#work.handOver() ? { kind: "complete" } : doubt();
    }
    if (!mayPause) return incomplete(result);
    const paused = await this.#pause(signal);
    if (paused !== "paused") return paused;
    return this.#copyUnderPause();
  }

  /** Brings the hold's mark up to date and copies up to there, while everybody goes on. Undefined on doubt. */
  async #copy(isHurried = false): Promise<CheckpointResult | undefined> {
    if (!await this.#work.handOver()) return undefined;
    if (this.#work.hold.isHeldUp) return NOTHING_COPIED;
    const start = this.#clock.monotonicMs();
    const bytes = this.#work.uncopiedBytes();
    try {
      const place = decideCopyPlace({ bytes, isHurried, isDeviceSlow: this.#isDeviceSlow });
      if (place === "beside") return await this.#copyBeside();
      const copied = passiveCheckpoint(this.#work.hold.free);
      this.#say(undefined);
      return copied;
    } finally {
      this.#isDeviceSlow = isSlowCopy(bytes, this.#clock.monotonicMs() - start);
    }
  }

  /** A copy may take seconds: the hold goes on moving and transactions go on being captured meanwhile. */
  async #copyBeside(): Promise<CheckpointResult | undefined> {
    let isDone = false;
    const result = this.#work.copyBeside().then((copied) => {
      this.#say(undefined);
      return copied;
    }, (error) => {
      this.#say(messageOf(error));
      return NOTHING_COPIED;
    }).finally(() => isDone = true);
    let isSound = true;
    try {
      while (!isDone) {
        isSound &&= await this.#work.pump();
        await this.#clock.sleep(PUMP_MS);
      }
    } finally {
      await result; // Closing our descriptors of the database before it has ended would take its locks from it.
    }
    return isSound ? await result : undefined;
  }

  /** It is tried again and again: what is wrong is said once, and when that is over. */
  #say(trouble: string | undefined): void {
    const before = this.#trouble;
    this.#trouble = trouble;
    if (trouble === undefined && before !== undefined) this.#log.info("Checkpoints succeed again");
    if (trouble === undefined || isSameTrouble(trouble, before)) return;
    this.#log.warn("A checkpoint failed and is tried again", { reason: trouble });
  }

  /** Takes the write lock on the free connection. On "paused" the caller must end it, without awaiting anything before. */
  async #pause(signal: AbortSignal): Promise<"paused" | CheckpointOutcome> {
    const start = this.#clock.monotonicMs();
    let burstMs = BURST_MS;
    let isAhead = false;
    while (this.#clock.monotonicMs() - start < PATIENCE_MS && !signal.aborted) {
      if (!await this.#work.pump()) return doubt();
      if (this.#work.uncopiedFrames() > PAUSED_FRAMES_MAX) {
        if (await this.#copy(true) === undefined) return doubt();
      } else if (!isAhead) {
        await this.#work.syncAhead(); // Once: with each sync more is written, and the WAL would never be whole in the file.
        isAhead = true;
      } else if (this.#work.tailBytes() <= this.#tailMaxBytes && this.#tryToPause(burstMs)) return "paused";
      burstMs = BURST_AFTER_REFUSAL_MS;
      await this.#clock.sleep(1);
    }
    return { kind: "incomplete", reason: "the write lock was not free", mayPassSoon: true };
  }

  #tryToPause(burstMs: number): boolean {
    const start = this.#clock.monotonicMs();
    if (this.#work.hold.isHeldUp) return false;
    const connection = this.#work.hold.free;
    do {
      try {
        connection.execute("BEGIN IMMEDIATE");
        return true;
      } catch (error) {
        if (!(error instanceof SqliteError) || !error.isBusy) throw error;
      }
    } while (this.#clock.monotonicMs() - start < burstMs);
    return false;
  }

  /** From the granted lock to its end nothing is awaited: other work would run while the application is held up. */
  #copyUnderPause(): CheckpointOutcome {
    const start = this.#clock.monotonicMs();
    const pausing = this.#work.hold.free;
    try {
      const captured = this.#work.captureNow();
      if (captured === "doubt") return doubt();
      if (captured === "unclear") {
        return { kind: "incomplete", reason: "the wal-index was being written", mayPassSoon: true };
      }
      const { result } = this.#work.hold.checkpointUnderPause();
      return isComplete(result, this.#work.captured()) ? { kind: "complete" } : incomplete(result);
    } finally {
      pausing.execute("ROLLBACK");
      this.#pauseEndedMs = this.#clock.monotonicMs();
      this.#judgeHold(this.#pauseEndedMs - start);
    }
  }

  #judgeHold(heldMs: number): void {
    const rounded = Math.round(heldMs * 10) / 10;
    this.#log.debug("Held the write lock", { ms: rounded });
    if (heldMs <= this.#lockBudgetMs) {
      this.#tailMaxBytes = Math.min(limits.pauseTailMaxBytes, this.#tailMaxBytes * 2);
      return;
    }
    this.#tailMaxBytes = Math.max(1 << 16, this.#tailMaxBytes / 4);
    this.#log.warn("The write lock was held longer than the budget", { ms: rounded, budget_ms: this.#lockBudgetMs });
  }
}

function isComplete(result: CheckpointResult, captured: number): boolean {
  return !result.busy && result.log === result.checkpointed && result.log === captured;
}

function incomplete(result: CheckpointResult): CheckpointOutcome {
  const reason = result.log < 0
    ? "another connection is running a checkpoint"
    : result.checkpointed < result.log
    ? `a reader needs frame ${result.checkpointed} of ${result.log}`
    : "more was written meanwhile";
  return { kind: "incomplete", reason, mayPassSoon: result.log < 0 || result.checkpointed === result.log };
}

function doubt(): CheckpointOutcome {
  return { kind: "doubt", reason: "capture met a doubt" };
}
