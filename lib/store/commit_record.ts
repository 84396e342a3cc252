/**
 * A commit record: 64 bytes, little-endian, one for each capture, appended to the `.commits` file of its index; one alone
 * is the `.record` beside a snapshot. A replica gets records of version 2, which name the generation and index that they
 * were written for: an object that was exchanged says so by itself. The shadow WAL, which never leaves its folder, has
 * those of version 1, and so has what was written to replicas before.
 *
 *   v1       v2
 *    0  u8    0  u8   version: 1 or 2 (others are refused)
 *    1  u8    1  u8   kind: 1 sync, 2 snapshot, 3 resync
 *    2  u16   2  u8   flags: 1 checksum present, 2 source confirmed, 4 captured late, 8 index closed; other bits are 0
 *    4  u32   3  u8   page size in bytes; of version 2 its logarithm to base 2; 0 for the snapshot of no pages
 *    8  u64   4  u48  start offset of the frames it speaks of (0: from the WAL header on)
 *   16  u64  10  u48  end offset; of a snapshot, start = end = the offset it was taken at
 *   24  u64  16  u48  capture time in ms since 1970; never decreasing within a generation, unless "captured late"
 *   32  u32  22  u32  database size in pages after the last of these frames
 *   36  u64  26  u64  checksum of the whole database there (0 when absent)
 *   44  u64  34  u48  index,
 *   52  u64  40  u48  offset: where the checksum table was last confirmed against the source
 *            46  8    generation it was written for, its hex digits two a byte,
 *            54  u48  index: that of the WAL, of a snapshot that of its name
 *   60  u32  60  u32  CRC-32C (Castagnoli) of bytes 0 to 59
 *
 * Records of one index are contiguous: each starts where the one before ended, the first at 0. A record with the flag
 * "index closed" is the last of its index, has start = end, and says that the WAL of this index is complete there: without
 * it nobody could tell a complete WAL from one whose tail was lost.
 */
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc32c.ts";
import { limits } from "../base/limits.ts";
import { getSafeUint64, getUint48, setSafeUint64, setUint48, viewOf } from "../base/bytes.ts";
import type { Generation } from "../position/generation.ts";
import { asIndex, asOffset, formatIndex, type Index, type Offset } from "../position/position.ts";
import { isPageSize } from "../wal/header.ts";

export const COMMIT_RECORD_SIZE = 64;

const KINDS = { sync: 1, snapshot: 2, resync: 3 } as const;
export type CommitRecordKind = keyof typeof KINDS;
const KIND_BY_CODE = new Map(Object.entries(KINDS).map(([kind, code]) => [code as number, kind as CommitRecordKind]));

const FLAG_CHECKSUM = 1;
const FLAG_CONFIRMED = 2;
const FLAG_LATE = 4;
const FLAG_CLOSED = 8;
const FLAGS_KNOWN = FLAG_CHECKSUM | FLAG_CONFIRMED | FLAG_LATE | FLAG_CLOSED;
const CRC_AT = 60;

/** Where the fields of a version stand: what differs is how wide its numbers are, and so where the later ones begin. */
interface Fields {
  readonly version: number;
  readonly isNarrow: boolean;
  readonly startAt: number;
  readonly endAt: number;
  readonly timeAt: number;
  readonly pagesAt: number;
  readonly checksumAt: number;
  readonly confirmedIndexAt: number;
  readonly confirmedOffsetAt: number;
  readonly confirmedEnd: number;
}

const HOMELESS = fieldsOf(1, 8, 8);
const AT_HOME = fieldsOf(2, 4, 6);
const GENERATION_AT = AT_HOME.confirmedEnd;
const HOME_INDEX_AT = GENERATION_AT + 8;

function fieldsOf(version: number, startAt: number, numberBytes: 6 | 8): Fields {
  const pagesAt = startAt + 3 * numberBytes;
  const checksumAt = pagesAt + 4;
  const confirmedIndexAt = checksumAt + 8;
  return {
    version,
    isNarrow: numberBytes === 6,
    startAt,
    endAt: startAt + numberBytes,
    timeAt: startAt + 2 * numberBytes,
    pagesAt,
    checksumAt,
    confirmedIndexAt,
    confirmedOffsetAt: confirmedIndexAt + numberBytes,
    confirmedEnd: confirmedIndexAt + 2 * numberBytes,
  };
}

/** What a record was written for. */
export interface RecordHome {
  readonly generation: Generation;
  /** Of the WAL; of a snapshot that of its name. */
  readonly index: Index;
}

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
  /** It was found where it says that it belongs; one of version 1 says nothing of that. */
  readonly isAtHome?: true;
}

