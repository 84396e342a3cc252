/**
 * The shadow WAL: our private copy of the real WAL, one pair of files for each index of a generation:
 *
 *     shadow/<generation>/<16 hex index>.wal       the bytes of that WAL life, header and frames
 *     shadow/<generation>/<16 hex index>.commits   one commit record a capture; a closing record when the next index began
 *     shadow/<generation>/changes                  which pages the closed indexes changed (`index_changes.ts`)
 *
 * Invariants: published bytes never change. `.wal` may be longer than published (a capture under way, or cut short by a
 * crash); the published end is that of the last record, or, where records were lost, of the last commit of an unbroken
 * chain. Nothing is fsynced here by itself: `sync` is called before a read hold is released.
 */
import { assert } from "../base/assert.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";
import { timeAfter } from "../base/future.ts";
import { EarlySync } from "../platform/early_sync.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import type { Generation } from "../position/generation.ts";
import { formatRawName, parseRawName } from "../position/keys.ts";
import { asIndex, asOffset, type Index, type Offset } from "../position/position.ts";
import { COMMIT_RECORD_SIZE, type CommitRecord, formatCommitRecord } from "../store/commit_record.ts";
import { assertFrameAligned, frameSize, offsetAfter } from "../wal/frame.ts";
import { WAL_HEADER_SIZE, type WalHeader } from "../wal/header.ts";
import type { PageLedger } from "../pages/page_ledger.ts";
import { IndexChanges } from "./index_changes.ts";
import { type CapturedLife, readMark, readRecords, scanLife } from "./shadow_files.ts";
import type { WalMark } from "./source.ts";

export interface ClockStep {
  readonly fromMs: number;
  readonly toMs: number;
}

export class ShadowWal {
  readonly generation: Generation;
  readonly changes: IndexChanges;
  /** The checksum of the whole database follows what is published here; undefined while there is none to follow. */
  pages: PageLedger | undefined;
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #ends = new Map<Index, { end: Offset; closed: boolean }>();
  #index: Index;
  #life: CapturedLife | undefined;
  #wal: FileHandle | undefined;
  #commits: FileHandle | undefined;
  #commitsEnd = 0;
  #lastTimeMs = 0;
  /** Of a snapshot since then; 0 for none. */
  #lastGivenMs = 0;
  readonly #notBeforeMs: number;
  #clockStep: ClockStep | undefined;
  readonly #unsynced = new Set<FileHandle>();
  /** What a sync under way has on stable storage once it has ended. */
  readonly #beingSynced = new Set<FileHandle>();
  #syncing: Promise<void> | undefined;
  readonly #retired = new Set<FileHandle>();
  #folderUnsynced = false;
  #closedLife: CapturedLife | undefined;

  private constructor(files: FileSystem, folder: string, generation: Generation, index: Index, notBeforeMs: number) {
    this.#files = files;
    this.#folder = folder;
    this.generation = generation;
    this.#notBeforeMs = notBeforeMs;
    this.changes = new IndexChanges(files, `${folder}/changes`);
    this.#index = index;
  }

  /**
   * A new, empty one, its folder durable when this returns. All of its records are later than `afterMs`, also where that lies
   * in the future: of several generations the one with the newest time is the newest.
   */
  static create(files: FileSystem, parent: string, generation: Generation, afterMs = -1): ShadowWal {
    const folder = `${parent}/${generation}`;
    files.makeFolder(folder);
    files.syncFolder(parent);
    return new ShadowWal(files, folder, generation, asIndex(0), afterMs + 1);
  }

  /** The one that an earlier run left, its newest index checked from the first frame; throws `corrupt` when it is unusable. */
  static open(files: FileSystem, parent: string, generation: Generation, nowMs: number, notBeforeMs = 0): ShadowWal {
    const folder = `${parent}/${generation}`;
    const indexes = files.list(folder).map((name) => parseRawName(name, "wal")).filter((index) => index !== undefined);
    const shadow = new ShadowWal(files, folder, generation, indexes.at(-1) ?? asIndex(0), notBeforeMs);
    for (const [slot, index] of indexes.slice(0, -1).entries()) {
      if (indexes[slot + 1] !== index + 1) throw missingIndex(shadow.walPath(asIndex(index + 1)));
      shadow.#loadOlder(index);
    }
    if (indexes.length > 0) shadow.#loadNewest(nowMs);
    return shadow;
  }

