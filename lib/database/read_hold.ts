/**
 * The read transaction that keeps others from restarting the WAL, moved hand over hand between two connections.
 *
 * A reader on slot 1 to 4 keeps everybody from restarting the WAL; one on slot 0 freezes the database file and permits one
 * restart, at the next commit. A new hold may land on slot 0, and frames after the old mark would then be lost: whoever
 * hands over captures to at least the new `mark`, makes that durable, and only then releases the old hold.
 */
import { assert } from "../base/assert.ts";
import { isRetryable, ReplicationError } from "../base/errors.ts";
import { type SqliteConnection, SqliteError } from "../sqlite/driver.ts";
import { equalChecksums } from "../wal/checksum.ts";
import { equalSalts, type Salt } from "../wal/salt.ts";
import type { WalIndex, WalIndexHeader } from "./wal_index.ts";

/** What was known when a hold was taken. */
export interface HoldFacts {
  /** mxFrame and salts as read after the hold's first read: everything up to there must be captured under it. */
  readonly mark: number;
  readonly salt: Salt;
  /** Whether it landed on slot 0, as far as can be told; wrong only at the end of another's checkpoint. */
  readonly onSlotZero: boolean;
}

/** Whether both keep the same frames, and so the same pages of the database file, from being changed. */
export function readsSameFrames(a: HoldFacts, b: HoldFacts): boolean {
  return a.mark === b.mark && equalSalts(a.salt, b.salt);
}

export interface CheckpointResult {
  readonly busy: boolean;
  /** Frames in the WAL and frames copied into the database file; -1 when somebody else was checkpointing. */
  readonly log: number;
  readonly checkpointed: number;
}

export const NOTHING_COPIED: CheckpointResult = { busy: true, log: -1, checkpointed: -1 };

export class ReadHold {
  readonly #open: () => SqliteConnection;
  readonly #walIndex: () => WalIndex;
  #isIndexThere = false;
  #holding: SqliteConnection | undefined;
  #free: SqliteConnection | undefined;
  /** Holds already, while `#holding` still does. */
  #next: SqliteConnection | undefined;
  #facts: HoldFacts | undefined;

  /** `walIndex` is asked only once a first read has brought `-shm` into being. */
  constructor(open: () => SqliteConnection, walIndex: () => WalIndex) {
    this.#open = open;
    this.#walIndex = walIndex;
  }

  /** Between `openNext` and its end both connections are in a transaction. */
  get isHandingOver(): boolean {
    return this.#next !== undefined;
  }

  get facts(): HoldFacts | undefined {
    return this.#facts;
  }

  /** Whether a connection that reads now would keep the event loop waiting. Where there is no wal-index yet, nobody does. */
  get isHeldUp(): boolean {
    return this.#isIndexThere && this.#walIndex().isHeldUp();
  }

  /** A connection outside any transaction. */
  get free(): SqliteConnection {
    return this.#free ??= this.#open();
  }

