/**
 * Continues a history across a gap: finds the pages of the database that are not what was captured last, and writes them as
 * one transaction, the next index of the same generation.
 *
 *   1. The present life is captured from its first frame into a shadow WAL of its own, the new one, while the whole file is
 *      looked at: the new page table then is the database at a known position.
 *   2. Pages whose values differ in the two tables are copied; those that change meanwhile once more. The application goes on
 *      all the time, and so do hand-overs and checkpoints.
 *   3. Under one hold, awaiting nothing: what is left is copied, from the frames of the present life or else from the file.
 *      The old shadow WAL gets the transaction as an index, then the present life, whose frames up to here are one record:
 *      what was half-read before is no point.
 */
import { equalBytes } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import type { PageLedger } from "../pages/page_ledger.ts";
import { PageTable } from "../pages/page_table.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { asOffset } from "../position/position.ts";
import { FRAME_HEADER_SIZE, frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { formatWalHeader } from "../wal/header.ts";
import { equalSalts } from "../wal/salt.ts";
import { syntheticHeader, SyntheticWal } from "../wal/synthetic_wal.ts";
import { lookAtFile } from "./file_look.ts";
import type { OpenDatabase } from "./open_database.ts";
import { eachPiece } from "./page_recovery.ts";
import { isWorthResync } from "./resync_decision.ts";
import type { ShadowWal } from "./shadow_wal.ts";
import type { WalIndexHeader } from "./wal_index.ts";
import type { TickOutcome, Watch } from "./watch.ts";

export interface ResyncParts {
  readonly open: OpenDatabase;
  readonly files: FileSystem;
  readonly clock: Clock;
  /** The history that is to be continued; its page table is that of its end. */
  readonly old: ShadowWal;
  /** The present life, captured from its first frame, with a page table that is being made. */
  readonly fresh: ShadowWal;
  readonly watch: Watch;
  /** Where a table of the copied pages is kept meanwhile. */
  readonly copiedPath: string;
  readonly salts: Uint8Array;
  readonly maxBytes: number;
  /**
   * The WAL as it was when continuity was shown, but for the file: while it is the same life, and all pages without frames in
   * it are those that were captured, nothing is to be resynced.
   */
  readonly unlessSame?: WalIndexHeader;
}

export type ResyncOutcome =
  | {
    readonly kind: "continued";
    readonly pages: number;
    readonly frames: number;
    readonly lifeEnded: boolean;
    readonly milliseconds: number;
  }
  | { readonly kind: "unchanged"; readonly milliseconds: number }
  | { readonly kind: "given-up"; readonly because: string }
  /** The watch over the present life ended. */
  | { readonly kind: "ended"; readonly outcome: TickOutcome };

/** What a hand-over must not wait for. */
const WORK_MS = 5;
const ROUNDS_MAX = 3;
const NEVER = new AbortController().signal;

export async function resync(parts: ResyncParts): Promise<ResyncOutcome> {
  const began = parts.clock.monotonicMs();
  const ended = await lookAtAll(parts);
  if (ended !== undefined) return { kind: "ended", outcome: ended };
  if (isUnchanged(parts)) return { kind: "unchanged", milliseconds: Math.round(parts.clock.monotonicMs() - began) };
  const pages = countDifferent(parts);
  const { databasePages, pageSize } = tableOf(parts.fresh);
  if (!isWorthResync(pages, pageSize, parts.maxBytes)) {
    return { kind: "given-up", because: `${pages} of ${databasePages} pages differ: too much for the shadow WAL` };
  }
  const copy = new DifferenceCopy(parts);
  try {
    for (let round = 0, copied = pages; round < ROUNDS_MAX && copied > 0; round++) {
      const outcome = await copy.round();
      if (typeof outcome !== "number") return { kind: "ended", outcome };
      copied = outcome;
    }
    await parts.watch.settle();
    const trouble = await parts.watch.captureAll();
    if (trouble !== undefined) return { kind: "ended", outcome: trouble };
    const frames = copy.finish();
    if (frames === undefined) return { kind: "given-up", because: "the database is not what was seen of it" };
    const milliseconds = Math.round(parts.clock.monotonicMs() - began);
    return { kind: "continued", pages, frames, lifeEnded: copy.lifeEnded, milliseconds };
  } finally {
    copy.close();
  }
}

/** Until the new table knows every page. */
async function lookAtAll({ open, fresh, watch, clock }: ResyncParts): Promise<TickOutcome | undefined> {
  const ledger = tableOf(fresh);
  while (ledger.isBuilding) {
    const outcome = await tick(watch);
    if (outcome !== undefined) return outcome;
    const start = clock.monotonicMs();
    while (ledger.isBuilding && watch.isFileKnown && clock.monotonicMs() - start < WORK_MS) lookAtFile(open, fresh);
    await clock.yield();
  }
  return undefined;
}

/** Whether the history goes on by the WAL after all. */
function isUnchanged({ old, fresh, open, unlessSame }: ResyncParts): boolean {
  const index = open.walIndex.read();
  if (unlessSame === undefined || index === undefined || !equalSalts(index.salt, unlessSame.salt)) return false;
  if (index.mxFrame < unlessSame.mxFrame) return false;
  const [before, now] = [tableOf(old), tableOf(fresh)];
  // Without frames the file alone says how large the database is.
  if (fresh.life === undefined && now.databasePages !== before.databasePages) return false;
  const [a, b] = [new Uint32Array(2), new Uint32Array(2)];
  for (let page = 1; page <= now.databasePages; page++) {
    if (now.isChanged(page)) continue;
    before.read(page, a);
    now.read(page, b);
    if (page > before.databasePages || a[0] !== b[0] || a[1] !== b[1]) return false;
  }
  return true;
}

async function tick(watch: Watch): Promise<TickOutcome | undefined> {
  const outcome = await watch.tick(NEVER);
  return outcome.kind === "quiet" || outcome.kind === "busy" ? undefined : outcome;
}

function countDifferent({ old, fresh }: ResyncParts): number {
  const [before, now] = [tableOf(old), tableOf(fresh)];
  const [a, b] = [new Uint32Array(2), new Uint32Array(2)];
  let count = 0;
  for (let page = 1; page <= now.databasePages; page++) {
    before.read(page, a);
    now.read(page, b);
    if (page > before.databasePages || a[0] !== b[0] || a[1] !== b[1]) count++;
  }
  return count;
}

class DifferenceCopy {
  readonly #parts: ResyncParts;
  readonly #before: PageLedger;
  readonly #now: PageLedger;
  /** Values of the pages that were copied. */
  readonly #copied: PageTable;
  readonly #page: Uint8Array;
  readonly #value = new Uint32Array(2);
  readonly #wanted = new Uint32Array(2);
  #synthetic: SyntheticWal | undefined;
  #isPublished = false;
  lifeEnded = false;

  constructor(parts: ResyncParts) {
    this.#parts = parts;
    this.#before = tableOf(parts.old);
    this.#now = tableOf(parts.fresh);
    this.#copied = PageTable.create(parts.files, parts.copiedPath);
    this.#page = new Uint8Array(this.#now.pageSize);
  }

  /** Copies what the file holds, and lets everything else have its turn. How many pages that were. */
  async round(): Promise<TickOutcome | number> {
    const { watch, clock } = this.#parts;
    let copied = 0;
    for (let page = 1; page <= this.#now.databasePages;) {
      const outcome = await tick(watch);
      if (outcome !== undefined) return outcome;
      const start = clock.monotonicMs();
      for (; page <= this.#now.databasePages && clock.monotonicMs() - start < WORK_MS; page++) {
        if (!this.#isMissing(page) || this.#now.isTouched(page) || !watch.isFileKnown) continue;
        if (this.#copyFromFile(page)) copied++;
      }
      await clock.yield();
    }
    return copied;
  }

  /**
   * All that is captured is in the new shadow WAL. Returns the frames of the transaction, 0 when nothing differs; undefined
   * when the pages do not fit together.
   */
  finish(): number | undefined {
    const { old, fresh, watch, clock } = this.#parts;
    const inFrames = new Set<number>();
    for (let page = 1; page <= this.#now.databasePages; page++) {
      if (!this.#isMissing(page)) continue;
      if (this.#now.isTouched(page)) inFrames.add(page);
      else if (!this.#copyFromFile(page)) return undefined;
    }
    if (inFrames.size > 0) this.#copyFromFrames(inFrames);
    const isShorter = this.#now.databasePages !== this.#before.databasePages;
    if (this.#synthetic === undefined && isShorter && !this.#copyFirstPage()) return undefined;
    const frames = this.#synthetic?.frames ?? 0;
    const nowMs = clock.now().getTime();
    if (this.#synthetic !== undefined && !this.#publish(this.#synthetic, nowMs)) return undefined;
    if (fresh.life === undefined) {
      // The last life is over; what comes next closes its index. Nothing is written while nothing has changed.
      this.lifeEnded = old.life !== undefined;
      return frames;
    }
    if (old.life !== undefined) old.closeIndex(nowMs, "resync");
    this.#takeLifeOver(nowMs);
    this.lifeEnded = watch.lifeEnded;
    return frames;
  }

  close(): void {
    if (this.#synthetic !== undefined && !this.#isPublished) this.#parts.old.forget();
    this.#copied.close();
    this.#parts.files.remove(this.#parts.copiedPath);
  }

  /** Whether the transaction does not yet bring the page to what it is now. */
  #isMissing(page: number): boolean {
    this.#now.read(page, this.#wanted);
    this.#copied.read(page, this.#value);
    if (this.#value[0] === 0 && this.#value[1] === 0) {
      if (page > this.#before.databasePages) return this.#wanted[0] !== 0 || this.#wanted[1] !== 0;
      this.#before.read(page, this.#value);
    }
    return this.#value[0] !== this.#wanted[0] || this.#value[1] !== this.#wanted[1];
  }

  #copyFromFile(page: number): boolean {
    const { open } = this.#parts;
    const got = open.databaseFile.readAt(this.#page, (page - 1) * this.#now.pageSize);
    this.#page.fill(0, got);
    if (this.#now.differs(page, this.#page)) return false;
    this.#add(page, this.#page);
    return true;
  }

  #copyFromFrames(pages: Set<number>): void {
    const { fresh, files } = this.#parts;
    const size = frameSize(this.#now.pageSize);
    const places = new Map<number, number>();
    eachPiece(files, fresh, fresh.index, 0, fresh.offset, (frames, after) => {
      const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength);
      for (let frame = 0; frame * size < frames.length; frame++) {
        const page = view.getUint32(frame * size + PAGE_NUMBER_AT);
        if (pages.has(page)) places.set(page, after + frame);
      }
    });
    eachPiece(files, fresh, fresh.index, 0, fresh.offset, (frames, after) => {
      const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength);
      for (let frame = 0; frame * size < frames.length; frame++) {
        const page = view.getUint32(frame * size + PAGE_NUMBER_AT);
        const at = frame * size + FRAME_HEADER_SIZE;
        if (places.get(page) === after + frame) this.#add(page, frames.subarray(at, at + this.#now.pageSize));
      }
    });
  }

  /** A database that has only become shorter: a transaction has a page, and says the size. */
  #copyFirstPage(): boolean {
    if (!this.#now.isTouched(1)) return this.#copyFromFile(1);
    this.#copyFromFrames(new Set([1]));
    return true;
  }

  #add(page: number, content: Uint8Array): void {
    this.#now.read(page, this.#wanted);
    this.#synthetic ??= this.#begin();
    this.#synthetic.add(page, content);
    this.#copied.write(page, this.#wanted[0] ?? 0, this.#wanted[1] ?? 0);
  }

  #begin(): SyntheticWal {
    const { old, salts, clock } = this.#parts;
    if (old.life !== undefined) old.closeIndex(clock.now().getTime(), "resync");
    const header = syntheticHeader(this.#now.pageSize, salts);
    const write = (after: number, frames: Uint8Array) => old.writeFrames(after, frames);
    const synthetic = new SyntheticWal(header, header.checksum, write);
    old.begin(header, formatWalHeader(header));
    return synthetic;
  }

  /** False when the old table does not become the new one by it. */
  #publish(synthetic: SyntheticWal, nowMs: number): boolean {
    const { old } = this.#parts;
    const captured = synthetic.finish(this.#now.databasePages);
    const after = this.#before.checksumAfter(captured.databasePages);
    if (after === undefined || !equalBytes(after, this.#now.checksum ?? new Uint8Array())) return false;
    old.publish(captured, nowMs, true, "resync");
    this.#isPublished = true;
    old.closeIndex(nowMs, "resync");
    return true;
  }

  /** The present life, from its first frame, as the next index; one record up to here. */
  #takeLifeOver(nowMs: number): void {
    const { old, fresh, files } = this.#parts;
    const { life } = fresh;
    if (life === undefined) return;
    old.begin(life.header, formatWalHeader(life.header));
    eachPiece(files, fresh, fresh.index, 0, asOffset(fresh.offset), (frames, after) => old.writeFrames(after, frames));
    const { frames, checksum, databasePages } = life;
    old.publish({ frames, checksum, databasePages }, nowMs, true);
  }
}

function tableOf({ pages }: ShadowWal): PageLedger {
  if (pages === undefined) throw new ReplicationError("failed", "Cannot resync: there is no page table");
  return pages;
}
