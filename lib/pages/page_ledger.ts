/**
 * Keeps the page table of a database in step with what is captured, and the checksum of the whole database with it.
 *
 * - Frames wait (`addFrames`) until their transaction is published: `checksumAfter` says what the checksum will be and
 *   changes nothing, so that it can be recorded first; `apply` then follows. A crash in between is mended by a replay.
 * - What a life holds of pages beyond the database's size counts again when the database grows in that life, as it does for
 *   SQLite; when the next life begins it is gone (`beginLife`).
 * - The table is made by looking at every page of the file once (`see`), while capture goes on. Afterwards the same look
 *   compares. Pages with frames in the present life are left out of it, since their place in the file may be of any time,
 *   until all of the life was copied (`noteCopied`).
 */
import { assert } from "../base/assert.ts";
import { viewOf } from "../base/bytes.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Position } from "../position/position.ts";
import { COMMIT_SIZE_AT, frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { DatabaseChecksum, hashZeroPage, lockPage } from "./database_checksum.ts";
import { pageHasher } from "./page_hasher.ts";
import { PageTable } from "./page_table.ts";
import type { PageTableHeader, Place } from "./page_table_header.ts";
import { PendingPages } from "./pending_pages.ts";
import { TouchedPages } from "./touched_pages.ts";

/** So many pages that a file lacks are named; all of a large database would be a long list. */
const ABSENT_MAX = 100;

/** A look at the whole file, page after page. */
interface Pass {
  nextPage: number;
  readonly began: Place;
  isClean: boolean;
}

interface Next {
  readonly databasePages: number;
  readonly checksum: DatabaseChecksum;
}

export class PageLedger {
  readonly pageSize: number;
  readonly #table: PageTable;
  readonly #lockPage: number;
  /** Pages of the present life that the file may hold of any time. */
  readonly #touched = new TouchedPages();
  /** All pages of the present life. */
  readonly #changed = new TouchedPages();
  readonly #pending = new PendingPages();
  readonly #value = new Uint32Array(2);
  #values = new Uint32Array(0);
  #databasePages: number;
  /** Over the pages before `#known`. */
  #checksum = new DatabaseChecksum();
  /** Pages before this one have values; Infinity once all have. */
  #known: number;
  #next: Next | undefined;
  #isSpilled = false;
  #isLost = false;
  #pass: Pass | undefined;
  #confirmedAt: Place | undefined;
  #stored: Position | undefined;
  #began: Place | undefined;

  private constructor(table: PageTable, pageSize: number, databasePages: number, known: number) {
    this.#table = table;
    this.pageSize = pageSize;
    this.#lockPage = lockPage(pageSize);
    this.#databasePages = databasePages;
    this.#known = known;
  }

  /** One that knows no page yet. */
  static create(files: FileSystem, path: string, pageSize: number, databasePages: number): PageLedger {
    return new PageLedger(PageTable.create(files, path), pageSize, databasePages, 1);
  }

  /** The stored one; it counts only after a replay from the beginning of the header's index, and `settle`. */
  static open(files: FileSystem, path: string): { ledger: PageLedger; header: PageTableHeader } | undefined {
    const found = PageTable.open(files, path);
    if (found === undefined) return undefined;
    const { table, header } = found;
    const ledger = new PageLedger(table, header.pageSize, header.databasePages, Infinity);
    ledger.#confirmedAt = header.confirmedAt;
    ledger.#pass = header.pass && { ...header.pass, isClean: true };
    ledger.#stored = header.position;
    return { ledger, header };
  }

  /** Of the database at the end of what was applied; undefined while that is not known. */
  get checksum(): Uint8Array | undefined {
    return this.isUsable ? this.#checksum.bytes() : undefined;
  }

  get isUsable(): boolean {
    return this.#known === Infinity && !this.#isLost;
  }

  /** Whether the look at every page is still to be finished. */
  get isBuilding(): boolean {
    return this.#known !== Infinity && !this.#isLost;
  }

  get databasePages(): number {
    return this.#databasePages;
  }

  get confirmedAt(): Place | undefined {
    return this.#confirmedAt;
  }

  /** What was stored last: a replay from the beginning of its index mends whatever a crash leaves. */
  get stored(): Position | undefined {
    return this.#stored;
  }

  /** The page that a look at the whole file wants next. */
  get nextPage(): number {
    return this.isBuilding ? this.#known : this.#pass?.nextPage ?? 1;
  }

  get isPassUnderWay(): boolean {
    return this.#pass !== undefined;
  }

  /** The value of a page as applied, two words; 0, 0 where there is none. */
  read(page: number, into: Uint32Array): void {
    this.#table.read(page, into);
  }

  /** Whether the file may hold the page as it was at some other time. */
  isTouched(page: number): boolean {
    return this.#touched.has(page);
  }

  /** Whether the page has frames in the present life. */
  isChanged(page: number): boolean {
    return this.#changed.has(page);
  }

  /** The pages with frames in the present life, ascending. */
  changedPages(): Uint32Array {
    return this.#changed.list();
  }

  /** Every captured frame of the present life was copied into the file. */
  noteCopied(): void {
    if (!this.#isSpilled) this.#touched.clear();
  }

  /** The database has no frames in the WAL: the file says how large it is. */
  takeSizeOfFile(databasePages: number): void {
    assert(this.#known === 1, "the size is taken before a page was looked at");
    this.#databasePages = databasePages;
  }

  /** The next life of the WAL begins: all of the one before was copied, and the file cut to the database's size. */
  beginLife(): void {
    assert(this.#pending.count === 0, "a life begins after the last one was published");
    this.#table.truncate(this.#databasePages);
    this.#touched.clear();
    this.#changed.clear();
  }

  /** Whole frames of the transaction that is being captured; the values of their pages, where they are known already. */
  addFrames(frames: Uint8Array, values: Uint32Array = this.#hashFrames(frames)): void {
    const size = frameSize(this.pageSize);
    const view = viewOf(frames);
    for (let frame = 0, at = PAGE_NUMBER_AT; at < frames.length; frame++, at += size) {
      this.#pending.add(view.getUint32(at), values[2 * frame] ?? 0, values[2 * frame + 1] ?? 0);
      if (this.#pending.isFull) this.#spill();
    }
  }

  /** The frames that were added are no transaction after all. */
  forget(): void {
    this.#pending.clear();
    this.#next = undefined;
    if (this.#isSpilled) this.#isLost = true; // Some of them are in the table, and nobody knows what was there.
  }

  /** The checksum once what was added is applied; undefined while there is none. */
  checksumAfter(databasePages: number): Uint8Array | undefined {
    const checksum = this.#checksum.copy();
    const common = Math.min(this.#databasePages, databasePages);
    const end = Math.min(databasePages + 1, this.#known);
    let next = this.#databasePages + 1;
    this.#pending.eachNewest((page, low, high) => {
      if (page >= this.#known) return;
      if (page <= common) this.#replace(checksum, page, low, high);
      else if (page <= databasePages) {
        this.#addRange(checksum, next, page);
        checksum.add(low, high);
        next = page + 1;
      }
    });
    this.#addRange(checksum, next, end);
    for (let page = databasePages + 1; page <= this.#databasePages && page < this.#known; page++) {
      this.#table.read(page, this.#value);
      checksum.subtract(this.#value[0] ?? 0, this.#value[1] ?? 0);
    }
    this.#next = { databasePages, checksum };
    return this.isUsable ? checksum.bytes() : undefined;
  }

  /** What was added is published. */
  apply(): void {
    assert(this.#next !== undefined, "the checksum was asked for before");
    const { databasePages, checksum } = this.#next;
    this.#pending.eachNewest((page, low, high) => {
      this.#table.write(page, low, high);
      this.#touch(page);
    });
    for (let page = this.#databasePages + 1; page <= databasePages && page < this.#known; page++) this.#fill(page);
    this.#databasePages = databasePages;
    this.#checksum = checksum;
    this.#pending.clear();
    this.#isSpilled = false;
    this.#next = undefined;
    if (this.isBuilding) this.#finishBuilding(this.#known);
    this.#endPass();
  }

  /** A new look at the whole file begins at this position. */
  beginPass(at: Place): void {
    if (this.isBuilding) this.#began ??= at;
    else this.#pass = { nextPage: 1, began: at, isClean: true };
  }

  /**
   * Pages as they stand in the database file at this moment, with everything captured that a checkpoint may have copied.
   * Returns those that are not what was captured.
   */
  see(firstPage: number, bytes: Uint8Array): number[] {
    const count = Math.min(Math.floor(bytes.length / this.pageSize), this.#databasePages - firstPage + 1);
    const [first, end] = this.isBuilding
      ? [Math.max(firstPage, this.#known), firstPage + count]
      : [firstPage, firstPage + count];
    if (first >= end || (this.isBuilding && first !== this.#known)) return [];
    const values = this.#hashPages(
      bytes.subarray((first - firstPage) * this.pageSize, (end - firstPage) * this.pageSize),
      first,
    );
    if (this.isBuilding) {
      for (let page = first; page < end; page++) this.#learn(page, values, (page - first) * 2);
      this.#finishBuilding(end);
      return [];
    }
    return this.#compare(first, end, values);
  }

  /** Whether the content is not the one that the table knows, of a page without frames in the present life. */
  differs(page: number, bytes: Uint8Array): boolean {
    if (page === this.#lockPage || this.#touched.has(page)) return false;
    const values = this.#hashPages(bytes, page);
    this.#table.read(page, this.#value);
    return this.#value[0] !== values[0] || this.#value[1] !== values[1];
  }

  /**
   * The file ends before this page; pages from there on have frames, or are of zeros. Returns some of those that are not what
   * was captured.
   */
  seeEnd(firstAbsent: number): number[] {
    if (this.isBuilding) {
      if (this.#known < firstAbsent) return [];
      for (let page = this.#known; page <= this.#databasePages; page++) this.#learnFromTable(page);
      this.#finishBuilding(this.#databasePages + 1);
      return [];
    }
    const zeros = new Uint32Array(2);
    const different: number[] = [];
    for (let page = firstAbsent; page <= this.#databasePages && different.length < ABSENT_MAX; page++) {
      if (page === this.#lockPage || this.#touched.has(page)) continue;
      this.#table.read(page, this.#value);
      hashZeroPage(page, this.pageSize, zeros);
      if (this.#value[0] !== zeros[0] || this.#value[1] !== zeros[1]) different.push(page);
    }
    if (different.length > 0 && this.#pass !== undefined) this.#pass.isClean = false;
    this.#advancePass(firstAbsent, this.#databasePages + 1);
    return different;
  }

  /** Of a replay: whole frames in order, of which all is committed. */
  replay(frames: Uint8Array): void {
    const size = frameSize(this.pageSize);
    const view = viewOf(frames);
    const values = this.#hashFrames(frames);
    for (let frame = 0; frame * size < frames.length; frame++) {
      const page = view.getUint32(frame * size + PAGE_NUMBER_AT);
      this.#table.write(page, values[2 * frame] ?? 0, values[2 * frame + 1] ?? 0);
      this.#touch(page);
      this.#databasePages = view.getUint32(frame * size + COMMIT_SIZE_AT) || this.#databasePages;
    }
  }

  /** Ends a replay; the checksum that the table leads to. */
  settle(): Uint8Array {
    this.#checksum = new DatabaseChecksum();
    for (let page = 1; page <= this.#databasePages; page++) {
      if (page === this.#lockPage) continue;
      this.#fill(page);
      this.#table.read(page, this.#value);
      this.#checksum.addAll(this.#value);
    }
    this.#endPass();
    return this.#checksum.bytes();
  }

  /** Makes the table durable as it is now. Calls follow each other. */
  async store(position: Position): Promise<void> {
    assert(this.isUsable, "only a table that is whole is stored");
    const pass = this.#pass === undefined || !this.#pass.isClean ? undefined : this.#pass;
    await this.#table.store({
      position,
      pageSize: this.pageSize,
      databasePages: this.#databasePages,
      checksum: this.#checksum.bytes(),
      confirmedAt: this.#confirmedAt,
      pass: pass && { nextPage: pass.nextPage, began: pass.began },
    });
    this.#stored = position;
  }

  /** The same pages, under other positions: what was confirmed and stored elsewhere says nothing here. */
  rebase(confirmedAt: Place): void {
    this.#confirmedAt = confirmedAt;
    this.#pass = undefined;
    this.#stored = undefined;
  }

  close(): void {
    this.#table.close();
  }

  #replace(checksum: DatabaseChecksum, page: number, low: number, high: number): void {
    this.#table.read(page, this.#value);
    checksum.subtract(this.#value[0] ?? 0, this.#value[1] ?? 0);
    checksum.add(low, high);
  }

  /** Adds pages that come into the database without a frame of this transaction. */
  #addRange(checksum: DatabaseChecksum, first: number, end: number): void {
    for (let page = first; page < end; page++) {
      if (page === this.#lockPage) continue;
      this.#table.read(page, this.#value);
      if (this.#value[0] === 0 && this.#value[1] === 0) hashZeroPage(page, this.pageSize, this.#value);
      checksum.addAll(this.#value);
    }
  }

  /** A page within the size that nobody wrote reads as zeros. */
  #fill(page: number): void {
    if (page === this.#lockPage) return;
    this.#table.read(page, this.#value);
    if (this.#value[0] !== 0 || this.#value[1] !== 0) return;
    hashZeroPage(page, this.pageSize, this.#value);
    this.#table.write(page, this.#value[0] ?? 0, this.#value[1] ?? 0);
  }

  #learn(page: number, values: Uint32Array, at: number): void {
    if (page === this.#lockPage) return;
    if (this.#touched.has(page)) return this.#learnFromTable(page);
    const [low, high] = [values[at] ?? 0, values[at + 1] ?? 0];
    this.#table.write(page, low, high);
    this.#checksum.add(low, high);
  }

  #learnFromTable(page: number): void {
    if (page === this.#lockPage) return;
    this.#fill(page);
    this.#table.read(page, this.#value);
    this.#checksum.addAll(this.#value);
  }

  #finishBuilding(known: number): void {
    this.#known = known;
    if (known <= this.#databasePages) return;
    this.#known = Infinity;
    this.#confirmedAt = this.#began;
  }

  #compare(first: number, end: number, values: Uint32Array): number[] {
    const different: number[] = [];
    for (let page = first; page < end; page++) {
      if (page === this.#lockPage || this.#touched.has(page)) continue;
      this.#table.read(page, this.#value);
      const at = (page - first) * 2;
      if (this.#value[0] !== values[at] || this.#value[1] !== values[at + 1]) different.push(page);
    }
    if (different.length > 0 && this.#pass !== undefined) this.#pass.isClean = false;
    this.#advancePass(first, end);
    return different;
  }

  #advancePass(first: number, end: number): void {
    const pass = this.#pass;
    if (pass === undefined || first > pass.nextPage || end <= pass.nextPage) return;
    pass.nextPage = end;
    this.#endPass();
  }

  /** Once it has seen all pages that there are; a database that became smaller may have none left. */
  #endPass(): void {
    if (this.#pass === undefined || this.#pass.nextPage <= this.#databasePages) return;
    if (this.#pass.isClean) this.#confirmedAt = this.#pass.began;
    this.#pass = undefined;
  }

  #touch(page: number): void {
    this.#touched.add(page);
    this.#changed.add(page);
  }

  #spill(): void {
    this.#pending.eachNewest((page, low, high) => {
      if (page <= this.#databasePages && page < this.#known) this.#replace(this.#checksum, page, low, high);
      this.#table.write(page, low, high);
      this.#touch(page);
    });
    this.#pending.clear();
    this.#isSpilled = true;
  }

  #hashFrames(frames: Uint8Array): Uint32Array {
    const words = frames.length / frameSize(this.pageSize) * 2;
    if (this.#values.length < words) this.#values = new Uint32Array(words);
    pageHasher().hashFrames(frames, this.pageSize, this.#values);
    return this.#values;
  }

  #hashPages(pages: Uint8Array, first: number): Uint32Array {
    const words = pages.length / this.pageSize * 2;
    if (this.#values.length < words) this.#values = new Uint32Array(words);
    pageHasher().hashPages(pages, this.pageSize, first, this.#values);
    return this.#values;
  }
}
