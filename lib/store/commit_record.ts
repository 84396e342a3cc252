/**
 * A commit record: 64 bytes, little-endian, one for each capture, appended to the `.commits` file of its index; one alone
 * is the `.record` beside a snapshot.
 *
 *    0  u8   version: 1 (others are refused)
 *    1  u8   kind: 1 sync, 2 snapshot, 3 resync
 *    2  u16  flags: 1 checksum present, 2 source confirmed, 4 captured late, 8 index closed; other bits are 0
 *    4  u32  page size in bytes; 0 for the snapshot of a database without pages
 *    8  u64  start offset of the frames it speaks of (0: from the WAL header on)
 *   16  u64  end offset; of a snapshot, start = end = the offset it was taken at
 *   24  u64  capture time in ms since 1970; never decreasing within a generation, unless "captured late"
 *   32  u32  database size in pages after the last of these frames
 *   36  u64  checksum of the whole database there (0 when absent)
 *   44  u64  index,  52  u64  offset: where the checksum table was last confirmed against the source
 *   60  u32  CRC-32C (Castagnoli) of bytes 0 to 59
 *
 * Records of one index are contiguous: each starts where the one before ended, the first at 0. A record with the flag
 * "index closed" is the last of its index, has start = end, and says that the WAL of this index is complete there: without
 * it nobody could tell a complete WAL from one whose tail was lost.
 */
import { crc32c } from "../base/crc32c.ts";
import { limits } from "../base/limits.ts";
import { getSafeUint64, setSafeUint64, viewOf } from "../base/bytes.ts";
import { asIndex, asOffset, type Index, type Offset } from "../position/position.ts";
import { isPageSize } from "../wal/header.ts";

export const COMMIT_RECORD_SIZE = 64;
export const COMMIT_RECORD_VERSION = 1;

const KINDS = { sync: 1, snapshot: 2, resync: 3 } as const;
export type CommitRecordKind = keyof typeof KINDS;

const FLAG_CHECKSUM = 1;
const FLAG_CONFIRMED = 2;
const FLAG_LATE = 4;
const FLAG_CLOSED = 8;
const FLAGS_KNOWN = FLAG_CHECKSUM | FLAG_CONFIRMED | FLAG_LATE | FLAG_CLOSED;
const CRC_AT = 60;

export interface CommitRecord {
  readonly kind: CommitRecordKind;
  readonly pageSize: number;
  readonly start: Offset;
  readonly end: Offset;
  readonly capturedAtMs: number;
  readonly databasePages: number;
  /** 8 bytes as stored; absent until a page checksum table supplies it. */
  readonly checksum?: Uint8Array;
  readonly confirmedAt?: { readonly index: Index; readonly offset: Offset };
  readonly capturedLate: boolean;
  readonly indexClosed: boolean;
}

export type ParsedCommitRecord =
  | { readonly ok: true; readonly record: CommitRecord }
  /** `unsupported`: read rightly, but written by a later version; never to be taken for damage. */
  | { readonly ok: false; readonly reason: string; readonly unsupported: boolean };

/** One after the other. */
export function formatCommitRecords(records: readonly CommitRecord[]): Uint8Array {
  const bytes = new Uint8Array(records.length * COMMIT_RECORD_SIZE);
  records.forEach((record, slot) => bytes.set(formatCommitRecord(record), slot * COMMIT_RECORD_SIZE));
  return bytes;
}

export function formatCommitRecord(record: CommitRecord): Uint8Array {
  const bytes = new Uint8Array(COMMIT_RECORD_SIZE);
  const view = viewOf(bytes);
  view.setUint8(0, COMMIT_RECORD_VERSION);
  view.setUint8(1, KINDS[record.kind]);
  const flags = (record.checksum === undefined ? 0 : FLAG_CHECKSUM) |
    (record.confirmedAt === undefined ? 0 : FLAG_CONFIRMED) |
    (record.capturedLate ? FLAG_LATE : 0) | (record.indexClosed ? FLAG_CLOSED : 0);
  view.setUint16(2, flags, true);
  view.setUint32(4, record.pageSize, true);
  setSafeUint64(view, 8, record.start);
  setSafeUint64(view, 16, record.end);
  setSafeUint64(view, 24, record.capturedAtMs);
  view.setUint32(32, record.databasePages, true);
  if (record.checksum !== undefined) bytes.set(record.checksum, 36);
  if (record.confirmedAt !== undefined) {
    setSafeUint64(view, 44, record.confirmedAt.index);
    setSafeUint64(view, 52, record.confirmedAt.offset);
  }
  view.setUint32(CRC_AT, crc32c(bytes.subarray(0, CRC_AT)), true);
  return bytes;
}

export function parseCommitRecord(bytes: Uint8Array): ParsedCommitRecord {
  if (bytes.length < COMMIT_RECORD_SIZE) {
    return refused(`a commit record has ${bytes.length} of ${COMMIT_RECORD_SIZE} bytes`);
  }
  const view = viewOf(bytes);
  if (view.getUint32(CRC_AT, true) !== crc32c(bytes.subarray(0, CRC_AT))) {
    return refused("a commit record's checksum does not match");
  }
  const version = view.getUint8(0);
  if (version !== COMMIT_RECORD_VERSION) {
    return refused(`a commit record has the unknown version ${version}`, true);
  }
  const kind = kindOf(view.getUint8(1));
  const flags = view.getUint16(2, true);
  if (kind === undefined || (flags & ~FLAGS_KNOWN) !== 0) {
    return refused("a commit record has a kind or flags that this version does not know", true);
  }
  const record: CommitRecord = {
    kind,
    pageSize: view.getUint32(4, true),
    start: asOffset(getSafeUint64(view, 8)),
    end: asOffset(getSafeUint64(view, 16)),
    capturedAtMs: getSafeUint64(view, 24),
    databasePages: view.getUint32(32, true),
    ...((flags & FLAG_CHECKSUM) === 0 ? {} : { checksum: bytes.slice(36, 44) }),
    ...((flags & FLAG_CONFIRMED) === 0 ? {} : {
      confirmedAt: { index: asIndex(getSafeUint64(view, 44)), offset: asOffset(getSafeUint64(view, 52)) },
    }),
    capturedLate: (flags & FLAG_LATE) !== 0,
    indexClosed: (flags & FLAG_CLOSED) !== 0,
  };
  return isPossible(record, bytes) ? { ok: true, record } : refused("a commit record has impossible contents");
}

/** The bytes are those that were written; this asks whether a writer of this version can have meant them. */
function isPossible(record: CommitRecord, bytes: Uint8Array): boolean {
  const { kind, pageSize, start, end, checksum, confirmedAt, indexClosed } = record;
  const numbers = [start, end, record.capturedAtMs, confirmedAt?.index ?? 0, confirmedAt?.offset ?? 0];
  return numbers.every(Number.isSafeInteger) && record.capturedAtMs <= limits.latestMs &&
    (kind === "snapshot" || indexClosed ? start === end : start <= end) &&
    (isPageSize(pageSize) || (pageSize === 0 && kind === "snapshot")) &&
    (checksum !== undefined || isZero(bytes, 36, 44)) && (confirmedAt !== undefined || isZero(bytes, 44, CRC_AT));
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}

function refused(reason: string, unsupported = false): ParsedCommitRecord {
  return { ok: false, reason, unsupported };
}

function kindOf(code: number): CommitRecordKind | undefined {
  for (const [kind, number] of Object.entries(KINDS)) if (number === code) return kind as CommitRecordKind;
  return undefined;
}
