/**
 * Appends WAL to an index of the `raw` layout: the bytes to its `.wal`, then, once they are durable, records of them to its
 * `.commits`. What an append that failed may have left is written again, never passed over.
 */
import { assert } from "../base/assert.ts";
import { ReplicationError } from "../base/errors.ts";
import type { AppendPlace, ReplicaClient } from "../clients/client.ts";
import { asOffset, type Offset } from "../position/position.ts";
import { type CommitLogObjects, readCommitLog, readCommitLogEnd } from "./commit_log.ts";
import { type CommitRecord, formatCommitRecords } from "./commit_record.ts";
import type { WalPieces } from "./generation_store.ts";
import { assertContiguous, CheckedPieces, divideHeld, type HeldRecords, recordsToWrite } from "./held_wal.ts";
import { readCommitSize, type ReadWal } from "./last_commit.ts";

/** The end of the `.commits` file after an append of ours, so that the next one need not read it. */
interface AppendedEnd {
  readonly commitsKey: string;
  readonly end: Offset;
  readonly sizeBytes: number;
}

interface Appended {
  readonly records: readonly CommitRecord[];
  /** Of the `.commits` file. */
  readonly sizeBytes: number;
}

export class RawAppender {
  readonly #client: ReplicaClient;
  #appended: AppendedEnd | undefined;

  constructor(client: ReplicaClient) {
    this.#client = client;
  }

  /** Somebody changes what stands there: the next append looks. */
  forget(): void {
    this.#appended = undefined;
  }

  async append(objects: CommitLogObjects, start: Offset, wal: WalPieces): Promise<void> {
    const { walKey, commitsKey } = objects;
    const read: ReadWal = (at, into) => this.#client.read(walKey, at, into);
    const appended = this.#appended;
    this.#appended = undefined; // Until this append has succeeded nothing is known.
    const known = appended?.commitsKey === commitsKey && appended.end === start ? appended.sizeBytes : undefined;
    if (known === undefined) await this.#client.occupy?.(walKey); // What the records say stays so.
    const held = known === undefined ? await this.#heldRecords(objects, start) : { keptBytes: known, again: [] };
    const pieces = new CheckedPieces(wal, walKey, start, held.again.at(-1)?.end ?? start, read);
    const given = async () => {
      const captured = wal.records();
      assertContiguous(captured, start, pieces.end);
      const [first] = captured;
      const isAdoption = start > 0 && held.keptBytes === 0 && first !== undefined;
      return recordsToWrite(held, isAdoption ? [await adopted(read, start, first), ...captured] : captured);
    };
    const { records, sizeBytes } = known === undefined
      ? await this.#appendInTurn(objects, start, pieces, held.keptBytes, given)
      : await this.#appendAtOnce(objects, start, pieces, held.keptBytes, given);
    this.#appended = { commitsKey, end: records.at(-1)?.end ?? asOffset(0), sizeBytes };
  }