export type ParsedCommitRecord =
  | { readonly ok: true; readonly record: CommitRecord }
  /**
   * `unsupported`: read rightly, but written by a later version; never to be taken for damage. `foreign`: read rightly, but
   * written for another generation or index; never to be taken for one that is torn.
   */
  | { readonly ok: false; readonly reason: string; readonly unsupported: boolean; readonly foreign?: true };

/** One after the other. */
export function formatCommitRecords(records: readonly CommitRecord[], home?: RecordHome): Uint8Array {
  const bytes = new Uint8Array(records.length * COMMIT_RECORD_SIZE);
  records.forEach((record, slot) => bytes.set(formatCommitRecord(record, home), slot * COMMIT_RECORD_SIZE));
  return bytes;
}

/** Of version 2 where it has a home. */
export function formatCommitRecord(record: CommitRecord, home?: RecordHome): Uint8Array {
  const fields = home === undefined ? HOMELESS : AT_HOME;
  const put = fields.isNarrow ? setUint48 : setSafeUint64;
  const bytes = new Uint8Array(COMMIT_RECORD_SIZE);
  const view = viewOf(bytes);
  view.setUint8(0, fields.version);
  view.setUint8(1, KINDS[record.kind]);
  const flags = (record.checksum === undefined ? 0 : FLAG_CHECKSUM) |
    (record.confirmedAt === undefined ? 0 : FLAG_CONFIRMED) |
    (record.capturedLate ? FLAG_LATE : 0) | (record.indexClosed ? FLAG_CLOSED : 0);
  if (fields.isNarrow) {
    view.setUint8(2, flags);
    view.setUint8(3, record.pageSize === 0 ? 0 : Math.log2(record.pageSize));
  } else {
    view.setUint16(2, flags, true);
    view.setUint32(4, record.pageSize, true);
  }
  put(view, fields.startAt, record.start);
  put(view, fields.endAt, record.end);
  put(view, fields.timeAt, record.capturedAtMs);
  view.setUint32(fields.pagesAt, record.databasePages, true);
  if (record.checksum !== undefined) bytes.set(record.checksum, fields.checksumAt);
  if (record.confirmedAt !== undefined) {
    put(view, fields.confirmedIndexAt, record.confirmedAt.index);
    put(view, fields.confirmedOffsetAt, record.confirmedAt.offset);
  }
  if (home !== undefined) {
    view.setBigUint64(GENERATION_AT, BigInt(`0x${home.generation}`));
    setUint48(view, HOME_INDEX_AT, home.index);
  }
  view.setUint32(CRC_AT, crc32c(bytes.subarray(0, CRC_AT)), true);
  return bytes;
}

/** `home`: where it was found. */
export function parseCommitRecord(bytes: Uint8Array, home?: RecordHome): ParsedCommitRecord {
  if (bytes.length < COMMIT_RECORD_SIZE) {
    return refused(`a commit record has ${bytes.length} of ${COMMIT_RECORD_SIZE} bytes`);
  }
  const view = viewOf(bytes);
  if (view.getUint32(CRC_AT, true) !== crc32c(bytes.subarray(0, CRC_AT))) {
    return refused("a commit record's checksum does not match");
  }
  const version = view.getUint8(0);
  const fields = fieldsIn(version);
  if (fields === undefined) return refused(`a commit record has the unknown version ${version}`, true);
  const kind = kindOf(view.getUint8(1));
  const flags = fields.isNarrow ? view.getUint8(2) : view.getUint16(2, true);
  if (kind === undefined || (flags & ~FLAGS_KNOWN) !== 0) {
    return refused("a commit record has a kind or flags that this version does not know", true);
  }
  const isOfAPlace = fields === AT_HOME && home !== undefined;
  const record = recordIn(view, fields, kind, isOfAPlace);
  if (!isPossible(record, bytes, fields)) return refused("a commit record has impossible contents");
  if (!isOfAPlace || isHome(view, home)) return { ok: true, record };
  return { ok: false, reason: sentenceOfHome(homeIn(view), home), unsupported: false, foreign: true };
}

/**
 * Where the groups of bytes end that say all there is to know of a record that was parsed and found at home: head, start,
 * end, time, pages, checksum, and where it was confirmed. Start and end are equally wide.
 */
