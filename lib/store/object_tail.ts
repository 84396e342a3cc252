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
import type { StoredBytes } from "../base/byte_source.ts";
import { asIndex, type Index } from "../position/position.ts";
import {
  COMMIT_RECORD_SIZE,
  type CommitRecord,
  formatCommitRecords,
  parseCommitRecord,
  type RecordHome,
} from "./commit_record.ts";
import { CommitRecordList } from "./commit_records.ts";

const VERSION = 1;
const HEAD_SIZE = 24;
const CRC_SIZE = 4;
/** A tail may have 64 MiB. */
const RECORDS_A_PIECE = 1 << 14;

/** What there is to say behind the data of an object. */
export interface TailContent {
  readonly records: readonly CommitRecord[];
  readonly contentBytes: number;
  readonly stateIndex: Index;
}

export interface ObjectTail extends Pick<TailContent, "contentBytes" | "stateIndex"> {
  readonly first?: CommitRecord;
  readonly last?: CommitRecord;
  readonly holdsSnapshot: boolean;
}

export type ParsedObjectTail =
  | { readonly ok: true; readonly tail: ObjectTail }
  | { readonly ok: false; readonly reason: string; readonly unsupported: boolean; readonly foreign?: true };

/** Without the ending. */
export function formatObjectTail({ records, contentBytes, stateIndex }: TailContent, home: RecordHome): Uint8Array {
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

/**
 * `home`: the place at which the object was found. `records`: gets them, when all of them are wanted, but those that say
 * nothing; they are checked in any case. All is read once, and never more than a piece of it is kept here.
 */
export async function parseObjectTail(
  payload: StoredBytes,
  home: RecordHome,
  records?: CommitRecordList,
): Promise<ParsedObjectTail> {
  const { sizeBytes } = payload;
  if (sizeBytes < HEAD_SIZE + CRC_SIZE) return refused("its tail is too short");
  const end = sizeBytes - CRC_SIZE;
  const buffer = new Uint8Array(Math.min(RECORDS_A_PIECE * COMMIT_RECORD_SIZE, sizeBytes));
  const parser = new TailParser(home, end, records);
  let [at, crc] = [0, 0];
  while (at < end) {
    // The head alone, or with all records; then whole records.
    const length = at === 0 && end > buffer.length ? HEAD_SIZE : Math.min(buffer.length, end - at);
    const piece = buffer.subarray(0, length);
    if (await payload.read(at, piece) < length) return refused("its tail became shorter while it was read");
    crc = crc32c(piece, crc);
    parser.take(piece, at === 0);
    at += length;
  }
  const sum = new Uint8Array(CRC_SIZE);
  if (await payload.read(end, sum) < CRC_SIZE) return refused("its tail became shorter while it was read");
  return viewOf(sum).getUint32(0, true) === crc ? parser.found() : refused("its tail's checksum does not match");
}

/** What it finds counts only when the checksum of all proves right. */
class TailParser {
  readonly #home: RecordHome;
  readonly #end: number;
  readonly #records: CommitRecordList | undefined;
  #refused: ParsedObjectTail | undefined;
  #contentBytes = 0;
  #stateIndex = 0;
  #first: CommitRecord | undefined;
  #last: CommitRecord | undefined;
  #holdsSnapshot = false;
  #lastEnd: number | undefined;

  constructor(home: RecordHome, end: number, records: CommitRecordList | undefined) {
    this.#home = home;
    this.#end = end;
    this.#records = records;
  }

  take(piece: Uint8Array, isFirst: boolean): void {
    if (isFirst) this.#takeHead(viewOf(piece));
    for (let at = isFirst ? HEAD_SIZE : 0; at < piece.length && this.#refused === undefined; at += COMMIT_RECORD_SIZE) {
      this.#takeRecord(piece.subarray(at, at + COMMIT_RECORD_SIZE));
    }
  }

  found(): ParsedObjectTail {
    if (this.#refused !== undefined) return this.#refused;
    const tail = {
      contentBytes: this.#contentBytes,
      stateIndex: asIndex(this.#stateIndex),
      holdsSnapshot: this.#holdsSnapshot,
      ...(this.#first === undefined ? {} : { first: this.#first }),
      ...(this.#last === undefined ? {} : { last: this.#last }),
    };
    return { ok: true, tail };
  }

  #takeHead(view: DataView): void {
    const version = view.getUint32(0, true);
    if (version !== VERSION) {
      this.#refused = refused(`its tail has the unknown version ${version}`, true);
      return;
    }
    const count = view.getUint32(4, true);
    this.#contentBytes = getSafeUint64(view, 8);
    this.#stateIndex = getSafeUint64(view, 16);
    const isPossible = HEAD_SIZE + count * COMMIT_RECORD_SIZE === this.#end &&
      Number.isSafeInteger(this.#contentBytes) && Number.isSafeInteger(this.#stateIndex);
    if (!isPossible) this.#refused = refused("its tail has impossible contents");
  }

  #takeRecord(bytes: Uint8Array): void {
    const parsed = parseCommitRecord(bytes, this.#home);
    if (!parsed.ok) {
      this.#refused = { ...parsed, reason: `in its tail, ${parsed.reason}` };
      return;
    }
    const { record } = parsed;
    const { kind, start, end, indexClosed } = record;
    if (this.#lastEnd !== undefined && start !== this.#lastEnd) {
      this.#refused = refused("in its tail, a commit record does not start where the one before ended");
      return;
    }
    this.#lastEnd = end;
    // Nobody writes many that say nothing, and a tail may be full of them.
    if (kind === "sync" && start === end && !indexClosed && this.#first !== undefined) return;
    this.#first ??= record;
    this.#last = record;
    if (kind === "snapshot") this.#holdsSnapshot = true;
    this.#records?.pushStored(bytes);
  }
}

function refused(reason: string, unsupported = false): ParsedObjectTail {
  return { ok: false, reason, unsupported };
}
