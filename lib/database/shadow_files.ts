/** Reads what the two files of a shadow index hold; see `shadow_wal.ts` for what they are. */
import { limits } from "../base/limits.ts";
import { viewOf } from "../base/bytes.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import type { Generation } from "../position/generation.ts";
import { formatRawName, parseRawName } from "../position/keys.ts";
import { asOffset, type Index, type Offset, type Position } from "../position/position.ts";
import { COMMIT_RECORD_SIZE, type CommitRecord, parseCommitRecord } from "../store/commit_record.ts";
import type { Checksum } from "../wal/checksum.ts";
import { framesBefore, frameSize, offsetAfter, storedChecksum } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../wal/header.ts";
import { scanFrames } from "../wal/scanner.ts";
import type { WalMark } from "./source.ts";

/** How far one WAL life has been captured. */
export interface CapturedLife {
  readonly header: WalHeader;
  readonly frames: number;
  readonly checksum: Checksum;
  readonly databasePages: number;
}

/** The valid, contiguous records whose end lies inside the WAL, leaving out the first so many of them. */
export function readRecords(files: FileSystem, path: string, walSize: number, passed = 0): CommitRecord[] {
  if (files.status(path) === undefined) return [];
  const handle = files.open(path, "read");
  try {
    const from = passed * COMMIT_RECORD_SIZE;
    const bytes = new Uint8Array(Math.max(0, handle.size() - from));
    handle.readAt(bytes, from);
    const records: CommitRecord[] = [];
    for (let at = 0; at + COMMIT_RECORD_SIZE <= bytes.length; at += COMMIT_RECORD_SIZE) {
      const parsed = parseCommitRecord(bytes.subarray(at, at + COMMIT_RECORD_SIZE));
      const expected = records.at(-1)?.end ?? (passed === 0 ? asOffset(0) : undefined);
      if (!parsed.ok || parsed.record.end > walSize) break;
      if (expected !== undefined && parsed.record.start !== expected) break;
      records.push(parsed.record);
    }
    return records;
  } finally {
    handle.close();
  }
}

/** The end of what is captured of a generation; undefined when nothing of it is there. */
export function newestCaptured(files: FileSystem, shadowPath: string, generation: Generation): Position | undefined {
  const folder = `${shadowPath}/${generation}`;
  if (files.status(folder) === undefined) return undefined;
  const index = files.list(folder).map((name) => parseRawName(name, "wal")).findLast((index) => index !== undefined);
  return index === undefined ? undefined : { generation, index, offset: capturedEnd(files, folder, index) };
}

/** The end of what is captured of an index, in the folder of its generation. */
export function capturedEnd(files: FileSystem, folder: string, index: Index): Offset {
  const size = files.status(`${folder}/${formatRawName(index, "wal")}`)?.size ?? 0;
  return readRecords(files, `${folder}/${formatRawName(index, "commits")}`, size).at(-1)?.end ?? asOffset(0);
}

/** The committed frames of an unbroken chain from the first frame on; undefined when there is no valid header. */
export function scanLife(wal: FileHandle): CapturedLife | undefined {
  const headerBytes = new Uint8Array(WAL_HEADER_SIZE);
  const parsed = parseWalHeader(headerBytes.subarray(0, wal.readAt(headerBytes, 0)));
  if (!parsed.ok) return undefined;
  const header = parsed.header;
  const size = frameSize(header.pageSize);
  const buffer = new Uint8Array(Math.max(1, Math.floor(limits.transferBytes / size)) * size);
  let walked = 0;
  let chain = header.checksum;
  let life: CapturedLife = { header, frames: 0, checksum: header.checksum, databasePages: 0 };
  for (;;) {
    const read = wal.readAt(buffer, WAL_HEADER_SIZE + walked * size);
    const scan = scanFrames(buffer.subarray(0, read), header, chain);
    if (scan.commits > 0) {
      life = {
        header,
        frames: walked + scan.committedFrames,
        checksum: scan.committedChecksum,
        databasePages: scan.databasePages,
      };
    }
    walked += scan.frames;
    chain = scan.checksum;
    if (read < buffer.length || scan.stoppedBy !== "end-of-bytes") return life;
  }
}

/** What stands in a WAL before an offset other than 0; undefined when there is no valid header. */
export function readMark(wal: FileHandle, offset: Offset): WalMark | undefined {
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  const parsed = parseWalHeader(bytes.subarray(0, wal.readAt(bytes, 0)));
  if (!parsed.ok) return undefined;
  const { pageSize, salt } = parsed.header;
  const before = framesBefore(offset, pageSize);
  wal.readAt(bytes, offsetAfter(before, pageSize) - frameSize(pageSize));
  return { salt, checksum: storedChecksum(viewOf(bytes), 0) };
}
