/**
 * The `.commits` file of one index: commit records one after the other, appended. What stands at its end may be torn by a
 * crash; what ends beyond the `.wal` does not count.
 */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { ReplicaClient } from "../clients/client.ts";
import { asOffset, type Offset } from "../position/position.ts";
import { COMMIT_RECORD_SIZE, type CommitRecord, parseCommitRecord, type RecordHome } from "./commit_record.ts";
import { CommitRecordList } from "./commit_records.ts";

/** Walking back from the end, damage is met so rarely that one record is read first, then these many at once. */
const RECORDS_A_BLOCK = 64;
const RECORDS_A_LONG_BLOCK = 1024;

export interface CommitLogEnd {
  readonly recordCount: number;
  /** Where the last valid record that ends inside the `.wal` ends in the `.commits` file; 0 when there is none. */
  readonly validBytes: number;
  readonly lastRecord?: CommitRecord;
  readonly recordProblem?: string;
  readonly promisedEnd?: Offset;
  /** Records there were written for another place; how much belonged here nobody can tell. */
  readonly isForeign?: true;
}

/** `sizeOf` says how large an object is now, 0 when absent. The `.wal` is asked after the record was read: it grows first. */
export interface CommitLogObjects {
  readonly home: RecordHome;
  readonly walKey: string;
  readonly commitsKey: string;
  sizeOf(key: string): Promise<number>;
}

/**
 * The last valid record that ends inside the `.wal`, and what stands in the way of later ones. Behind more damage than any
 * crash leaves it is looked for from the beginning: a file may have grown to any size by a hole.
 */
export async function readCommitLogEnd(client: ReplicaClient, objects: CommitLogObjects): Promise<CommitLogEnd> {
  const size = await objects.sizeOf(objects.commitsKey);
  const recordCount = Math.floor(size / COMMIT_RECORD_SIZE);
  let problem = size % COMMIT_RECORD_SIZE === 0 ? undefined : `the last record of ${objects.commitsKey} is torn`;
  let promisedEnd: Offset | undefined;
  let foreign: string | undefined;
  for (let end = recordCount, count = 1; end > 0; end -= count, count = RECORDS_A_BLOCK) {
    if ((recordCount - end) * COMMIT_RECORD_SIZE > limits.tornRecordsMaxBytes) {
      const records = await readCommitLog(client, objects);
      const [lastRecord, validBytes] = [records.at(-1), records.length * COMMIT_RECORD_SIZE];
      const known = lastRecord === undefined ? {} : { lastRecord };
      return { recordCount, validBytes, ...known, ...found(foreign, problem, promisedEnd) };
    }
    count = Math.min(count, end);
    const block = new Uint8Array(count * COMMIT_RECORD_SIZE);
    await readWhole(client, objects.commitsKey, (end - count) * COMMIT_RECORD_SIZE, block);
    const walSize = await objects.sizeOf(objects.walKey);
    for (let slot = count - 1; slot >= 0; slot--) {
      const parsed = parseRecordAt(objects, block, slot * COMMIT_RECORD_SIZE);
      if (!parsed.ok) {
        const sentence = `in ${objects.commitsKey}, ${parsed.reason}`;
        if (parsed.foreign === true) foreign ??= sentence;
        else problem ??= sentence;
        continue;
      }
      if (parsed.record.end <= walSize) {
        const validBytes = (end - count + slot + 1) * COMMIT_RECORD_SIZE;
        return { recordCount, validBytes, lastRecord: parsed.record, ...found(foreign, problem, promisedEnd) };
      }
      promisedEnd ??= parsed.record.end;
      problem ??= `${objects.walKey} has ${walSize} bytes, its last commit record ends at ${parsed.record.end}`;
    }
  }
  return { recordCount, validBytes: 0, ...found(foreign, problem, promisedEnd) };
}

/** Valid records in order, each starting where the one before ended, the first at 0, all inside the `.wal`. */
export async function readCommitLog(client: ReplicaClient, objects: CommitLogObjects): Promise<CommitRecordList> {
  const size = await objects.sizeOf(objects.commitsKey);
  const bytes = new Uint8Array(
    Math.min(RECORDS_A_LONG_BLOCK, Math.floor(size / COMMIT_RECORD_SIZE)) * COMMIT_RECORD_SIZE,
  );
  const records = new CommitRecordList();
  let end = 0;
  for (let at = 0; at + COMMIT_RECORD_SIZE <= size; at += bytes.length) {
    const got = await client.read(objects.commitsKey, at, bytes);
    const walSize = await objects.sizeOf(objects.walKey);
    for (let from = 0; from + COMMIT_RECORD_SIZE <= got; from += COMMIT_RECORD_SIZE) {
      const parsed = parseRecordAt(objects, bytes, from);
      if (!parsed.ok || parsed.record.start !== end || parsed.record.end < end || parsed.record.end > walSize) {
        return records;
      }
      records.pushStored(bytes.subarray(from, from + COMMIT_RECORD_SIZE));
      end = parsed.record.end;
    }
    if (got < bytes.length) break;
  }
  return records;
}

function parseRecordAt({ commitsKey, home }: CommitLogObjects, bytes: Uint8Array, at: number) {
  const parsed = parseCommitRecord(bytes.subarray(at, at + COMMIT_RECORD_SIZE), home);
  if (!parsed.ok && parsed.unsupported) throw unsupportedRecord(commitsKey, parsed.reason);
  return parsed;
}

export function unsupportedRecord(key: string, reason: string): ReplicationError {
  return new ReplicationError("unsupported", `Cannot read ${key}: ${reason} (it was written by a later version)`, {
    advice: "use the version that wrote this replica, or a later one",
  });
}

async function readWhole(client: ReplicaClient, key: string, at: number, into: Uint8Array): Promise<void> {
  const got = await client.read(key, at, into);
  if (got < into.length) {
    throw new ReplicationError("unavailable", `Cannot read ${key}: it became shorter while it was read`);
  }
}

/** How much belonged where foreign records stand. */
export const NOBODY_KNOWS = asOffset(Infinity);

function found(foreign: string | undefined, problem: string | undefined, promisedEnd: Offset | undefined) {
  if (foreign !== undefined) return { recordProblem: foreign, promisedEnd: NOBODY_KNOWS, isForeign: true } as const;
  return {
    ...(problem === undefined ? {} : { recordProblem: problem }),
    ...(promisedEnd === undefined ? {} : { promisedEnd }),
  };
}
