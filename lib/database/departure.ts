/**
 * After the application's last close. Without us SQLite would have copied the WAL into the database file and deleted it; with
 * us it cannot, since we have the database open. What follows has the same effect for whoever then copies the database,
 * deletes `-wal` and `-shm`, or puts another file in its place:
 *
 *   1. A checkpoint copies what was not copied (`Checkpointer`).
 *   2. SQLite empties the WAL. Nothing of it is needed any more, and nobody is there to be held up.
 *   3. Our connections are closed and opened anew. The first one to open makes the wal-index anew, from an empty WAL, and such
 *      a one says nothing about the database's size. The one from before does, and goes on doing so for a larger file that
 *      was put in its place, whose pages beyond that size SQLite would call malformed.
 *
 * Between closing and opening a lock without a connection keeps all that is committed in the WAL (`keepWal()`): whoever comes
 * in that moment is captured from his first frame on.
 */
import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { equalSalts, type Salt } from "../wal/salt.ts";
import { decideDeparture } from "./departure_decision.ts";
import type { Follower } from "./follower.ts";
import type { HoldKeeper } from "./hold_keeper.ts";
import type { OpenDatabase } from "./open_database.ts";
import { isAlone, keepWal } from "./presence.ts";
import { truncatingCheckpoint } from "./read_hold.ts";
import { lookOf } from "./still_file.ts";
import type { WalIndexHeader } from "./wal_index.ts";

/** Between the application's last close and an empty WAL. */
const LOOK_MS = 1;
/** What is tried without success is tried again after this long, twice as long each time. */
const RETRY_MIN_MS = 20;
const RETRY_MAX_MS = 5_000;

export class Departure {
  readonly #open: OpenDatabase;
  readonly #follower: Follower;
  readonly #keeper: HoldKeeper;
  readonly #files: FileSystem;
  readonly #clock: Clock;
  readonly #isDurable: () => boolean;
  #aloneSinceMs: number | undefined;
  /** The database file while frames of this life waited to be copied into it. */
  #uncopied: { readonly look: string; readonly backfilled: number; readonly salt: Salt } | undefined;
  #changeCounter = 0;
  #lastTryMs = -Infinity;
  #notBeforeMs = -Infinity;
  #retryMs = RETRY_MIN_MS;

  /** `isDurable`: all that is captured is on stable storage. */
  constructor(
    open: OpenDatabase,
    follower: Follower,
    keeper: HoldKeeper,
    { files, clock }: { readonly files: FileSystem; readonly clock: Clock },
    isDurable: () => boolean,
  ) {
    this.#files = files;
    this.#open = open;
    this.#follower = follower;
    this.#keeper = keeper;
    this.#clock = clock;
    this.#isDurable = isDurable;
  }

  /** Whether something is left to be done as soon as nobody comes back. */
  get isUnderWay(): boolean {
    return this.#aloneSinceMs !== undefined;
  }

  /** When that is worth a look; undefined when nothing is left. */
  get nextLookMs(): number | undefined {
    if (!this.isUnderWay) return undefined;
    return Math.max(LOOK_MS, this.#notBeforeMs - this.#clock.monotonicMs());
  }

  /** One look; `copy` checkpoints, without holding anybody up. False on doubt. */
  async look(copy: () => Promise<void>): Promise<boolean> {
    const index = this.#open.walIndex.read();
    if (index === undefined) return true;
    const now = this.#clock.monotonicMs();
    const isEmpty = this.#open.walFile.size() === 0;
    const isBlank = index.databasePages === 0;
    const isThere = (isEmpty && isBlank) || !isAlone(this.#open);
    if (isThere) this.#noteCompany();
    else if (index.changeCounter !== this.#changeCounter) this.#noteCompany(now); // Who was gone before we could look.
    else this.#aloneSinceMs ??= now;
    this.#changeCounter = index.changeCounter;
    if (this.#wasOverwritten(index)) return this.#follower.noteDoubt(`${this.#open.path} was overwritten in place`);
    if (this.#aloneSinceMs === undefined || now < this.#notBeforeMs) return true;
    const decision = decideDeparture({
      isAlone: true,
      msAlone: now - this.#aloneSinceMs,
      frames: index.mxFrame,
      backfilled: index.backfilled,
      isEmpty,
      isBlank,
      msSinceLastTry: now - this.#lastTryMs,
    });
    if (decision === "nothing") return true;
    if (decision === "empty") return await this.empty();
    this.#lastTryMs = now;
    this.#putOff();
    await copy();
    if (this.#readDone() !== undefined) this.#notBeforeMs = now;
    return true;
  }

  /** What was tried in vain before says nothing any more. `goneAtMs`: nobody is there any more. */
  #noteCompany(goneAtMs?: number): void {
    this.#aloneSinceMs = goneAtMs;
    this.#notBeforeMs = -Infinity;
    this.#retryMs = RETRY_MIN_MS;
  }

  #putOff(): void {
    this.#notBeforeMs = this.#clock.monotonicMs() + this.#retryMs;
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
  }

  /**
   * While frames wait to be copied the file changes by checkpoints alone, and they say so. Where it changed all the same as
   * the last one went, another database was copied over it before ours could copy what was left.
   */
  #wasOverwritten(index: WalIndexHeader): boolean {
    const before = this.#uncopied;
    this.#uncopied = undefined;
    if (index.backfilled >= index.mxFrame) return false;
    const look = lookOf(this.#files, this.#open.path);
    this.#uncopied = { look, backfilled: index.backfilled, salt: index.salt };
    if (before === undefined || this.#aloneSinceMs === undefined) return false;
    const isSame = before.backfilled === index.backfilled && equalSalts(before.salt, index.salt);
    return isSame && before.look !== look;
  }

  /** Empties a WAL of which all is captured and copied, if nobody else has the database open. False on doubt. */
  async empty(): Promise<boolean> {
    await this.#keeper.settle();
    this.#putOff();
    if (!this.truncate()) return this.#follower.doubt === undefined;
    return await this.#renew();
  }

  /** The same without opening anything anew, for a file that must not be read now. Whether the WAL is empty now. */
  truncate(): boolean {
    const before = this.#readDone();
    if (before === undefined) return false;
    if (this.#open.walFile.size() > 0) {
      if (truncatingCheckpoint(this.#open.hold.free).busy) return false;
    }
    // Whoever came in between has committed, and SQLite has copied and cut what was not captured.
    return this.#follower.bridge(before, this.#open.walIndex.read());
  }

  async #renew(): Promise<boolean> {
    if (await this.#follower.captureCommitted() === false) return false;
    const before = this.#readDone();
    const kept = before?.mxFrame === 0 ? keepWal(this.#open) : undefined;
    if (kept === undefined) return true;
    try {
      await this.#keeper.renew();
    } finally {
      kept.release();
    }
    return true;
  }

  /** The wal-index, if nobody else is there and everything is captured, durable and copied. */
  #readDone(): WalIndexHeader | undefined {
    const index = this.#open.walIndex.read();
    if (index === undefined || !this.#follower.isCaughtUp(index) || !this.#isDurable()) return undefined;
    if (index.mxFrame > 0 && index.backfilled < index.mxFrame) return undefined;
    return isAlone(this.#open) ? index : undefined;
  }
}