  /** The first hold. Throws when the database cannot be read. */
  take(): HoldFacts {
    assert(this.#holding === undefined, "only one first hold is taken");
    const { connection, facts } = this.#begin();
    this.#holding = connection;
    this.#free = undefined;
    this.#facts = facts;
    return facts;
  }

  /** Opens the next hold beside the present one; undefined when SQLite is busy, and the present one stays. */
  openNext(): HoldFacts | undefined {
    assert(this.#next === undefined, "one hand-over at a time");
    const begun = this.#tryBegin();
    if (begun === undefined) return undefined;
    this.#next = begun.connection;
    this.#free = undefined;
    return begun.facts;
  }

  /** Ends the hand-over: everything up to the next hold's mark is captured and durable, so the old hold may go. */
  releaseOld(facts: HoldFacts): void {
    assert(this.#next !== undefined, "the next hold is open");
    this.#holding?.execute("ROLLBACK");
    this.#free = this.#holding;
    this.#holding = this.#next;
    this.#next = undefined;
    this.#facts = facts;
  }

  /** Gives the hand-over up; the old hold stays. */
  abandonNext(): void {
    this.#next?.execute("ROLLBACK");
    this.#free = this.#next;
    this.#next = undefined;
  }

  /** Lets go of the WAL. Whatever was not captured may be gone from now on. */
  release(): void {
    if (this.#next !== undefined) this.abandonNext();
    this.#holding?.execute("ROLLBACK");
    if (this.#free === undefined) this.#free = this.#holding;
    else this.#holding?.close();
    this.#holding = undefined;
    this.#facts = undefined;
  }

  /**
   * With writers paused by `pause` on the free connection: releases the hold, copies the WAL into the database file, and
   * takes the next hold. The next hold is taken whatever happens in between.
   */
  checkpointUnderPause(): { readonly result: CheckpointResult; readonly facts: HoldFacts } {
    const connection = this.#holding;
    assert(connection !== undefined && this.#facts !== undefined, "a hold is there");
    if (this.isHeldUp) return { result: NOTHING_COPIED, facts: this.#facts };
    connection.execute("ROLLBACK");
    let result = NOTHING_COPIED;
    let failure: unknown;
    try {
      result = passiveCheckpoint(connection);
    } catch (error) {
      failure = error;
    }
    this.#facts = this.#beginOn(connection);
    if (failure !== undefined) throw failure;
    return { result, facts: this.#facts };
  }

  /** Closes the connection that is not holding, so that an idle database costs one. */
  closeFree(): void {
    this.#free?.close();
    this.#free = undefined;
  }

  /** Every connection, given up to the caller, with the hold let go. */
  surrender(): SqliteConnection[] {
    const inTransaction = [this.#holding, this.#next].filter((connection) => connection !== undefined);
    const all = this.#free === undefined ? inTransaction : [...inTransaction, this.#free];
    for (const connection of inTransaction) {
      try {
        connection.execute("ROLLBACK");
      } catch {
        // A connection that cannot even roll back holds nothing any more; it is still handed over.
      }
    }
    this.#holding = undefined;
    this.#next = undefined;
    this.#free = undefined;
    this.#facts = undefined;
    return all;
  }

  #tryBegin() {
    try {
      return this.#begin();
    } catch (error) {
      if (error instanceof SqliteError ? error.isBusy : isRetryable(error)) return undefined;
      throw error;
    }
  }

  #begin(): { connection: SqliteConnection; facts: HoldFacts } {
    const connection = this.free;
    return { connection, facts: this.#beginOn(connection) };
  }

  #beginOn(connection: SqliteConnection): HoldFacts {
    if (this.isHeldUp) {
      throw new ReplicationError("unavailable", "Cannot read the database: its wal-index is held by another process");
    }
    const before = this.#facts === undefined ? undefined : this.#walIndex().read();
    connection.execute("BEGIN");
    try {
      connection.values("PRAGMA user_version"); // BEGIN alone holds nothing.
      const after = this.#walIndex().read();
      this.#isIndexThere = true;
      if (after === undefined) throw new ReplicationError("busy", "Cannot read the wal-index: it is being written");
      return { mark: after.mxFrame, salt: after.salt, onSlotZero: isOnSlotZero(before, after) };
    } catch (error) {
      connection.execute("ROLLBACK");
      throw error;
    }
  }
}

function isOnSlotZero(before: WalIndexHeader | undefined, after: WalIndexHeader): boolean {
  return before !== undefined && before.backfilled === before.mxFrame && after.backfilled === after.mxFrame &&
    before.mxFrame === after.mxFrame && equalSalts(before.salt, after.salt) &&
    equalChecksums(before.checksum, after.checksum);
}

/** Copies what can be copied without waiting for anybody. The connection must be outside a transaction. */
export function passiveCheckpoint(connection: SqliteConnection): CheckpointResult {
  return checkpointRow(connection.values("PRAGMA wal_checkpoint(PASSIVE)"));
}

/**
 * Empties a WAL, and copies first what was not copied. It takes the write lock for that, and the slots of readers; where
 * somebody has one of them it is `busy` and nothing was emptied. Only for a database that nobody else has open.
 */
export function truncatingCheckpoint(connection: SqliteConnection): CheckpointResult {
  return checkpointRow(connection.values("PRAGMA wal_checkpoint(TRUNCATE)"));
}

/** Looks without copying: frames in the WAL and frames copied, straight from SQLite. */
export function noopCheckpoint(connection: SqliteConnection): CheckpointResult {
  return checkpointRow(connection.values("PRAGMA wal_checkpoint(NOOP)"));
}

export function checkpointRow(row: readonly unknown[] | undefined): CheckpointResult {
  const [busy = 1, log = -1, checkpointed = -1] = (row ?? []).map(Number);
  return { busy: busy !== 0, log, checkpointed };
}