  async #appendInTurn(
    objects: CommitLogObjects,
    start: Offset,
    pieces: CheckedPieces,
    keptBytes: number,
    given: () => Promise<readonly CommitRecord[]>,
  ): Promise<Appended> {
    const { walKey, commitsKey, sizeOf } = objects;
    await this.#appendPieces(walKey, start, pieces);
    await expectThere(objects, walKey, pieces.end);
    const records = await given();
    const bytes = formatCommitRecords(records, objects.home);
    if (await sizeOf(commitsKey) <= keptBytes) {
      await this.#appendBytes(commitsKey, keptBytes, () => bytes);
    } else { // Torn or repeated records stand there; appending could leave some of them behind the new ones.
      const whole = new Uint8Array(keptBytes + bytes.length);
      await this.#client.read(commitsKey, 0, whole.subarray(0, keptBytes));
      whole.set(bytes, keptBytes);
      await this.#client.write(commitsKey, once(() => whole));
    }
    return { records, sizeBytes: keptBytes + bytes.length };
  }

  /**
   * Where the last append was ours both files are looked up and opened at once, before anything is written to either: what is
   * written to them later is on one device, whatever becomes of their names meanwhile.
   */
  async #appendAtOnce(
    { walKey, commitsKey, home }: CommitLogObjects,
    start: Offset,
    pieces: CheckedPieces,
    keptBytes: number,
    given: () => Promise<readonly CommitRecord[]>,
  ): Promise<Appended> {
    const looked = Promise.withResolvers<void>();
    looked.promise.catch(() => {}); // What was wrong is told by the append of the records.
    const written = this.#appendPieces(walKey, start, pieces, looked.promise);
    let records: readonly CommitRecord[] = [];
    let bytes: Uint8Array = NOTHING;
    const make = async () => {
      looked.resolve();
      await written;
      records = await given();
      return bytes = formatCommitRecords(records, home);
    };
    const recorded = this.#appendBytes(commitsKey, keptBytes, make, "its-end");
    recorded.catch(looked.reject);
    await bothInOrder(recorded, written);
    return { records, sizeBytes: keptBytes + bytes.length };
  }

  /** No byte of it is asked for before `ready`. */
  async #appendPieces(walKey: string, start: Offset, pieces: CheckedPieces, ready?: Promise<void>): Promise<void> {
    assert(this.#client.append !== undefined, "the raw layout is kept on a device that can append");
    let piece = await pieces.next();
    if (piece.length === 0) return await ready;
    await this.#client.append(walKey, start, async () => {
      await ready;
      const next = piece;
      if (next.length > 0) piece = NOTHING;
      return next.length > 0 ? next : await pieces.next();
    });
  }

  async #appendBytes(
    key: string,
    offset: number,
    make: () => Uint8Array | Promise<Uint8Array>,
    at: AppendPlace = "anywhere",
  ): Promise<void> {
    assert(this.#client.append !== undefined, "the raw layout is kept on a device that can append");
    await this.#client.append(key, offset, once(make), at);
  }

  async #heldRecords(objects: CommitLogObjects, start: Offset): Promise<HeldRecords> {
    const records = await readCommitLog(this.#client, objects);
    const end = await readCommitLogEnd(this.#client, objects);
    if (end.isForeign === true) {
      throw new ReplicationError("corrupt", `Cannot append to ${objects.walKey}: ${end.recordProblem}`);
    }
    const held = divideHeld(records, end, start);
    if (held !== undefined) return held;
    throw new ReplicationError(
      "gap",
      `Cannot append to ${objects.walKey} from offset ${start}: the records there end at ${end.lastRecord?.end} and ` +
        `none ends at ${start} (expected to go on where a record ended)`,
    );
  }
}

const NOTHING = new Uint8Array(0);

/** A root that vanished under a write must not come back with records of bytes that are elsewhere. */
export async function expectThere(
  { sizeOf }: Pick<CommitLogObjects, "sizeOf">,
  key: string,
  sizeBytes: number,
): Promise<void> {
  const size = await sizeOf(key);
  if (size >= sizeBytes) return;
  throw new ReplicationError(
    "unavailable",
    `Cannot record what was written to ${key}: it has ${size} bytes (expected at least ${sizeBytes})`,
  );
}

/**
 * The first record of an index starts at 0. Where the `.wal` was there but no record was (a crash between the two), one
 * more record speaks of those bytes.
 */
async function adopted(read: ReadWal, start: Offset, next: CommitRecord): Promise<CommitRecord> {
  const databasePages = await readCommitSize(read, start, next.pageSize) ?? 0;
  const { pageSize, capturedAtMs } = next;
  return {
    kind: "sync",
    pageSize,
    start: asOffset(0),
    end: start,
    capturedAtMs,
    databasePages,
    capturedLate: true,
    indexClosed: false,
  };
}

/** What `write` and `append` ask for: the bytes, then nothing more. */
export function once(make: () => Uint8Array | Promise<Uint8Array>): () => Promise<Uint8Array> {
  let isMade = false;
  return async () => {
    if (isMade) return NOTHING;
    isMade = true;
    return await make();
  };
}

/** Waits for both; when both failed, the first says why. */
async function bothInOrder(first: Promise<void>, second: Promise<void>): Promise<void> {
  for (const outcome of await Promise.allSettled([first, second])) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
