/**
 * What this program writes behind the data of an object of the `litestream` layout: the payload of an LZ4 skippable frame,
 * which other readers pass over. Little-endian.
 *
 *    0  u32  version: 1 (others are refused)
 *    4  u32  number of commit records, n
 *    8  u64  bytes of the data, decoded
 *   16  u64  of a snapshot: the index that its record speaks of; of a segment: 0
 *   24  n commit records of 64 bytes each, as `commit_record.ts` says
 *       u32  CRC-32C (Castagnoli) of everything before
 *       u64  the ending by which the frame is found from the end of the object, as `../lz4/trailer.ts` says
 */
import { crc32c } from "../base/crc32c.ts";
import { getSafeUint64, setSafeUint64, viewOf } from "../base/bytes.ts";
import { asIndex, type Index } from "../position/position.ts";
import {
  COMMIT_RECORD_SIZE,
  type CommitRecord,
  formatCommitRecords,
  parseCommitRecord,
  type RecordHome,
} from "./commit_record.ts";

const VERSION = 1;
const HEAD_SIZE = 24;
const CRC_SIZE = 4;

export interface ObjectTail {
  readonly records: readonly CommitRecord[];
  readonly contentBytes: number;
  readonly stateIndex: Index;
}

export type ParsedObjectTail =
  | { readonly ok: true; readonly tail: ObjectTail }
  | { readonly ok: false; readonly reason: string; readonly unsupported: boolean; readonly foreign?: true };

/** Without the ending. */
export function formatObjectTail({ records, contentBytes, stateIndex }: ObjectTail, home: RecordHome): Uint8Array {
  const bytes = new Uint8Array(HEAD_SIZE + records.length * COMMIT_RECORD_SIZE + CRC_SIZE);
  const view = viewOf(bytes);
  view.setUint32(0, VERSION, true);
  view.setUint32(4, records.length, true);
  setSafeUint64(view, 8, contentBytes);
  setSafeUint64(view, 16, stateIndex);
  bytes.set(formatCommitRecords(records, home), HEAD_SIZE);
  const end = bytes.length - CRC_SIZE;
  view.setUint32(end, crc32c(bytes.subarray(0, end)), true);
  return bytes;
}

/** `home`: the place at which the object was found. */
export function parseObjectTail(bytes: Uint8Array, home: RecordHome): ParsedObjectTail {
  if (bytes.length < HEAD_SIZE + CRC_SIZE) return refused("its tail is too short");
  const view = viewOf(bytes);
  const end = bytes.length - CRC_SIZE;
  if (view.getUint32(end, true) !== crc32c(bytes.subarray(0, end))) {
    return refused("its tail's checksum does not match");
  }
  const version = view.getUint32(0, true);
  if (version !== VERSION) return refused(`its tail has the unknown version ${version}`, true);
  const count = view.getUint32(4, true);
  const contentBytes = getSafeUint64(view, 8);
  const stateIndex = getSafeUint64(view, 16);
  const isPossible = HEAD_SIZE + count * COMMIT_RECORD_SIZE === end && Number.isSafeInteger(contentBytes) &&
    Number.isSafeInteger(stateIndex);
  if (!isPossible) return refused("its tail has impossible contents");
  const records: CommitRecord[] = [];
  for (let at = HEAD_SIZE; at < end; at += COMMIT_RECORD_SIZE) {
    const parsed = parseCommitRecord(bytes.subarray(at, at + COMMIT_RECORD_SIZE), home);
    if (!parsed.ok) return { ...parsed, reason: `in its tail, ${parsed.reason}` };
    // Nobody writes many that say nothing, and a tail may be full of them.
    const { kind, start, end: to, indexClosed } = parsed.record;
    if (kind !== "sync" || start < to || indexClosed || records.length === 0) records.push(parsed.record);
  }
  return { ok: true, tail: { records, contentBytes, stateIndex: asIndex(stateIndex) } };
}

function refused(reason: string, unsupported = false): ParsedObjectTail {
  return { ok: false, reason, unsupported };
}