export function groupEnds(version: number): readonly number[] {
  const { startAt, endAt, timeAt, pagesAt, checksumAt, confirmedIndexAt, confirmedEnd } = fieldsIn(version) ?? AT_HOME;
  return [startAt, endAt, timeAt, pagesAt, checksumAt, confirmedIndexAt, confirmedEnd];
}

/** The same record again, from those bytes. */
export function parsedAgain(view: DataView): CommitRecord {
  const fields = fieldsIn(view.getUint8(0));
  const kind = kindOf(view.getUint8(1));
  assert(fields !== undefined && kind !== undefined, "it was parsed before");
  return recordIn(view, fields, kind, fields === AT_HOME);
}

function recordIn(view: DataView, fields: Fields, kind: CommitRecordKind, isAtHome: boolean): CommitRecord {
  const { isNarrow, checksumAt } = fields;
  const get = isNarrow ? getUint48 : getSafeUint64;
  const flags = isNarrow ? view.getUint8(2) : view.getUint16(2, true);
  const record: { -readonly [Key in keyof CommitRecord]: CommitRecord[Key] } = {
    kind,
    pageSize: isNarrow ? pageSizeOf(view.getUint8(3)) : view.getUint32(4, true),
    start: asOffset(get(view, fields.startAt)),
    end: asOffset(get(view, fields.endAt)),
    capturedAtMs: get(view, fields.timeAt),
    databasePages: view.getUint32(fields.pagesAt, true),
    capturedLate: (flags & FLAG_LATE) !== 0,
    indexClosed: (flags & FLAG_CLOSED) !== 0,
  };
  if ((flags & FLAG_CHECKSUM) !== 0) {
    record.checksum = new Uint8Array(view.buffer, view.byteOffset + checksumAt, 8).slice();
  }
  if ((flags & FLAG_CONFIRMED) !== 0) {
    const index = asIndex(get(view, fields.confirmedIndexAt));
    record.confirmedAt = { index, offset: asOffset(get(view, fields.confirmedOffsetAt)) };
  }
  if (isAtHome) record.isAtHome = isAtHome;
  return record;
}

function fieldsIn(version: number): Fields | undefined {
  if (version === AT_HOME.version) return AT_HOME;
  return version === HOMELESS.version ? HOMELESS : undefined;
}

function isHome(view: DataView, { generation, index }: RecordHome): boolean {
  return getUint48(view, HOME_INDEX_AT) === index &&
    view.getUint32(GENERATION_AT) === parseInt(generation.slice(0, 8), 16) &&
    view.getUint32(GENERATION_AT + 4) === parseInt(generation.slice(8), 16);
}

function homeIn(view: DataView): RecordHome {
  const generation = view.getBigUint64(GENERATION_AT).toString(16).padStart(16, "0") as Generation;
  return { generation, index: asIndex(getUint48(view, HOME_INDEX_AT)) };
}

function sentenceOfHome(found: RecordHome, expected: RecordHome): string {
  const written = `a commit record was written for index ${formatIndex(found.index)}`;
  return found.generation === expected.generation
    ? `${written}, not for ${formatIndex(expected.index)}`
    : `${written} of generation ${found.generation}, not of ${expected.generation}`;
}

/** 0: of the snapshot of a database without pages. */
function pageSizeOf(logarithm: number): number {
  return logarithm === 0 ? 0 : 2 ** logarithm;
}

/** The bytes are those that were written; this asks whether a writer of this version can have meant them. */
function isPossible(record: CommitRecord, bytes: Uint8Array, fields: Fields): boolean {
  const { kind, pageSize, start, end, checksum, confirmedAt, indexClosed } = record;
  const { isSafeInteger } = Number;
  return isSafeInteger(start) && isSafeInteger(end) && isSafeInteger(record.capturedAtMs) &&
    isSafeInteger(confirmedAt?.index ?? 0) && isSafeInteger(confirmedAt?.offset ?? 0) &&
    record.capturedAtMs <= limits.latestMs &&
    (kind === "snapshot" || indexClosed ? start === end : start <= end) &&
    (isPageSize(pageSize) || (pageSize === 0 && kind === "snapshot")) &&
    (checksum !== undefined || isZero(bytes, fields.checksumAt, fields.confirmedIndexAt)) &&
    (confirmedAt !== undefined || isZero(bytes, fields.confirmedIndexAt, fields.confirmedEnd));
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}

function refused(reason: string, unsupported = false): ParsedCommitRecord {
  return { ok: false, reason, unsupported };
}

function kindOf(code: number): CommitRecordKind | undefined {
  return KIND_BY_CODE.get(code);
}
