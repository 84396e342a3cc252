/**
 * Appending again what a replica may hold already: an append that failed may have taken effect nevertheless, in part or
 * whole. Bytes that are held are written again only after they were found equal, so nothing that counts ever changes.
 */
import { assert } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import type { Offset } from "../position/position.ts";
import type { CommitLogEnd } from "./commit_log.ts";
import { COMMIT_RECORD_SIZE, type CommitRecord } from "./commit_record.ts";
import type { WalPieces } from "./generation_store.ts";
import type { ReadWal } from "./last_commit.ts";

/** What the records of an index say before an append from `start` on. */
export interface HeldRecords {
  /** So much of the `.commits` file speaks of what lies before `start`, and stays. */
  readonly keptBytes: number;
  /** The records from `start` on: the append gives them again, or more. */
  readonly again: readonly CommitRecord[];
}

/**
 * Divides the records of an index at `start`; undefined when none of them ends there. A closing record that stands at
 * `start` is among those given again. `end` is what reading from the end of the records gave: it knows of records behind
 * a damaged one.
 */
export function divideHeld(
  records: Iterable<CommitRecord>,
  end: CommitLogEnd,
  start: Offset,
): HeldRecords | undefined {
  if (start === 0) return { keptBytes: 0, again: [...records] };
  let [kept, isFound] = [0, false];
  const again: CommitRecord[] = [];
  for (const record of records) {
    if (isFound) again.push(record);
    else kept++;
    if (record.end === start) isFound = true;
  }
  if (isFound) return { keptBytes: kept * COMMIT_RECORD_SIZE, again };
  const { lastRecord, validBytes } = end;
  if (lastRecord === undefined) return { keptBytes: 0, again: [] };
  if (lastRecord.end !== start) return undefined;
  return lastRecord.indexClosed
    ? { keptBytes: validBytes - COMMIT_RECORD_SIZE, again: [lastRecord] }
    : { keptBytes: validBytes, again: [] };
}

/** Counts the bytes that pass, and refuses those that differ from what the replica holds below `heldEnd`. */
export class CheckedPieces {
  readonly #wal: WalPieces;
  readonly #walKey: string;
  readonly #heldEnd: number;
  readonly #readHeld: ReadWal;
  #at: number;

  constructor(wal: WalPieces, walKey: string, start: Offset, heldEnd: number, readHeld: ReadWal) {
    this.#wal = wal;
    this.#walKey = walKey;
    this.#at = start;
    this.#heldEnd = heldEnd;
    this.#readHeld = readHeld;
  }

  /** Where the bytes given so far end. */
  get end(): number {
    return this.#at;
  }

  async next(): Promise<Uint8Array> {
    const piece = await this.#wal.next();
    const overlap = piece.subarray(0, Math.max(0, Math.min(piece.length, this.#heldEnd - this.#at)));
    if (overlap.length > 0) {
      const held = new Uint8Array(overlap.length);
      await this.#readHeld(this.#at, held);
      if (!equalBytes(held, overlap)) {
        throw new ReplicationError(
          "corrupt",
          `Cannot append to ${this.#walKey} at byte ${this.#at}: the replica holds other bytes there, up to byte ` +
            `${this.#heldEnd} (expected the same history)`,
        );
      }
    }
    this.#at += piece.length;
    return piece;
  }
}

/** The records to write from the slot after `before` on. What is held beyond what is given now is kept. */
export function recordsToWrite(held: HeldRecords, given: readonly CommitRecord[]): readonly CommitRecord[] {
  const heldLast = held.again.at(-1);
  const givenLast = given.at(-1);
  if (heldLast === undefined || givenLast === undefined) return given;
  if (heldLast.end > givenLast.end || (heldLast.indexClosed && heldLast.end === givenLast.end)) return held.again;
  return given;
}

/** The same truth that a reader checks: contiguous from `start`, up to where the bytes end, none after a closing one. */
export function assertContiguous(records: readonly CommitRecord[], start: Offset, end: number): void {
  assert(records.length > 0, "an append brings at least one record");
  let at: number = start;
  records.forEach((record, slot) => {
    assert(record.start === at && record.end >= at, "a record starts where the one before ended");
    assert(
      !record.indexClosed || (record.start === record.end && slot === records.length - 1),
      "a closing record is last",
    );
    at = record.end;
  });
  assert(at === end, "the records end where the bytes end");
}
