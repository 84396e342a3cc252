/**
 * Looks at the database file beside the page table: fills a table that is being made, compares one that is whole. Nothing is
 * awaited between reading and comparing, and nothing is looked at unless all is captured that a checkpoint may have copied
 * into the file by now: then a page without frames in the captured life stands there as it was captured.
 */
import { limits } from "../base/limits.ts";
import { equalSalts } from "../wal/salt.ts";
import type { OpenDatabase } from "./open_database.ts";
import type { ShadowWal } from "./shadow_wal.ts";

export interface FileLook {
  readonly bytes: number;
  /** Pages that are not what was captured. */
  readonly different: readonly number[];
}

/** Only one look is under way at a time, and it awaits nothing. */
const buffer = new Uint8Array(limits.transferBytes);

/** Whether what stands in the file can be nothing but what was captured. */
export function isFileKnown({ hold, walIndex }: OpenDatabase, shadow: ShadowWal, isCaughtUp: boolean): boolean {
  const { facts } = hold;
  if (facts === undefined || walIndex.read() === undefined) return false;
  if (isCaughtUp || facts.mark === 0) return true;
  const { life } = shadow;
  if (life === undefined) return false;
  // Checkpoints copy no further than our mark. A later life than the hold's was captured after all of the hold's.
  return !equalSalts(life.header.salt, facts.salt) || life.frames >= facts.mark;
}

/** The next pages that the table wants to see. */
export function lookAtFile(open: OpenDatabase, shadow: ShadowWal): FileLook {
  const { pages } = shadow;
  if (pages === undefined) return { bytes: 0, different: [] };
  const first = pages.nextPage;
  const got = open.databaseFile.readAt(buffer, (first - 1) * pages.pageSize);
  return seePages(shadow, first, buffer.subarray(0, got), got < buffer.length);
}

/** Pages that were just read from the file, from `firstPage` on. */
export function seePages(shadow: ShadowWal, firstPage: number, bytes: Uint8Array, isEnd: boolean): FileLook {
  const { pages } = shadow;
  if (pages === undefined) return { bytes: 0, different: [] };
  const whole = Math.floor(bytes.length / pages.pageSize);
  const different = pages.see(firstPage, bytes.subarray(0, whole * pages.pageSize));
  if (isEnd) different.push(...pages.seeEnd(firstPage + whole));
  return { bytes: bytes.length, different };
}

/** Which of these pages are still not what was captured. */
export function lookAgain(open: OpenDatabase, shadow: ShadowWal, suspects: readonly number[]): number[] {
  const { pages } = shadow;
  if (pages === undefined) return [];
  return suspects.filter((page) => {
    const bytes = buffer.subarray(0, pages.pageSize);
    const got = open.databaseFile.readAt(bytes, (page - 1) * pages.pageSize);
    return page <= pages.databasePages && (got < bytes.length || pages.differs(page, bytes));
  });
}
