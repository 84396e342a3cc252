/** Gathers what is found after being away, and compares it byte by byte with what the shadow WAL holds. */
import { equalBytes, viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { isRetryable, messageOf } from "../base/errors.ts";
import type { FileHandle } from "../platform/file_system.ts";
import type { Generation } from "../position/generation.ts";
import { asIndex } from "../position/position.ts";
import { FRAME_HEADER_SIZE, FRAME_SALT_AT, frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { WAL_HEADER_SIZE } from "../wal/header.ts";
import { equalSalts, isEarlier, mayFollow } from "../wal/salt.ts";
import type { OpenDatabase } from "./open_database.ts";
import type { ResumeFacts } from "./resume_decision.ts";
import type { CapturedLife } from "./shadow_files.ts";
import { ShadowWal } from "./shadow_wal.ts";
import type { StateFolder } from "./state_folder.ts";
import type { WalIndexHeader } from "./wal_index.ts";

type FoundFacts = Omit<ResumeFacts, "brokenBecause" | "databaseFile" | "perhapsWritten">;

export interface Found {
  readonly facts: FoundFacts;
  readonly shadow: ShadowWal | undefined;
}

const NOTHING: Omit<FoundFacts, "stateProblem"> = {
  lastLifeClosed: false,
  hasLastLife: false,
  lastEndsInResync: false,
  sameSalts: false,
  restartedOnce: false,
  committed: 0,
  captured: 0,
  sameBytes: false,
  isOverwritten: false,
  incompleteBecause: undefined,
};

/** Looks under a read hold, so that nobody restarts the WAL meanwhile (or once at most, which the capture will notice). */
export function gatherResumeFacts(open: OpenDatabase, state: StateFolder, index: WalIndexHeader, nowMs: number): Found {
  const record = state.current();
  if (record === undefined) {
    return { facts: { ...NOTHING, stateProblem: "there is no earlier state" }, shadow: undefined };
  }
  const shadow = openShadow(state, record.generation, nowMs);
  if (typeof shadow === "string") return { facts: { ...NOTHING, stateProblem: shadow }, shadow: undefined };
  const last = shadow.life ?? shadow.closedLife;
  if (last === undefined) return { facts: { ...NOTHING, stateProblem: undefined }, shadow };
  const lastLifeClosed = shadow.life === undefined;
  const sameSalts = equalSalts(last.header.salt, index.salt);
  const restartedOnce = !sameSalts && mayFollow(index.salt, last.header.salt);
  const lastIndex = lastLifeClosed ? asIndex(shadow.index - 1) : shadow.index;
  const lastWal = state.files.open(shadow.walPath(lastIndex), "read");
  try {
    const comparison = { open, shadow: lastWal, life: last, index };
    const sameBytes = sameSalts && index.mxFrame >= last.frames && hasSameFrames(comparison, 0);
    return {
      shadow,
      facts: {
        stateProblem: undefined,
        lastLifeClosed,
        hasLastLife: true,
        lastEndsInResync: shadow.endsInResync(lastIndex),
        sameSalts,
        restartedOnce,
        committed: index.mxFrame,
        captured: last.frames,
        sameBytes,
        isOverwritten: sameBytes && !hasCopiedPages(comparison),
        incompleteBecause: restartedOnce ? whyIncomplete(comparison, state.isSameBoot()) : undefined,
      },
    };
  } finally {
    lastWal.close();
  }
}

function openShadow(state: StateFolder, generation: Generation, nowMs: number): ShadowWal | string {
  try {
    return ShadowWal.open(state.files, state.shadowPath, generation, nowMs, state.notBeforeMs());
  } catch (error) {
    if (isRetryable(error)) throw error;
    return `the shadow WAL cannot be continued (${messageOf(error)})`;
  }
}

interface Comparison {
  readonly open: OpenDatabase;
  readonly shadow: FileHandle;
  readonly life: CapturedLife;
  readonly index: WalIndexHeader;
}

/** Whether the WAL file holds the captured frames from the given one on, byte for byte; from 0, the header too. */
function hasSameFrames({ open, shadow, life }: Comparison, fromFrame: number): boolean {
  const size = frameSize(life.header.pageSize);
  const end = WAL_HEADER_SIZE + life.frames * size;
  const ours = new Uint8Array(limits.transferBytes);
  const theirs = new Uint8Array(limits.transferBytes);
  for (let at = fromFrame === 0 ? 0 : WAL_HEADER_SIZE + fromFrame * size; at < end;) {
    const length = Math.min(ours.length, end - at);
    const own = ours.subarray(0, length);
    if (shadow.readAt(own, at) < length || open.walFile.readAt(theirs.subarray(0, length), at) < length) return false;
    if (!equalBytes(own, theirs.subarray(0, length))) return false;
    at += length;
  }
  return true;
}

/**
 * After one restart: why the captured life cannot be shown to have been complete. It was, if its captured frames that the
 * new life has not overwritten still stand, the last one among them; behind them stands what an earlier life wrote there,
 * so that this one never did; every page whose newest version is a captured frame has that content in the database file;
 * and the machine was not switched off meanwhile (which alone could have taken back a frame that was committed and captured).
 */
function whyIncomplete(comparison: Comparison, sameBoot: boolean): string | undefined {
  const { open, life, index } = comparison;
  if (!sameBoot) return "the WAL was restarted, and the machine too";
  if (index.mxFrame >= life.frames) return "the WAL was restarted and has overwritten the end of what was captured";
  if (!hasSameFrames(comparison, index.mxFrame)) return "the WAL was restarted after other frames than those captured";
  switch (behindEnd(open.walFile, life)) {
    case "nothing":
      return "the WAL was restarted and ends where what was captured ends: more may have stood there";
    case "later":
      return "the WAL was restarted after more had been written than captured";
    case "earlier":
      return hasPagesInFile(comparison)
        ? undefined
        : "the WAL was restarted, and the database file is not what it led to";
  }
}

/**
 * What stands in the place of the frame after the captured ones. Only a whole frame of an earlier life proves that this one
 * never wrote there: a file that ends before it may have been cut off there (TRUNCATE, `journal_size_limit`), and whatever
 * else is there has been written over it.
 */
function behindEnd(wal: FileHandle, { header, frames }: CapturedLife): "nothing" | "earlier" | "later" {
  const frame = new Uint8Array(frameSize(header.pageSize));
  if (wal.readAt(frame, WAL_HEADER_SIZE + frames * frame.length) < frame.length) return "nothing";
  const view = viewOf(frame);
  const salt = { salt1: view.getUint32(FRAME_SALT_AT), salt2: view.getUint32(FRAME_SALT_AT + 4) };
  return isEarlier(salt, header.salt) ? "earlier" : "later";
}

/** Whether pages whose newest version was copied into the database file have that content there. */
function hasCopiedPages({ open, life, index }: Comparison): boolean {
  const { pageSize } = life.header;
  const size = frameSize(pageSize);
  const seen = new Set<number>();
  const frame = new Uint8Array(size);
  const page = new Uint8Array(pageSize);
  for (let i = index.mxFrame - 1; i >= 0; i--) {
    open.walFile.readAt(frame, WAL_HEADER_SIZE + i * size);
    const number = viewOf(frame).getUint32(PAGE_NUMBER_AT);
    if (seen.has(number)) continue;
    seen.add(number);
    // A later frame may be in the file already, too, when a checkpoint was cut short: then nothing can be said.
    if (i >= index.backfilled || number > index.databasePages) continue;
    if (open.databaseFile.readAt(page, (number - 1) * pageSize) < pageSize) return false;
    if (!equalBytes(page, frame.subarray(FRAME_HEADER_SIZE))) return false;
  }
  return true;
}

function hasPagesInFile({ open, shadow, life, index }: Comparison): boolean {
  const { pageSize } = life.header;
  const size = frameSize(pageSize);
  const rewritten = new Set<number>();
  const frame = new Uint8Array(size);
  for (let i = 0; i < index.mxFrame; i++) {
    open.walFile.readAt(frame.subarray(0, FRAME_HEADER_SIZE), WAL_HEADER_SIZE + i * size);
    rewritten.add(viewOf(frame).getUint32(PAGE_NUMBER_AT));
  }
  const page = new Uint8Array(pageSize);
  for (let i = life.frames - 1; i >= 0; i--) {
    shadow.readAt(frame, WAL_HEADER_SIZE + i * size);
    const number = viewOf(frame).getUint32(PAGE_NUMBER_AT);
    if (rewritten.has(number) || number > life.databasePages) continue;
    rewritten.add(number); // Older frames of the same page say nothing.
    if (open.databaseFile.readAt(page, (number - 1) * pageSize) < pageSize) return false;
    if (!equalBytes(page, frame.subarray(FRAME_HEADER_SIZE))) return false;
  }
  return true;
}
