/**
 * Whether the times of a generation's records are in order: none is earlier than the one before it, unless its writer says so
 * ("captured late"), as it does where a clock was put back; and none is of a year that nobody can mean. Versions that wrote
 * records of version 1 did not say so: one of those that goes back is odd, and proves nothing. PURE.
 */
import { limits } from "../base/limits.ts";
import { nameObject } from "../position/object_names.ts";
import type { Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { CommitRecords } from "../store/commit_records.ts";
import type { GenerationCatalog, WalEntry } from "../store/generation_store.ts";

interface Placed {
  readonly index: Index;
  readonly record: CommitRecord;
}

interface Snapshot {
  readonly key: string;
  readonly record: CommitRecord;
}

/** Who is told of an index what is not in order, a clause that names the object: once, and what is wrong before what is odd. */
export interface TimesTold {
  readonly wrong: (problem: string) => void;
  readonly odd: (problem: string) => void;
}

interface Found {
  readonly problem: string;
  readonly isWrong: boolean;
}

export class RecordTimes {
  readonly #catalog: GenerationCatalog;
  readonly #told: TimesTold;
  /** Of the index before, its last record. */
  #before: Placed | undefined;
  /** Snapshots of states at the end of the index before: the first commit behind them is in the next one. */
  #unfollowed: Snapshot[] = [];

  constructor(catalog: GenerationCatalog, told: TimesTold) {
    this.#catalog = catalog;
    this.#told = told;
  }

  /** The records of the next index in order. */
  take(entry: WalEntry, records: CommitRecords): void {
    const { index } = entry;
    const before = this.#before?.index === index - 1 ? this.#before : undefined;
    const last = records.at(-1);
    this.#before = undefined;
    if (entry.isPeers === true || last === undefined) return; // Times of files: Litestream wrote it.
    this.#before = { index, record: last };
    let odd: string | undefined;
    for (const { problem, isWrong } of this.#all(index, before, records)) {
      if (isWrong) return this.#told.wrong(problem);
      odd ??= problem;
    }
    if (odd !== undefined) this.#told.odd(odd);
  }

  *#all(index: Index, before: Placed | undefined, records: CommitRecords): Generator<Found> {
    const unfollowed = before === undefined ? [] : this.#unfollowed;
    this.#unfollowed = [];
    yield* this.#ofRecords(index, before, records);
    const [first] = records;
    for (const snapshot of unfollowed) if (first?.indexClosed === false) yield* this.#ofFollowed(snapshot, first);
    yield* this.#ofSnapshots(index, before, records);
  }

  *#ofRecords(index: Index, before: Placed | undefined, records: CommitRecords): Generator<Found> {
    const key = nameObject(this.#catalog, index, "commits");
    let earlier = before;
    for (const record of records) {
      const found = problemOf(`${key}: the record that ends at ${record.end}`, record, earlier?.record);
      if (found !== undefined) {
        const { problem, isWrong } = found;
        const isOfBefore = before !== undefined && earlier?.index === before.index;
        const where = isOfBefore ? `, the last one of ${nameObject(this.#catalog, before.index, "commits")}` : "";
        yield { problem: `${problem}${where})`, isWrong };
      }
      earlier = { index, record };
    }
  }

  /** Of the snapshots of states in this index: not earlier than the record before, nor much later than the one behind. */
  *#ofSnapshots(index: Index, before: Placed | undefined, records: CommitRecords): Generator<Found> {
    for (const { index: name, stateIndex, record, isPeers } of this.#catalog.snapshots) {
      if (record === undefined || isPeers === true || (stateIndex ?? name) !== index) continue;
      const earlier = records.findLast(({ end, indexClosed }) => end <= record.end && !indexClosed) ?? before?.record;
      const behind = records.find(({ end, indexClosed }) => end > record.end && !indexClosed);
      // A replica that was brought forward says nothing of the states that it was brought over.
      if ([earlier, behind].some((one) => one?.kind === "resync") || before?.record.kind === "resync") continue;
      const key = nameObject(this.#catalog, name, "record");
      const found = problemOf(key, record, earlier);
      if (found !== undefined) yield { ...found, problem: `${found.problem})` };
      // A closing record that is late may say of the clock what the next one does not say again.
      if (behind === undefined && records.at(-1)?.capturedLate !== true) this.#unfollowed.push({ key, record });
      else if (behind !== undefined) yield* this.#ofFollowed({ key, record }, behind);
    }
  }

  /** Of a snapshot and the first commit that was captured behind its state. */
  *#ofFollowed({ key, record }: Snapshot, behind: CommitRecord): Generator<Found> {
    if (behind.capturedLate || behind.kind === "resync" || record.capturedAtMs > limits.recordTimeMaxMs) return;
    if (record.capturedAtMs <= behind.capturedAtMs + limits.clockAheadMaxMs) return;
    const problem = `${key} is of ${timeOf(record)} (expected at most ${timeOf(behind)}, that of the record behind it)`;
    yield { problem, isWrong: record.isAtHome === true && behind.isAtHome === true };
  }
}

/** Open at its end, for more of the reason. */
function problemOf(what: string, record: CommitRecord, earlier: CommitRecord | undefined): Found | undefined {
  if (record.capturedAtMs > limits.recordTimeMaxMs) {
    const problem = `${what} says a time ${record.capturedAtMs} ms after 1970 (expected one before the year 10000`;
    return { problem, isWrong: true };
  }
  if (earlier === undefined || earlier.capturedAtMs > limits.recordTimeMaxMs) return undefined;
  if (record.capturedLate || record.capturedAtMs >= earlier.capturedAtMs) return undefined;
  const problem = `${what} is of ${timeOf(record)} (expected at least ${timeOf(earlier)}, that of the record before it`;
  return { problem, isWrong: record.isAtHome === true };
}

function timeOf({ capturedAtMs }: CommitRecord): string {
  return new Date(capturedAtMs).toISOString();
}
