/**
 * Whether the times of a generation's records are in order: none is earlier than the one before it, unless its writer says so
 * ("captured late"), as it does where a clock was put back; and none is of a year that nobody can mean. PURE.
 */
import { limits } from "../base/limits.ts";
import { nameObject } from "../position/object_names.ts";
import type { Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { GenerationCatalog, WalEntry } from "../store/generation_store.ts";

interface Placed {
  readonly index: Index;
  readonly record: CommitRecord;
}

export class RecordTimes {
  readonly #catalog: GenerationCatalog;
  readonly #wrong: (problem: string) => void;
  /** Of the index before, its last record. */
  #before: Placed | undefined;

  /** `wrong` is told what is not in order, a clause that names the object; of an index once. */
  constructor(catalog: GenerationCatalog, wrong: (problem: string) => void) {
    this.#catalog = catalog;
    this.#wrong = wrong;
  }

  /** The records of the next index in order. */
  take(entry: WalEntry, records: readonly CommitRecord[]): void {
    const { index } = entry;
    const before = this.#before?.index === index - 1 ? this.#before : undefined;
    const last = records.at(-1);
    this.#before = undefined;
    if (entry.isPeers === true || last === undefined) return; // Times of files: Litestream wrote it.
    this.#before = { index, record: last };
    const problem = this.#ofRecords(index, before, records) ?? this.#ofSnapshots(index, before, records);
    if (problem !== undefined) this.#wrong(problem);
  }

  #ofRecords(index: Index, before: Placed | undefined, records: readonly CommitRecord[]): string | undefined {
    const key = nameObject(this.#catalog, index, "commits");
    let earlier = before;
    for (const record of records) {
      const problem = problemOf(`${key}: the record that ends at ${record.end}`, record, earlier?.record);
      if (problem !== undefined) {
        return earlier?.index === before?.index && before !== undefined
          ? `${problem}, the last one of ${nameObject(this.#catalog, before.index, "commits")})`
          : `${problem})`;
      }
      earlier = { index, record };
    }
    return undefined;
  }

  /** Of the snapshots of states in this index: not earlier than the record before, nor much later than the one behind. */
  #ofSnapshots(index: Index, before: Placed | undefined, records: readonly CommitRecord[]): string | undefined {
    for (const { index: name, stateIndex, record, isPeers } of this.#catalog.snapshots) {
      if (record === undefined || isPeers === true || (stateIndex ?? name) !== index) continue;
      const earlier = records.findLast(({ end, indexClosed }) => end <= record.end && !indexClosed) ?? before?.record;
      const behind = records.find(({ end, indexClosed }) => end > record.end && !indexClosed);
      // A replica that was brought forward says nothing of the states that it was brought over.
      if ([earlier, behind].some((one) => one?.kind === "resync") || before?.record.kind === "resync") continue;
      const key = nameObject(this.#catalog, name, "record");
      const problem = problemOf(key, record, earlier);
      if (problem !== undefined) return `${problem})`;
      const isMuchLater = behind !== undefined && !behind.capturedLate &&
        record.capturedAtMs > behind.capturedAtMs + limits.clockAheadMaxMs;
      if (isMuchLater) {
        return `${key} is of ${timeOf(record)} (expected at most ${timeOf(behind)}, that of the record behind it)`;
      }
    }
    return undefined;
  }
}

/** Open at its end, for more of the reason. */
function problemOf(what: string, record: CommitRecord, earlier: CommitRecord | undefined): string | undefined {
  if (record.capturedAtMs > limits.recordTimeMaxMs) {
    return `${what} says a time ${record.capturedAtMs} ms after 1970 (expected one before the year 10000`;
  }
  if (earlier === undefined || earlier.capturedAtMs > limits.recordTimeMaxMs) return undefined;
  if (record.capturedLate || record.capturedAtMs >= earlier.capturedAtMs) return undefined;
  return `${what} is of ${timeOf(record)} (expected at least ${timeOf(earlier)}, that of the record before it`;
}

function timeOf({ capturedAtMs }: CommitRecord): string {
  return new Date(capturedAtMs).toISOString();
}