  /** The index that is being captured, or that the next life will be given. */
  get index(): Index {
    return this.#index;
  }

  /** The life behind `index`; undefined while it has no frames. */
  get life(): CapturedLife | undefined {
    return this.#life;
  }

  get offset(): Offset {
    return this.#life === undefined ? asOffset(0) : offsetAfter(this.#life.frames, this.#life.header.pageSize);
  }

  /** Capture time of the newest record; 0 while there is none. */
  get lastCapturedAtMs(): number {
    return this.#lastTimeMs;
  }

  /** No record has an earlier time. */
  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }

  /** The time of what is captured at that moment: never before what was captured last, unless that lies in the future. */
  timeAt(nowMs: number): number {
    return Math.max(timeAfter(this.#lastTimeMs, nowMs), timeAfter(this.#lastGivenMs, nowMs), this.#notBeforeMs);
  }

  /** The time of a snapshot of what is captured, and whether it is before that of what was captured last. */
  giveTime(nowMs: number): { readonly timeMs: number; readonly isBack: boolean } {
    this.#lastGivenMs = this.timeAt(nowMs);
    return { timeMs: this.#lastGivenMs, isBack: this.#lastGivenMs < this.#lastTimeMs };
  }

  /** Once, after times went back because those before them lay in the future. */
  takeClockStep(): ClockStep | undefined {
    const step = this.#clockStep;
    this.#clockStep = undefined;
    return step;
  }

  oldestIndex(): Index {
    let oldest = this.#index;
    for (const index of this.#ends.keys()) if (index < oldest) oldest = index;
    return oldest;
  }

  /** Published end of an index; undefined when it is not held here. An index that has not begun ends at 0. */
  endOf(index: Index): { readonly end: Offset; readonly closed: boolean } | undefined {
    return this.#ends.get(index) ?? (index === this.#index ? { end: asOffset(0), closed: false } : undefined);
  }

  walPath(index: Index): string {
    return `${this.#folder}/${formatRawName(index, "wal")}`;
  }

  commitsPath(index: Index): string {
    return `${this.#folder}/${formatRawName(index, "commits")}`;
  }

  /** Opens the files of `index` for a new life and writes its header; what stood there unpublished is overwritten. */
  begin(header: WalHeader, headerBytes: Uint8Array): void {
    assert(this.#life === undefined, "an index begins once");
    this.#openFiles();
    this.#handle("wal").truncate(0);
    this.#handle("commits").truncate(0);
    this.#handle("wal").writeAt(headerBytes.subarray(0, WAL_HEADER_SIZE), 0);
    this.#commitsEnd = 0;
    this.#life = { header, frames: 0, checksum: header.checksum, databasePages: 0 };
    this.#folderUnsynced = true;
    if (this.pages !== undefined && this.pages.pageSize !== header.pageSize) this.#leavePages();
    this.pages?.beginLife();
  }

  /** Takes back a `begin` after which nothing was published. */
  forget(): void {
    assert(this.#life?.frames === 0, "only an index without published frames is forgotten");
    this.#life = undefined;
    this.#handle("wal").truncate(0); // A later run would take whole transactions in it for captured ones.
    this.pages?.forget();
  }

  /** Takes back frames that were written and never published. */
  forgetFrames(): void {
    this.pages?.forget();
  }

  /** Puts frames after the given number of frames; they count only once published. `values` of their pages, if known. */
  writeFrames(afterFrames: number, bytes: Uint8Array, values?: Uint32Array): void {
    const life = this.#begun();
    const position = WAL_HEADER_SIZE + afterFrames * frameSize(life.header.pageSize);
    assert(afterFrames >= life.frames, "published frames never change");
    this.#handle("wal").writeAt(bytes, position);
    this.pages?.addFrames(bytes, values);
  }

  /** For a capture that goes on for long; none of its syncs is under way when others may ask for one. */
  earlySync(): EarlySync {
    return new EarlySync(this.#handle("wal"), true);
  }

  /** Makes everything written so far part of the shadow WAL, with one commit record. */
  publish(
    captured: Omit<CapturedLife, "header">,
    nowMs: number,
    capturedLate: boolean,
    kind: "sync" | "resync" = "sync",
  ): void {
    const life = this.#begun();
    const end = offsetAfter(captured.frames, life.header.pageSize);
    assertFrameAligned(end, life.header.pageSize);
    const checksum = this.pages?.checksumAfter(captured.databasePages);
    this.#unsynced.add(this.#handle("wal")); // Synced in this order: a record never outlives what it speaks of.
    this.#appendRecord({
      ...this.#record(nowMs, checksum),
      kind,
      start: this.offset,
      end,
      databasePages: captured.databasePages,
      ...(capturedLate ? { capturedLate } : {}),
    });
    this.pages?.apply(); // After the record: what it speaks of can be found out again, what it replaces cannot.
    this.#life = { ...captured, header: life.header };
    this.#ends.set(this.#index, { end, closed: false });
  }

  /**
   * Declares the present life complete and makes the next index the present one. By a resync: what follows belongs together
   * up to its first record, whose frames may be older than the state that this index leads to.
   */
  closeIndex(nowMs: number, kind: "sync" | "resync" = "sync"): void {
    const life = this.#begun();
    this.#appendRecord({
      ...this.#record(nowMs, this.pages?.checksum),
      kind,
      start: this.offset,
      end: this.offset,
      databasePages: life.databasePages,
      indexClosed: true,
    });
    if (this.pages !== undefined) {
      const { header: { salt }, checksum, databasePages } = life;
      const pages = this.pages.changedPages();
      this.changes.append({ index: this.#index, end: this.offset, databasePages, salt, checksum, pages });
    }
    this.#ends.set(this.#index, { end: this.offset, closed: true });
    this.#retire();
    this.#index = asIndex(this.#index + 1);
    this.#life = undefined;
  }

  /** Resolves when all that is published is on stable storage, also what another call has under way. */
  sync(): Promise<void> {
    const before = this.#syncing;
    const syncing = this.#syncAfter(before).finally(() => {
      if (this.#syncing === syncing) this.#syncing = undefined;
    });
    this.#syncing = syncing;
    return syncing;
  }

  async #syncAfter(before: Promise<void> | undefined): Promise<void> {
    await before;
    const due = [...this.#unsynced];
    this.#unsynced.clear();
    for (const handle of due) this.#beingSynced.add(handle);
    const folder = this.#folderUnsynced;
    try {
      for (const handle of due) await handle.sync();
      if (folder) this.#files.syncFolder(this.#folder);
      if (folder) this.#folderUnsynced = false;
    } catch (error) {
      for (const handle of due) this.#unsynced.add(handle); // Nothing of it may ever count as durable.
      throw syncError(this.#folder, error);
    } finally {
      this.#beingSynced.clear();
    }
    this.#closeRetired();
  }

  /** The same, blocking. */
  syncNow(): void {
    try {
      for (const handle of [...this.#beingSynced, ...this.#unsynced]) handle.syncNow();
      this.#unsynced.clear();
      if (this.#folderUnsynced) this.#files.syncFolder(this.#folder);
      this.#folderUnsynced = false;
    } catch (error) {
      throw syncError(this.#folder, error);
    }
  }

  /** Whether all that is published is on stable storage by now. */
  get isSynced(): boolean {
    return this.#unsynced.size === 0 && this.#beingSynced.size === 0 && !this.#folderUnsynced;
  }

  markAt(index: Index, offset: Offset): WalMark | undefined {
    const end = this.#ends.get(index);
    if (end === undefined || offset > end.end || offset === 0) return undefined;
    const handle = this.#files.open(this.walPath(index), "read");
    try {
      return readMark(handle, offset);
    } finally {
      handle.close();
    }
  }

  /** Whether a resync ended the index: no life of the application's can be judged against it any more. */
  endsInResync(index: Index): boolean {
    const end = this.endOf(index)?.end ?? 0;
    return readRecords(this.#files, this.commitsPath(index), end).at(-1)?.kind === "resync";
  }

  /** The oldest index from which everything held is no larger than that many bytes; the newest, whatever its size. */
  oldestWithin(maxBytes: number): Index {
    let oldest = this.#index;
    let bytes = this.endOf(oldest)?.end ?? 0;
    for (let index = oldest - 1; index >= this.oldestIndex(); index--) {
      bytes += this.#ends.get(asIndex(index))?.end ?? 0;
      if (bytes > maxBytes) break;
      oldest = asIndex(index);
    }
    return oldest;
  }

  /** Whether every file that readers are promised still has its name. */
  isStillThere(): boolean {
    if (this.#files.status(this.#folder) === undefined) return false;
    const names = new Set(this.#files.list(this.#folder));
    const isThere = (index: Index) =>
      names.has(formatRawName(index, "wal")) && names.has(formatRawName(index, "commits"));
    return [...this.#ends.keys()].every(isThere);
  }

  /** Removes complete indexes below the given one. */
  removeBefore(index: Index): void {
    for (const held of [...this.#ends.keys()]) {
      if (held >= index || held >= this.#index) continue;
      this.#ends.delete(held); // First the memory, so that no reader is promised a file that is about to go.
      this.#files.remove(this.walPath(held));
      this.#files.remove(this.commitsPath(held));
    }
  }

  close(): void {
    this.#leavePages();
    this.#retire();
    this.#unsynced.clear();
    this.#closeRetired();
  }

  #begun(): CapturedLife {
    if (this.#life === undefined) {
      throw new ReplicationError("failed", "Cannot append to the shadow WAL: no life has begun");
    }
    return this.#life;
  }

  #record(nowMs: number, checksum: Uint8Array | undefined) {
    const timeMs = this.timeAt(nowMs);
    const isBack = timeMs < Math.max(this.#lastTimeMs, this.#lastGivenMs);
    if (timeMs < this.#lastTimeMs) this.#clockStep = { fromMs: this.#lastTimeMs, toMs: timeMs };
    this.#lastTimeMs = timeMs;
    this.#lastGivenMs = 0;
    const confirmedAt = this.pages?.confirmedAt;
    return {
      kind: "sync",
      pageSize: this.#begun().header.pageSize,
      capturedAtMs: this.#lastTimeMs,
      capturedLate: isBack, // Whoever reads it knows that times go back here.
      indexClosed: false,
      ...(checksum === undefined ? {} : { checksum }),
      ...(checksum === undefined || confirmedAt === undefined ? {} : { confirmedAt }),
    } as const;
  }

  /** A database of another page size has another table. */
  #leavePages(): void {
    this.pages?.close();
    this.pages = undefined;
  }

  #appendRecord(record: CommitRecord): void {
    const commits = this.#handle("commits");
    commits.writeAt(formatCommitRecord(record), this.#commitsEnd);
    this.#commitsEnd += COMMIT_RECORD_SIZE;
    this.#unsynced.add(commits);
  }

  #openFiles(): void {
    this.#wal ??= this.#files.open(this.walPath(this.#index), "create");
    this.#commits ??= this.#files.open(this.commitsPath(this.#index), "create");
  }

  #handle(which: "wal" | "commits"): FileHandle {
    const handle = which === "wal" ? this.#wal : this.#commits;
    assert(handle !== undefined, "the files of the present index are open");
    return handle;
  }

  #retire(): void {
    for (const handle of [this.#wal, this.#commits]) if (handle !== undefined) this.#retired.add(handle);
    this.#wal = undefined;
    this.#commits = undefined;
  }

  /** Handles of finished indexes are closed only once their bytes are on disk. */
  #closeRetired(): void {
    for (const handle of this.#retired) {
      if (this.#unsynced.has(handle) || this.#beingSynced.has(handle)) continue;
      handle.close();
      this.#retired.delete(handle);
    }
  }

  #loadOlder(index: Index): void {
    const records = readRecords(
      this.#files,
      this.commitsPath(index),
      this.#files.status(this.walPath(index))?.size ?? 0,
    );
    const last = records.at(-1);
    if (last === undefined || !last.indexClosed) {
      throw new ReplicationError(
        "corrupt",
        `Cannot continue the shadow WAL ${this.walPath(index)}: it is not complete`,
      );
    }
    this.#lastTimeMs = Math.max(this.#lastTimeMs, last.capturedAtMs);
    this.#ends.set(index, { end: last.end, closed: true });
  }

  #loadNewest(nowMs: number): void {
    this.#openFiles();
    const wal = this.#handle("wal");
    const records = readRecords(this.#files, this.commitsPath(this.#index), wal.size());
    const last = records.at(-1);
    const life = scanLife(wal);
    this.#lastTimeMs = Math.max(this.#lastTimeMs, last?.capturedAtMs ?? 0);
    this.#unsynced.add(wal); // Whether an earlier run got that far is not known.
    this.#folderUnsynced = true;
    const isHalfResynced = last === undefined && this.endsInResync(asIndex(this.#index - 1));
    if (isHalfResynced) wal.truncate(0); // Without the record that was to follow, its commits are no points.
    if (life === undefined || life.frames === 0 || isHalfResynced) {
      if (last !== undefined) throw lostFrames(this.walPath(this.#index));
      this.#closedLife = this.#lifeOf(asIndex(this.#index - 1)); // This one never got a frame: it will be begun again.
      return;
    }
    const end = offsetAfter(life.frames, life.header.pageSize);
    if (last !== undefined && last.end > end) throw lostFrames(this.walPath(this.#index));
    this.#life = life;
    this.#commitsEnd = records.length * COMMIT_RECORD_SIZE;
    if (last?.indexClosed === true) {
      if (last.end !== end) throw lostFrames(this.walPath(this.#index));
      this.#ends.set(this.#index, { end, closed: true });
      this.#retire();
      this.#closeRetired();
      this.#index = asIndex(this.#index + 1);
      this.#life = undefined;
      this.#closedLife = life;
      return;
    }
    this.#ends.set(this.#index, { end: last?.end ?? asOffset(0), closed: false });
    if (last === undefined || last.end < end) this.#adoptUnrecorded(life, last, end, nowMs);
  }

  #lifeOf(index: Index): CapturedLife | undefined {
    if (!this.#ends.has(index)) return undefined;
    const wal = this.#files.open(this.walPath(index), "read");
    try {
      return scanLife(wal);
    } finally {
      wal.close();
    }
  }

  /** Frames whose record a crash has swallowed get one now: nobody knows any more when they were captured. */
  #adoptUnrecorded(life: CapturedLife, last: CommitRecord | undefined, end: Offset, nowMs: number): void {
    const start = last?.end ?? asOffset(0);
    this.#appendRecord({
      ...this.#record(nowMs, undefined),
      start,
      end,
      databasePages: life.databasePages,
      capturedLate: true,
    });
    this.#ends.set(this.#index, { end, closed: false });
  }

  /** The last complete life, when an earlier run ended between closing one index and beginning the next. */
  get closedLife(): CapturedLife | undefined {
    return this.#closedLife;
  }
}

function missingIndex(path: string): ReplicationError {
  return new ReplicationError("corrupt", `Cannot continue the shadow WAL ${path}: it is missing between two others`);
}

function lostFrames(path: string): ReplicationError {
  return new ReplicationError("corrupt", `Cannot continue the shadow WAL ${path}: frames that were recorded are gone`);
}

function syncError(folder: string, cause: unknown): ReplicationError {
  const advice = cause instanceof ReplicationError && cause.advice !== undefined ? { advice: cause.advice } : {};
  const reason = messageOf(cause).replace(/^Cannot/, "cannot");
  return new ReplicationError("failed", `Cannot make the shadow WAL ${folder} durable: ${reason}`, {
    cause,
    ...advice,
  });
}
