/**
 * The database of one generation as its objects make it, carried from a snapshot on through all WAL, oldest first, and
 * compared with the checksum of each record on the way. Where something is missing or wrong the state is not known any more,
 * until the next snapshot makes one; between generations nothing is carried.
 */
import { equalBytes, hex } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { PageValues } from "../pages/page_values.ts";
import { nameObject } from "../position/object_names.ts";
import { asIndex, asOffset, formatIndex, formatPosition, type Index } from "../position/position.ts";
import { comparePlaces, type Place } from "../restore/history.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { CommitRecords } from "../store/commit_records.ts";
import type { GenerationCatalog, SnapshotEntry, WalEntry } from "../store/generation_store.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import type { WalHeader } from "../wal/header.ts";
import { frameSize } from "../wal/frame.ts";
import { WORDS_A_FRAME } from "./frame_values.ts";
import { describeRecord, isBetweenFrames, recordProblem } from "./record_check.ts";

/** Of one index: there may be a million, all wrong in the same way. */
const WRONG_RECORDS_TOLD = 16;

export interface CarriedTools {
  /** Lets others run, and throws when it is time to stop. */
  readonly turn: () => Promise<void>;
  /** Of each record that has a checksum: whether it was compared. */
  readonly compared: (isCompared: boolean) => void;
  /** Something that a record says is not so: a clause that names the object. */
  readonly wrong: (problem: string) => void;
}

/** A record that speaks of the state at its end: one of the WAL's, or that of the snapshot of that name. */
interface Stop {
  readonly record: CommitRecord;
  readonly snapshot?: Index;
  /** What the objects before it lead to there is a state: around a resync it is none (`lib/store/resynced.ts`). */
  readonly isPoint: boolean;
}

interface Origin extends Place {
  /** The snapshot's. */
  readonly name: Index;
  /** Its image is that state by itself: what stands in the WAL before is in it. */
  readonly isExact: boolean;
}

export class CarriedState {
  readonly #catalog: GenerationCatalog;
  readonly #tools: CarriedTools;
  readonly #snapshots: readonly (Place & { readonly name: Index; readonly record: CommitRecord })[];
  /** Of images whose records have no checksum: the one that they make. */
  readonly #made = new Map<Index, Uint8Array>();
  /** Where the values are the state from; undefined while it is not known. */
  #origin: Origin | undefined;
  /** Undefined also of a database that has no pages yet. */
  #values: PageValues | undefined;
  /** The last index of which all was carried. */
  #before: { readonly index: Index; readonly isClosed: boolean; readonly endsInResync: boolean } | undefined;
  #index: Index = asIndex(0);
  #stops: Iterator<Stop> = [].values();
  #nextStop: Stop | undefined;
  /** Records of the index that say something wrong. */
  #wrongRecords = 0;
  #frameSize = 0;
  /** No page behind it is of any state of this index. */
  #pagesMax = 0;

