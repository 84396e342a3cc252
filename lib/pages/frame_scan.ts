import type { Checksum } from "../wal/checksum.ts";
import { frameSize } from "../wal/frame.ts";
import type { WalHeader } from "../wal/header.ts";
import { describeFrames, type Scan, scanFrames } from "../wal/scanner.ts";
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
  const scan = describeFrames(bytes, frames, header.pageSize, checksum, "end-of-bytes");
  if (frames === whole) return scan;
  const next = bytes.subarray(frames * size, (frames + 1) * size);
  return { ...scan, stoppedBy: scanFrames(next, header, scan.checksum).stoppedBy };
}
