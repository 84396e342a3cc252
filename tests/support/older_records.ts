import { crc32c } from "../../lib/base/crc32c.ts";
import { viewOf } from "../../lib/base/bytes.ts";
import { COMMIT_RECORD_SIZE, formatCommitRecord, parseCommitRecord } from "../../lib/store/commit_record.ts";
import { assert } from "./assert.ts";

const TAIL_HEAD_SIZE = 24;
/** The CRC, and the ending by which a tail is found. */
const TAIL_END_SIZE = 12;

/** Turns the records of a replica into those of version 1, which do not say where they belong. */
export function withoutHomes(folder: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) withoutHomes(path);
    else if (/\.(commits|record)$/.test(name)) change(path, takeHomes);
    else if (name.endsWith(".lz4")) change(path, takeHomesOfTail);
  }
}

/** How many records of each version a file of records holds. */
export function versionsIn(path: string): number[] {
  const bytes = Deno.readFileSync(path);
  return Array.from({ length: bytes.length / COMMIT_RECORD_SIZE }, (_, slot) => bytes[slot * COMMIT_RECORD_SIZE] ?? 0);
}

function change(path: string, how: (bytes: Uint8Array) => void): void {
  const bytes = Deno.readFileSync(path);
  const { mtime } = Deno.statSync(path);
  how(bytes);
  Deno.writeFileSync(path, bytes);
  if (mtime !== null) Deno.utimeSync(path, mtime, mtime);
}

function takeHomes(records: Uint8Array): void {
  for (let at = 0; at + COMMIT_RECORD_SIZE <= records.length; at += COMMIT_RECORD_SIZE) {
    const parsed = parseCommitRecord(records.subarray(at, at + COMMIT_RECORD_SIZE));
    assert(parsed.ok);
    records.set(formatCommitRecord(parsed.record), at);
  }
}

function takeHomesOfTail(object: Uint8Array): void {
  const view = viewOf(object);
  const tail = object.length - view.getUint32(object.length - 8, true);
  const crcAt = object.length - TAIL_END_SIZE;
  takeHomes(object.subarray(tail + TAIL_HEAD_SIZE, crcAt));
  view.setUint32(crcAt, crc32c(object.subarray(tail, crcAt)), true);
}
