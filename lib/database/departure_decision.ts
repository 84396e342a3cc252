/** What is due after the application's last close. PURE. */
export interface DepartureFacts {
  /** Nobody else has the database open; false also where that cannot be told. */
  readonly isAlone: boolean;
  /** For so long that has been so, with nothing committed meanwhile. */
  readonly msAlone: number;
  /** Frames in the WAL, and how many of them stand in the database file. */
  readonly frames: number;
  readonly backfilled: number;
  /** The WAL is a file of 0 bytes. */
  readonly isEmpty: boolean;
  /** The wal-index knows no size of the database: whoever opens it asks the file. */
  readonly isBlank: boolean;
  readonly msSinceLastTry: number;
}

export type DepartureDecision = "nothing" | "copy" | "empty";

/** One copy after each close would have a database that is opened and closed all the time synced all the time. */
const COPY_EVERY_MS = 100;
/** Who closes and opens again at once does not meet us with the write lock. */
const EMPTY_AFTER_MS = 3;

export function decideDeparture(facts: DepartureFacts): DepartureDecision {
  if (!facts.isAlone || (facts.isEmpty && facts.isBlank)) return "nothing";
  if (facts.backfilled < facts.frames) return facts.msSinceLastTry >= COPY_EVERY_MS ? "copy" : "nothing";
  return facts.msAlone >= EMPTY_AFTER_MS ? "empty" : "nothing";
}
