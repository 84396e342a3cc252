import { viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import type { Offset } from "../position/position.ts";
import type { Checksum } from "../wal/checksum.ts";
import {
  COMMIT_SIZE_AT,
  FRAME_HEADER_SIZE,
  frameSize,
  offsetAfter,
  PAGE_NUMBER_AT,
  storedChecksum,
} from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../wal/header.ts";
import { scanFrames } from "../wal/scanner.ts";

/** A commit frame that was reached by an unbroken chain from the WAL header. */
export interface LastCommit {
  /** Where the frame ends. */
  readonly offset: Offset;
  readonly pageSize: number;
  readonly databasePages: number;
}

/** Fills `into` from byte `at` of a WAL; fewer bytes only at its end. */
export type ReadWal = (at: number, into: Uint8Array) => Promise<number>;

/** The last valid commit frame of a WAL that has no records to say where it ends; undefined when there is none. */
export async function findLastCommit(read: ReadWal): Promise<LastCommit | undefined> {
  return (await walkFrames(read)).lastCommit;
}

/** The same, and where the last frame ends that is as it should be; `frame` is told of each up to there. */
export async function walkFrames(
  read: ReadWal,
  frame: (page: number, databasePages: number, pageSize: number) => void = () => {},
): Promise<{ readonly lastCommit?: LastCommit; readonly intactTo: number }> {
  const headerBytes = new Uint8Array(WAL_HEADER_SIZE);
  if (await read(0, headerBytes) < WAL_HEADER_SIZE) return { intactTo: 0 };
  const parsed = parseWalHeader(headerBytes);
  if (!parsed.ok) return { intactTo: 0 };
  const { header } = parsed;
  const size = frameSize(header.pageSize);
  const buffer = new Uint8Array(Math.max(1, Math.floor(limits.transferBytes / size)) * size);
  let checksum: Checksum = header.checksum;
  let last: LastCommit | undefined;
  for (let frames = 0;;) {
    const got = await read(WAL_HEADER_SIZE + frames * size, buffer);
    const scan = scanFrames(buffer.subarray(0, got), header, checksum);
    if (scan.committedFrames > 0) {
      const offset = offsetAfter(frames + scan.committedFrames, header.pageSize);
      last = { offset, pageSize: header.pageSize, databasePages: scan.databasePages };
    }
    const view = viewOf(buffer);
    for (let at = 0; at < scan.frames * size; at += size) {
      frame(view.getUint32(at + PAGE_NUMBER_AT), view.getUint32(at + COMMIT_SIZE_AT), header.pageSize);
    }
    const isEnd = scan.frames * size < buffer.length;
    frames += scan.frames;
    if (isEnd) {
      return { intactTo: WAL_HEADER_SIZE + frames * size, ...(last === undefined ? {} : { lastCommit: last }) };
    }
    checksum = storedChecksum(view, buffer.length - size);
  }
}

/** The commit size that the frame ending at `end` carries; undefined when there is no such frame. */
export async function readCommitSize(read: ReadWal, end: Offset, pageSize: number): Promise<number | undefined> {
  const header = new Uint8Array(FRAME_HEADER_SIZE);
  const got = await read(end - frameSize(pageSize), header);
  return got < FRAME_HEADER_SIZE ? undefined : viewOf(header).getUint32(COMMIT_SIZE_AT);
}
