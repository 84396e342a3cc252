import { viewOf } from "../base/bytes.ts";
import type { Checksum } from "../wal/checksum.ts";
import { COMMIT_SIZE_AT, frameSize, storedChecksum } from "../wal/frame.ts";
import type { WalHeader } from "../wal/header.ts";
import { type Scan, scanFrames } from "../wal/scanner.ts";
import { pageHasher } from "./page_hasher.ts";

/**
 * What `scanFrames` says, and the values of the pages of these frames, two words each, found in one walk over the bytes: it
 * costs less than the chain alone does there.
 */
export function scanAndHash(
  bytes: Uint8Array,
  header: Pick<WalHeader, "pageSize" | "littleEndian" | "salt">,
  checksum: Checksum,
  values: Uint32Array,
): Scan {
  const size = frameSize(header.pageSize);
  const whole = Math.floor(bytes.length / size);
  const frames = pageHasher().scanFrames(bytes, whole, header, checksum, values);
  const view = viewOf(bytes);
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
  const sum = sumAfter(frames);
  const rest = bytes.subarray(frames * size, (frames + 1) * size);
  const stoppedBy = frames === whole ? "end-of-bytes" : scanFrames(rest, header, sum).stoppedBy;
  return {
    frames,
    committedFrames,
    commits,
    databasePages,
    checksum: sum,
    committedChecksum: sumAfter(committedFrames),
    stoppedBy,
  };
}
