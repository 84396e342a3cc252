/** How far the newest index that a replica holds is whole, when its end is not what it should be. */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Generation } from "../position/generation.ts";
import { asOffset, type Offset } from "../position/position.ts";
import { DamagedSegment } from "../store/damaged_segment.ts";
import type { GenerationStore, WalEntry } from "../store/generation_store.ts";
import { frameSize } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../wal/header.ts";
import { scanFrames } from "../wal/scanner.ts";

export interface IntactEnd {
  /** The end of the last record of which every frame was read and checked; 0 when there is none. */
  readonly offset: Offset;
  /** What is wrong behind it; undefined when nothing is: then the replica holds another history, and not a damaged one. */
  readonly damage: string | undefined;
}

type Read = (at: number, into: Uint8Array) => Promise<number>;

export async function findIntactEnd(
  store: GenerationStore,
  generation: Generation,
  entry: WalEntry,
): Promise<IntactEnd> {
  const checked = await checkFrames(store, generation, entry);
  const records = await store.records(generation, entry.index);
  const offset = records.findLast(({ end }) => end <= checked.end)?.end ?? asOffset(0);
  const recorded = Math.max(entry.lastRecord?.end ?? 0, entry.promisedEnd ?? 0, records.at(-1)?.end ?? 0);
  if (recorded <= offset) return { offset, damage: undefined };
  return { offset, damage: checked.problem ?? entry.recordProblem ?? "its last records are damaged" };
}

/** The end of the last frame that an unbroken chain leads to. */
async function checkFrames(
  store: GenerationStore,
  generation: Generation,
  { index }: WalEntry,
): Promise<{ readonly end: number; readonly problem?: string }> {
  const read: Read = (at, into) => store.readWal(generation, index, at, into);
  let end = 0;
  try {
    const headerBytes = new Uint8Array(WAL_HEADER_SIZE);
    const parsed = parseWalHeader(headerBytes.subarray(0, await read(0, headerBytes)));
    if (!parsed.ok) return { end, problem: parsed.reason };
    const { header } = parsed;
    const size = frameSize(header.pageSize);
    const buffer = new Uint8Array(Math.max(1, Math.floor(limits.transferBytes / size)) * size);
    let chain = header.checksum;
    for (end = WAL_HEADER_SIZE;;) {
      const got = await readBefore(read, end, buffer);
      const scan = scanFrames(buffer.subarray(0, got), header, chain);
      chain = scan.checksum;
      end += scan.frames * size;
      if (scan.stoppedBy !== "end-of-bytes") return { end, problem: `the frame at offset ${end} is damaged` };
      if (got < size) return { end };
    }
  } catch (error) {
    if (!(error instanceof ReplicationError) || (error.code !== "corrupt" && error.code !== "gap")) throw error;
    return { end, problem: messageOf(error) };
  }
}

/** What can be read from there on: a segment that is damaged does not hide the frames before it. */
async function readBefore(read: Read, at: number, into: Uint8Array): Promise<number> {
  try {
    return await read(at, into);
  } catch (error) {
    if (!(error instanceof DamagedSegment) || error.intactTo <= at) throw error;
    return await read(at, into.subarray(0, Math.min(into.length, error.intactTo - at)));
  }
}
