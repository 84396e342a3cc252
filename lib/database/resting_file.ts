/**
 * While all of the WAL is copied and our hold reads to its end nobody may write into the database file, SQLite least of all.
 * If it was written all the same, somebody copies another database over it in place; or only its time was changed, as `touch`
 * and some backup programs do. So what it holds is compared with what was captured before anything is believed.
 *
 * That lasts as long as this one hold, or another that took its place beside it and reads the same frames. After any other
 * hold the file may have been written by a checkpoint, and how it looked before means nothing.
 */
import { limits } from "../base/limits.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { OpenDatabase } from "./open_database.ts";
import { type HoldFacts, readsSameFrames } from "./read_hold.ts";
import type { ShadowWal } from "./shadow_wal.ts";
import { FILE_SETTLES_MS, FILE_WRITTEN_MAX_MS, lookOf } from "./still_file.ts";

/** "pending" until a file that holds something else has stood still for a while; captures wait meanwhile. */
export type RestJudgement = "none" | "pending" | "overwritten";

/** Captures wait for the comparison; a resync of what is larger reads the same, and they do not wait for it. */
const COMPARE_MAX_MS = 1_000;
const WORK_MS = 5;

/** Only one file is compared at a time between two turns of the loop. */
const buffer = new Uint8Array(limits.transferBytes);

export class RestingFile {
  readonly #open: OpenDatabase;
  readonly #shadow: ShadowWal;
  readonly #files: FileSystem;
  readonly #clock: Clock;
  #atRest: string | undefined;
  /** The hold under which it stands still. */
  #under: HoldFacts | undefined;
  #written: { readonly sinceMs: number; look: string; lookSinceMs: number; isOther: boolean } | undefined;

  constructor(
    open: OpenDatabase,
    shadow: ShadowWal,
    { files, clock }: { readonly files: FileSystem; readonly clock: Clock },
  ) {
    this.#open = open;
    this.#shadow = shadow;
    this.#files = files;
    this.#clock = clock;
  }

  /** All of the WAL is copied: under the present hold the file stands still. */
  begin(): void {
    this.#endUnderOther();
    this.#under = this.#open.hold.facts;
    if (this.#under !== undefined) this.#atRest ??= this.#look();
  }

  /** `next` was taken while `old` still held; one that reads other frames ends it. */
  handOver(old: HoldFacts | undefined, next: HoldFacts): void {
    if (old !== undefined && readsSameFrames(old, next)) this.continueUnder(old, next);
  }

  /** Nothing was committed or copied between the two holds. */
  continueUnder(old: HoldFacts | undefined, next: HoldFacts | undefined): void {
    if (old !== undefined && this.#under === old) this.#under = next;
  }

  /** Frames may be copied into it again. */
  end(): void {
    this.#atRest = undefined;
    this.#under = undefined;
    this.#written = undefined;
  }

  #endUnderOther(): void {
    if (this.#under !== this.#open.hold.facts) this.end();
  }

  async judge(): Promise<RestJudgement> {
    this.#endUnderOther();
    if (this.#atRest === undefined) return "none";
    const look = this.#look();
    const nowMs = this.#clock.monotonicMs();
    if (look === this.#atRest) {
      this.#written = undefined;
      return "none";
    }
    this.#written ??= { sinceMs: nowMs, look: "", lookSinceMs: nowMs, isOther: true };
    const written = this.#written;
    if (written.look !== look) {
      [written.look, written.lookSinceMs] = [look, nowMs];
      written.isOther = this.#isOtherSize() || !await this.#isAsCaptured();
    }
    if (!written.isOther && this.#look() === look) {
      this.#atRest = look; // Only its time was changed.
      this.#written = undefined;
      return "none";
    }
    if (nowMs - written.sinceMs >= FILE_WRITTEN_MAX_MS) return "overwritten";
    return nowMs - written.lookSinceMs < FILE_SETTLES_MS ? "pending" : "overwritten";
  }

  #look(): string {
    return lookOf(this.#files, this.#open.path);
  }

  #isOtherSize(): boolean {
    return this.#look().split(" ")[0] !== this.#atRest?.split(" ")[0];
  }

  /** Whether every page is the one that was captured; false also where that is not known, or takes too long. */
  async #isAsCaptured(): Promise<boolean> {
    const { pages } = this.#shadow;
    if (pages?.isUsable !== true) return false;
    pages.noteCopied();
    const { pageSize, databasePages } = pages;
    const perRead = Math.floor(buffer.length / pageSize);
    const began = this.#clock.monotonicMs();
    for (let first = 1; first <= databasePages;) {
      const start = this.#clock.monotonicMs();
      if (start - began > COMPARE_MAX_MS) return false;
      for (; first <= databasePages && this.#clock.monotonicMs() - start < WORK_MS; first += perRead) {
        if (!this.#hasPages(first, Math.min(perRead, databasePages - first + 1))) return false;
      }
      await this.#clock.yield();
    }
    return true;
  }

  #hasPages(first: number, count: number): boolean {
    const { pages } = this.#shadow;
    if (pages === undefined) return false;
    const { pageSize } = pages;
    const bytes = buffer.subarray(0, count * pageSize);
    if (this.#open.databaseFile.readAt(bytes, (first - 1) * pageSize) < bytes.length) return false;
    for (let i = 0; i < count; i++) {
      if (pages.differs(first + i, bytes.subarray(i * pageSize, (i + 1) * pageSize))) return false;
    }
    return true;
  }
}
