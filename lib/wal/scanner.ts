import { viewOf } from "../base/bytes.ts";
import { type Checksum, RunningChecksum } from "./checksum.ts";
import {
  COMMIT_SIZE_AT,
  FRAME_CHECKSUM_AT,
  FRAME_HEADER_SIZE,
  FRAME_SALT_AT,
  frameSize,
  PAGE_NUMBER_AT,
  storedChecksum,
  SUMMED_HEADER_SIZE,
} from "./frame.ts";
import type { WalHeader } from "./header.ts";

/** Why a scan ended before it had walked all frames it was given. */
export type ScanEnd = "end-of-bytes" | "salt-changed" | "checksum-broken" | "page-zero";

export interface Scan {
  /** Frames that carry the right salts and an unbroken chain, from the first on. */
  readonly frames: number;
  /** Of these, how many stand before or at the last commit frame; 0 when there is none. */
  readonly committedFrames: number;
  readonly commits: number;
  /** Database size in pages as the last commit frame says; 0 when there is none. */
  readonly databasePages: number;
  /** The chain's sums after the last of `frames`, and after the last commit frame. */
  readonly checksum: Checksum;
  readonly committedChecksum: Checksum;
  readonly stoppedBy: ScanEnd;
}

/**
 * Walks the frames in `bytes`, which begin at a frame, continuing the chain from `checksum`. A frame that is not whole
 * ends the scan like the end of the bytes. PURE; what is committed is for the wal-index to say, not for the chain.
 */
export function scanFrames(
  bytes: Uint8Array,
  header: Pick<WalHeader, "pageSize" | "littleEndian" | "salt">,
  checksum: Checksum,
): Scan {
  const view = viewOf(bytes);
  const size = frameSize(header.pageSize);
  const { salt1, salt2 } = header.salt;
  const running = new RunningChecksum();
  running.set(checksum);
  let frames = 0;
  let stoppedBy: ScanEnd = "end-of-bytes";
  for (let at = 0; at + size <= bytes.length; at += size) {
    if (view.getUint32(at + FRAME_SALT_AT) !== salt1 || view.getUint32(at + FRAME_SALT_AT + 4) !== salt2) {
      stoppedBy = "salt-changed";
      break;
    }
    running.update(view, at, SUMMED_HEADER_SIZE, header.littleEndian);
    running.update(view, at + FRAME_HEADER_SIZE, header.pageSize, header.littleEndian);
    if (!running.equalsStored(view, at + FRAME_CHECKSUM_AT)) {
      stoppedBy = "checksum-broken";
      break;
    }
    if (view.getUint32(at + PAGE_NUMBER_AT) === 0) {
      stoppedBy = "page-zero";
      break;
    }
    frames++;
  }
  return describeFrames(bytes, frames, header.pageSize, checksum, stoppedBy);
}

/** What so many frames, all of them known to continue the chain from `checksum`, amount to. */
export function describeFrames(
  bytes: Uint8Array,
  frames: number,
  pageSize: number,
  checksum: Checksum,
  stoppedBy: ScanEnd,
): Scan {
  const view = viewOf(bytes);
  const size = frameSize(pageSize);
  let committedFrames = 0;
  let commits = 0;
  let databasePages = 0;
  for (let frame = 0, at = COMMIT_SIZE_AT; frame < frames; frame++, at += size) {
    const commitSize = view.getUint32(at);
    if (commitSize === 0) continue;
    commits++;
    committedFrames = frame + 1;
    databasePages = commitSize;
  }
  const sumAfter = (count: number) => count === 0 ? checksum : storedChecksum(view, (count - 1) * size);
  return {
    frames,
    committedFrames,
    commits,
    databasePages,
    checksum: sumAfter(frames),
    committedChecksum: sumAfter(committedFrames),
    stoppedBy,
  };
}