  constructor(catalog: GenerationCatalog, tools: CarriedTools) {
    this.#catalog = catalog;
    this.#tools = tools;
    this.#snapshots = catalog.snapshots.flatMap((entry) => {
      const state = snapshotState(catalog, entry);
      if (state.kind !== "whole" || entry.isPeers === true) return [];
      const { record } = state;
      return [{ index: entry.stateIndex ?? entry.index, offset: record.end, name: entry.index, record }];
    });
  }

  /** Nothing is known until the next snapshot. */
  lose(): void {
    this.#origin = undefined;
    this.#values = undefined;
    this.#before = undefined;
  }

  get isKnown(): boolean {
    return this.#origin !== undefined;
  }

  /** What comes now is of this index. A snapshot at its beginning is of the state that the index before led to. */
  async enter(index: Index): Promise<void> {
    this.#index = index;
    const { index: last, isClosed, endsInResync } = this.#before ?? {};
    if (last !== index - 1 || isClosed !== true) return this.lose();
    if (endsInResync === true) return;
    for (const { record, name } of this.#snapshots.filter((one) => one.index === index && one.offset === 0)) {
      await this.#compare({ record, snapshot: name, isPoint: true }, this.#values?.pages ?? 0);
    }
  }

  /** The image of a snapshot was read, whose record does not say what it makes. */
  async imaged({ index: name }: SnapshotEntry, checksum: Uint8Array): Promise<void> {
    this.#made.set(name, checksum);
    const own = this.#snapshots.find((one) => one.name === name && one.index === this.#index && one.offset === 0);
    if (own === undefined || this.#origin === undefined || this.#before?.endsInResync === true) return;
    await this.#compare({ record: own.record, snapshot: name, isPoint: true }, this.#values?.pages ?? 0);
  }

  /** The image of a snapshot is read; who does so gives the values of its pages. Undefined where nobody needs them. */
  beginImage({ index, stateIndex, isPeers }: SnapshotEntry, { pageSize, end, databasePages }: CommitRecord) {
    const isOfBefore = stateIndex !== undefined && stateIndex < index;
    if (this.#origin !== undefined || isPeers === true || isOfBefore) return undefined;
    if (databasePages > limits.carriedPagesMax) return undefined;
    const values = databasePages === 0 || pageSize === 0 ? undefined : new PageValues(pageSize);
    return {
      values,
      /** All of them were given, and it is whole. */
      began: async (imagePages: number) => {
        await values?.resize(imagePages, this.#tools.turn);
        this.#values = values;
        this.#origin = { index: stateIndex ?? index, offset: end, name: index, isExact: stateIndex === undefined };
      },
    };
  }

  /** The WAL of the index begins, which has these records, and counts up to `end`. */
  beginWal(entry: WalEntry, header: WalHeader, records: CommitRecords, end: number): void {
    this.#frameSize = frameSize(header.pageSize);
    const firstEnd = records.find((record) => record.end > 0)?.end ?? 0;
    const isBehindResync = this.#before?.endsInResync === true;
    const isPoint = (offset: number) => !isBehindResync || offset >= firstEnd;
    // A replica that was brought forward says nothing of the states that it was brought over.
    const isOver = (offset: number) =>
      records.some(({ kind, start, end }) => kind === "resync" && start < offset && offset <= end);
    const snapshots = this.#snapshots.filter(({ index, offset }) =>
      index === entry.index && offset > 0 && !isOver(offset)
    );
    const stopOf = (record: CommitRecord): Stop => ({ record, isPoint: isPoint(record.end) });
    const isOwn = (record: CommitRecord) => record.end > 0 && record.end <= end && !isGuess(entry, record);
    const isInWal = (stop: Stop, isTold: boolean) => this.#isInWal(stop, entry, header, end, isTold);
    this.#pagesMax = 0;
    this.#wrongRecords = 0;
    const isStop = (stop: Stop) => {
      if (!isInWal(stop, true)) return false;
      this.#pagesMax = Math.max(this.#pagesMax, stop.record.databasePages);
      return true;
    };
    // Looked at twice, as there may be a million; no more than one of them is kept.
    for (const record of records) if (isOwn(record)) isStop(stopOf(record));
    const ofSnapshots = snapshots.map(({ record, name }): Stop => ({ ...stopOf(record), snapshot: name }))
      .filter(isStop).sort((a, b) => a.record.end - b.record.end);
    this.#stops = function* () {
      let slot = 0;
      for (const record of records) {
        const stop = stopOf(record);
        if (!isOwn(record) || !isInWal(stop, false)) continue;
        for (let other = ofSnapshots[slot]; other !== undefined && other.record.end < record.end;) {
          yield other;
          other = ofSnapshots[++slot];
        }
        yield stop;
      }
      yield* ofSnapshots.slice(slot);
    }();
    this.#goToNextStop();
    if (this.#origin === undefined) return;
    if (this.#pagesMax > limits.carriedPagesMax) return this.lose();
    this.#values ??= new PageValues(header.pageSize);
    if (this.#values.pageSize !== header.pageSize) {
      const expected = `${this.#values.pageSize}, as in the snapshot of index ${formatIndex(this.#origin.name)}`;
      this.#tools.wrong(`${this.#nameWal()} has pages of ${header.pageSize} bytes (expected ${expected})`);
      return this.lose();
    }
    this.#values.beginLife();
  }

  /** Frames of the WAL that follow each other, from the offset on. */
  async take(at: number, frames: Uint32Array): Promise<void> {
    const count = frames.length / WORDS_A_FRAME;
    let first = 0;
    for (let stop = this.#nextStop; stop !== undefined; stop = this.#goToNextStop()) {
      const end = (stop.record.end - at) / this.#frameSize;
      if (end > count) break;
      this.#takeFrames(at, frames, first, end);
      first = end;
      await this.#compare(stop, frames[(end - 1) * WORDS_A_FRAME + 1] ?? 0);
    }
    this.#takeFrames(at, frames, first, count);
  }

  /** All of the index was taken. */
  endWal({ index, lastRecord }: WalEntry): void {
    const more = this.#wrongRecords - WRONG_RECORDS_TOLD;
    if (more > 0) this.#tools.wrong(this.#ofRecord(`${more} more of its records say what is not so`));
    if (this.#origin === undefined) return;
    this.#before = {
      index,
      isClosed: lastRecord?.indexClosed === true,
      endsInResync: lastRecord?.kind === "resync",
    };
  }

  #goToNextStop(): Stop | undefined {
    const { value, done } = this.#stops.next();
    return this.#nextStop = done === true ? undefined : value;
  }

  #takeFrames(at: number, frames: Uint32Array, first: number, end: number): void {
    const values = this.#values;
    if (values === undefined || this.#origin === undefined) return;
    const { index, offset, isExact } = this.#origin;
    const inImage = isExact && index === this.#index ? (offset - at) / this.#frameSize : 0;
    for (let frame = first; frame < end; frame++) {
      const slot = frame * WORDS_A_FRAME;
      const page = frames[slot] ?? 0;
      if (page > this.#pagesMax || (frame < inImage && page <= values.pages)) continue;
      values.take(page, frames[slot + 2] ?? 0, frames[slot + 3] ?? 0);
    }
  }

  async #compare({ record, snapshot, isPoint }: Stop, commitSize: number): Promise<void> {
    const problem = recordProblem(record, commitSize);
    if (problem !== undefined) {
      this.lose();
      if (snapshot === undefined) return this.#wrongRecord(problem);
      const where = `where no transaction ends in a database of ${record.databasePages} pages`;
      return this.#tools.wrong(`${this.#ofSnapshot(snapshot, record)}, ${where}`);
    }
    const [values, origin] = [this.#values, this.#origin];
    const isBefore = origin !== undefined && comparePlaces({ index: this.#index, offset: record.end }, origin) < 0;
    if (!(isBefore && origin.isExact)) await values?.resize(record.databasePages, this.#tools.turn);
    const checksum = record.checksum ?? (snapshot === undefined ? undefined : this.#made.get(snapshot));
    if (checksum === undefined) return;
    const isCompared = values !== undefined && origin !== undefined && !isBefore && isPoint;
    if (record.checksum !== undefined) this.#tools.compared(isCompared);
    if (!isCompared || equalBytes(values.checksum(), checksum)) return;
    this.lose();
    const made = `as the snapshot of index ${formatIndex(origin.name)} and the WAL from there on make it`;
    const says = `the checksum ${hex(checksum)} of the database there (expected ${hex(values.checksum())}, ${made})`;
    if (snapshot === undefined) return this.#wrongRecord(`the record that ends at ${record.end} says ${says}`);
    this.#tools.wrong(
      record.checksum === undefined
        ? `${this.#ofSnapshot(snapshot, record, "snapshot")}, and has ${says}`
        : `${this.#ofSnapshot(snapshot, record)}, and says ${says}`,
    );
  }

  /** Whether it ends there between two frames of the WAL; one of a snapshot may lie behind an end that is open. */
  #isInWal(
    { record, snapshot }: Stop,
    { lastRecord }: WalEntry,
    { pageSize }: WalHeader,
    end: number,
    isTold: boolean,
  ): boolean {
    const tell = (problem: string) => {
      if (!isTold) return;
      if (snapshot === undefined) this.#wrongRecord(`the record that ends at ${record.end} ${problem}`);
      else this.#tools.wrong(`${this.#ofSnapshot(snapshot, record)}, ${problem}`);
    };
    if (record.pageSize !== pageSize) {
      const says = `says pages of ${record.pageSize} bytes (expected ${pageSize}, as in the WAL)`;
      tell(snapshot === undefined ? says : `and ${says}`);
      return false;
    }
    const isBetween = isBetweenFrames(record.end, this.#frameSize);
    if (snapshot === undefined) {
      if (!isBetween) tell("does not end between two frames");
      return isBetween;
    }
    // An index that a resync closes may be one that the replica was only brought over.
    const isBeyond = lastRecord?.indexClosed === true && lastRecord.kind !== "resync" && record.end > lastRecord.end;
    if (!isBetween) tell("which is not between two frames");
    else if (isBeyond && isTold) {
      const expected = `expected at most ${lastRecord.end}, where that index ends`;
      this.#tools.wrong(`${this.#ofSnapshot(snapshot, record)} (${expected})`);
    }
    return isBetween && record.end <= end;
  }

  /** What a record of the WAL says is not so. */
  #wrongRecord(problem: string): void {
    if (++this.#wrongRecords <= WRONG_RECORDS_TOLD) this.#tools.wrong(this.#ofRecord(problem));
  }

  #ofRecord(problem: string): string {
    return `${this.#nameWal()}, ${describeRecord(this.#index, problem)}`;
  }

  #ofSnapshot(name: Index, { end }: CommitRecord, kind: "record" | "snapshot" = "record"): string {
    const position = { generation: this.#catalog.generation, index: this.#index, offset: asOffset(end) };
    return `${nameObject(this.#catalog, name, kind)} is of ${formatPosition(position)}`;
  }

  #nameWal(): string {
    return nameObject(this.#catalog, this.#index, "wal");
  }
}

/** Of what Litestream wrote nobody kept what a closing record says. */
function isGuess({ isPeers }: WalEntry, { indexClosed }: CommitRecord): boolean {
  return isPeers === true && indexClosed;
}
