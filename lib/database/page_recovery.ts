/** Takes up the page table after being away: the stored one, brought forward from the shadow WAL and proven, or a new one. */
import { equalBytes } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { PageLedger } from "../pages/page_ledger.ts";
import type { PageTableHeader, Place } from "../pages/page_table_header.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { asIndex, type Index } from "../position/position.ts";
import { frameSize } from "../wal/frame.ts";
import { WAL_HEADER_SIZE } from "../wal/header.ts";
import { readRecords } from "./shadow_files.ts";
import type { ShadowWal } from "./shadow_wal.ts";

/** A place in the shadow WAL at which the checksum of the database is known. */
interface Proof extends Place {
  readonly checksum: Uint8Array;
}

/**
 * The stored table at the end of the shadow WAL; undefined when there is none, or when it is not what the newest recorded
 * checksum says.
 */
export function recoverPages(files: FileSystem, path: string, shadow: ShadowWal, pageSize: number) {
  const found = PageLedger.open(files, path);
  if (found === undefined) return undefined;
  const { ledger, header } = found;
  if (isOfThisShadow(header, shadow, pageSize) && bringForward(files, shadow, ledger, header)) return ledger;
  ledger.close();
  return undefined;
}

/** A new table, to be made by looking at the database while capture goes on after what the shadow WAL holds. */
export function beginPages(
  files: FileSystem,
  path: string,
  shadow: ShadowWal,
  pageSize: number,
  databasePages: number,
): PageLedger {
  const ledger = PageLedger.create(files, path, pageSize, databasePages);
  if (shadow.life !== undefined) {
    eachPiece(files, shadow, shadow.index, 0, shadow.offset, (frames) => ledger.replay(frames));
  }
  return ledger;
}

function isOfThisShadow({ position, pageSize: stored }: PageTableHeader, shadow: ShadowWal, pageSize: number): boolean {
  return position.generation === shadow.generation && position.index >= shadow.oldestIndex() &&
    position.index <= shadow.index && stored === pageSize;
}

function bringForward(files: FileSystem, shadow: ShadowWal, ledger: PageLedger, header: PageTableHeader): boolean {
  const proof = newestProof(files, shadow, header);
  if (proof === undefined) return false;
  const first = header.position.index;
  for (let index: number = first; index <= proof.index; index++) {
    if (index > first) ledger.beginLife();
    const end = index === proof.index ? proof.offset : endOf(shadow, asIndex(index));
    eachPiece(files, shadow, asIndex(index), 0, end, (frames) => ledger.replay(frames));
  }
  if (!equalBytes(ledger.settle(), proof.checksum)) return false;
  bringUnrecorded(files, shadow, ledger, proof);
  return true;
}

/** What stands behind the last recorded checksum: frames whose own record a crash has swallowed. */
function bringUnrecorded(files: FileSystem, shadow: ShadowWal, ledger: PageLedger, proof: Proof): void {
  for (let index: number = proof.index; index <= shadow.index; index++) {
    const end = endOf(shadow, asIndex(index));
    const from = index === proof.index ? proof.offset : 0;
    if (end <= from) continue;
    if (index > proof.index) ledger.beginLife();
    eachPiece(files, shadow, asIndex(index), from, end, (frames) => ledger.addFrames(frames));
    const { databasePages } = readRecords(files, shadow.commitsPath(asIndex(index)), end).at(-1) ?? ledger;
    ledger.checksumAfter(databasePages);
    ledger.apply();
  }
}

/** The newest record with a checksum, not before what was stored; what was stored itself when none came after it. */
function newestProof(files: FileSystem, shadow: ShadowWal, header: PageTableHeader): Proof | undefined {
  const { index: first, offset } = header.position;
  for (let index: number = shadow.index; index >= first; index--) {
    const end = endOf(shadow, asIndex(index));
    const record = end === 0
      ? undefined
      : readRecords(files, shadow.commitsPath(asIndex(index)), end).findLast(({ checksum }) => checksum !== undefined);
    if (record?.checksum !== undefined) return { index: asIndex(index), offset: record.end, checksum: record.checksum };
  }
  return endOf(shadow, first) >= offset ? { index: first, offset, checksum: header.checksum } : undefined;
}

function endOf(shadow: ShadowWal, index: Index): number {
  return shadow.endOf(index)?.end ?? 0;
}

/** Whole frames of one index between two offsets, piece by piece. */
export function eachPiece(
  files: FileSystem,
  shadow: ShadowWal,
  index: Index,
  from: number,
  to: number,
  use: (frames: Uint8Array, afterFrames: number) => void,
): void {
  if (to <= from) return;
  const wal = files.open(shadow.walPath(index), "read");
  try {
    const header = new Uint8Array(WAL_HEADER_SIZE);
    wal.readAt(header, 0);
    const size = frameSize(new DataView(header.buffer).getUint32(8));
    const buffer = new Uint8Array(Math.max(1, Math.floor(limits.transferBytes / size)) * size);
    for (let at = Math.max(from, WAL_HEADER_SIZE); at < to;) {
      const piece = buffer.subarray(0, Math.min(buffer.length, to - at));
      wal.readAt(piece, at);
      use(piece, (at - WAL_HEADER_SIZE) / size);
      at += piece.length;
    }
  } finally {
    wal.close();
  }
}

/** Of a database that has no frames in the WAL: the file says how large it is. */
export function pagesOfFile(sizeBytes: number, pageSize: number): number {
  return pageSize === 0 ? 0 : Math.floor(sizeBytes / pageSize);
}
