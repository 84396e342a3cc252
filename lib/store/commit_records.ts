/**
 * Commit records in order, of which there may be a million: kept as what each says that the one before does not, some 20
 * bytes and at most 61, and made anew for whoever looks at one. As objects they take some 400 bytes each.
 */
import { viewOf } from "../base/bytes.ts";
import { COMMIT_RECORD_SIZE, type CommitRecord, groupEnds, parsedAgain } from "./commit_record.ts";

/** What is asked of records; a plain array will do. */
export interface CommitRecords extends Iterable<CommitRecord> {
  readonly length: number;
  at(slot: number): CommitRecord | undefined;
  find(isIt: (record: CommitRecord) => boolean): CommitRecord | undefined;
  findLast(isIt: (record: CommitRecord) => boolean): CommitRecord | undefined;
  some(isIt: (record: CommitRecord) => boolean): boolean;
  /** Of few records, or to something small. */
  map<T>(make: (record: CommitRecord) => T): T[];
}

const CHUNK_BYTES_MIN = 64;
const CHUNK_BYTES_MAX = 32 << 10;

type Part = Iterable<CommitRecord> & { readonly length: number };

export class CommitRecordList implements CommitRecords {
  readonly #parts: Part[] = [];
  /** The last part, while more goes into it. */
  #chunk: Chunk | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Of a record that was found right and at home; the bytes may be used again. */
  pushStored(bytes: Uint8Array): void {
    if (this.#chunk === undefined || !this.#chunk.hasRoom) {
      const before = this.#chunk?.capacity ?? 0;
      this.#chunk = new Chunk(Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, 2 * before)));
      this.#parts.push(this.#chunk);
    }
    this.#chunk.push(bytes);
    this.#length++;
  }

  append(records: readonly CommitRecord[] | CommitRecordList): void {
    this.#length += records.length;
    this.#chunk = undefined;
    for (const part of records instanceof CommitRecordList ? records.#parts : [records]) this.#parts.push(part);
  }

  at(slot: number): CommitRecord | undefined {
    let rest = slot < 0 ? this.#length + slot : slot;
    if (rest < 0 || rest >= this.#length) return undefined;
    for (const part of this.#parts) {
      if (rest >= part.length) rest -= part.length;
      else for (const record of part) if (rest-- === 0) return record;
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<CommitRecord> {
    for (const part of this.#parts) yield* part;
  }

  find(isIt: (record: CommitRecord) => boolean): CommitRecord | undefined {
    for (const record of this) if (isIt(record)) return record;
    return undefined;
  }

  findLast(isIt: (record: CommitRecord) => boolean): CommitRecord | undefined {
    for (const part of this.#parts.toReversed()) {
      let found: CommitRecord | undefined;
      for (const record of part) if (isIt(record)) found = record; // Thousands at once would be kept alive for it.
      if (found !== undefined) return found;
    }
    return undefined;
  }

  some(isIt: (record: CommitRecord) => boolean): boolean {
    return this.find(isIt) !== undefined;
  }

  map<T>(make: (record: CommitRecord) => T): T[] {
    return Array.from(this, make);
  }
}

const GROUP_ENDS = [groupEnds(1), groupEnds(2)] as const;
const START = 1;
/** All groups follow, of which the first byte is the version. */
const WHOLE = 0xff;
/** Start is where the record before ended. */
const GOES_ON = 0x80;

/**
 * One record after the other: a byte that says which groups of its bytes differ from those of the record before, a bit each,
 * and these groups.
 */
class Chunk implements Part {
  readonly #bytes: Uint8Array;
  readonly #last = new Uint8Array(COMMIT_RECORD_SIZE);
  #used = 0;
  #length = 0;

  constructor(readonly capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get hasRoom(): boolean {
    return this.#used + COMMIT_RECORD_SIZE <= this.capacity;
  }

  push(bytes: Uint8Array): void {
    const ends = endsOf(bytes[0]);
    const maskAt = this.#used++;
    let mask = 0;
    const isWhole = this.#length === 0 || bytes[0] !== this.#last[0];
    for (let group = 0, from = 0; group < ends.length; from = ends[group++] ?? 0) {
      const to = ends[group] ?? 0;
      if (!isWhole && group === START && isSame(bytes, from, this.#last, to, to - from)) mask |= GOES_ON;
      else if (isWhole || !isSame(bytes, from, this.#last, from, to - from)) {
        mask |= 1 << group;
        for (let at = from; at < to; at++) this.#bytes[this.#used++] = bytes[at] ?? 0;
      }
    }
    this.#bytes[maskAt] = isWhole ? WHOLE : mask;
    this.#last.set(bytes.subarray(0, ends.at(-1)));
    this.#length++;
  }

  *[Symbol.iterator](): Generator<CommitRecord> {
    const record = new Uint8Array(COMMIT_RECORD_SIZE);
    const view = viewOf(record);
    let at = 0;
    for (let slot = 0; slot < this.#length; slot++) {
      const mask = this.#bytes[at++] ?? 0;
      const ends = endsOf(mask === WHOLE ? this.#bytes[at] : record[0]);
      const [startAt = 0, endAt = 0, timeAt = 0] = ends;
      if (mask !== WHOLE && (mask & GOES_ON) !== 0) record.copyWithin(startAt, endAt, timeAt);
      for (let group = 0, from = 0; group < ends.length; from = ends[group++] ?? 0) {
        if ((mask & (1 << group)) === 0) continue;
        for (let to = from; to < (ends[group] ?? 0); to++) record[to] = this.#bytes[at++] ?? 0;
      }
      yield parsedAgain(view);
    }
  }
}

function endsOf(version: number | undefined): readonly number[] {
  return version === 1 ? GROUP_ENDS[0] : GROUP_ENDS[1];
}

function isSame(a: Uint8Array, atA: number, b: Uint8Array, atB: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (a[atA + at] !== b[atB + at]) return false;
  return true;
}
