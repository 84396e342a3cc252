/**
 * What stands in for commit records where Litestream wrote: it keeps none. A segment ends at a commit, at the time at which
 * it was stored; an index is complete when another one follows it.
 */
import { viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { asOffset } from "../position/position.ts";
import { COMMIT_SIZE_AT, FRAME_HEADER_SIZE, frameSize } from "../wal/frame.ts";
import { isPageSize, parseWalHeader, WAL_HEADER_SIZE } from "../wal/header.ts";
import type { CommitRecord } from "./commit_record.ts";
import { walkFrames } from "./last_commit.ts";
import { DamagedSegment } from "./damaged_segment.ts";
import type { ListedObject, Segment } from "./litestream_listing.ts";
import type { SegmentReader } from "./segment_reader.ts";
import type { ObjectContent } from "./stored_object.ts";

/** The record of one segment, and behind the last one of an index that is not the last a closing one; none without a commit. */
export async function peerRecords(
  reader: SegmentReader,
  segments: readonly Segment[],
  slot: number,
  isLastIndex: boolean,
): Promise<readonly CommitRecord[]> {
  const segment = segments[slot];
  if (segment === undefined) return [];
  if (await reader.endOf(slot) <= segment.offset) {
    if (isLastIndex && segment.encoding === "none" && segment.offset === 0) return []; // A file that will grow.
    // Nobody writes such a thing: it was more, once.
    throw new DamagedSegment("corrupt", `${segment.key} holds neither WAL nor a record`, segment.offset);
  }
  const headerBytes = new Uint8Array(WAL_HEADER_SIZE);
  const got = await reader.read(0, headerBytes);
  if (got < WAL_HEADER_SIZE && isLastIndex) return []; // It was only just begun.
  const parsed = parseWalHeader(headerBytes);
  if (!parsed.ok) throw new DamagedSegment("corrupt", `${segments[0]?.key} is damaged: ${parsed.reason}`, 0);
  const { pageSize } = parsed.header;
  const isLastSegment = slot === segments.length - 1;
  const basis = { kind: "sync", pageSize, capturedAtMs: segment.notBeforeMs, capturedLate: false } as const;
  const found = await lastCommitOf(reader, segments, slot, pageSize, isLastIndex);
  const start = found === undefined ? undefined : await startOf(reader, segments, slot, pageSize);
  const records: CommitRecord[] = [];
  if (found !== undefined && start !== undefined) {
    records.push({
      ...basis,
      start: asOffset(start),
      end: asOffset(found.end),
      databasePages: found.pages,
      indexClosed: false,
    });
  }
  if (isLastSegment && !isLastIndex) {
    const end = asOffset(found?.end ?? 0);
    records.push({ ...basis, start: end, end, databasePages: found?.pages ?? 0, indexClosed: true });
  }
  return records;
}

/**
 * Litestream stores no more than whole frames, and leaves an index only behind a commit; the first versions left frames of a
 * transaction that was rolled back, and of an index that grows anything may be on its way. So an index that another one
 * follows may lack its end, and bytes that are there and no frames are damage.
 */
async function lastCommitOf(
  reader: SegmentReader,
  segments: readonly Segment[],
  slot: number,
  pageSize: number,
  isLastIndex: boolean,
): Promise<{ readonly end: number; readonly pages: number } | undefined> {
  const segment = segments[slot];
  if (segment === undefined) return undefined;
  const end = await reader.endOf(slot);
  const pages = await commitAt(reader, end, pageSize);
  if (pages > 0) return end > Math.max(segment.offset, WAL_HEADER_SIZE) ? { end, pages } : undefined;
  if (slot < segments.length - 1) return undefined;
  const { lastCommit, intactTo } = await walkFrames((at, into) => reader.read(at, into));
  if (!isLastIndex && intactTo < end) {
    const { key } = segments.findLast(({ offset }) => offset <= intactTo) ?? segment;
    const problem = `${key} is damaged: at offset ${intactTo} of its index there is no frame ` +
      `(expected frames up to ${end}, since a later index is there)`;
    throw new DamagedSegment("corrupt", problem, intactTo);
  }
  return lastCommit === undefined ? undefined : { end: lastCommit.offset, pages: lastCommit.databasePages };
}

/** Where the commit before this segment ends: at its beginning, unless the segments before it were cut between commits. */
async function startOf(reader: SegmentReader, segments: readonly Segment[], slot: number, pageSize: number) {
  for (let before = slot - 1; before >= 0; before--) {
    const end = segments[before + 1]?.offset ?? 0;
    if (end > WAL_HEADER_SIZE && await commitAt(reader, end, pageSize) > 0) return end;
  }
  return 0;
}

/** The commit size of the frame that ends there; 0 when none does. */
async function commitAt(reader: SegmentReader, end: number, pageSize: number): Promise<number> {
  const size = frameSize(pageSize);
  if (end < WAL_HEADER_SIZE + size || (end - WAL_HEADER_SIZE) % size !== 0) return 0;
  const header = new Uint8Array(FRAME_HEADER_SIZE);
  const got = await reader.read(end - size, header);
  return got < FRAME_HEADER_SIZE ? 0 : viewOf(header).getUint32(COMMIT_SIZE_AT);
}

const DATABASE_HEADER_SIZE = 100;
const PAGE_SIZE_AT = 16;
const PAGE_SIZE_65536 = 1;
const CHANGE_COUNTER_AT = 24;
const DATABASE_PAGES_AT = 28;
/** The change counter for which the count of pages is valid. */
const VALID_FOR_AT = 92;

/** More of them are missing of no file that was copied during a checkpoint. */
const SHORT_PAGES_MAX = 1 << 20;

/** Page size and pages of a snapshot that has no record, as the database in it says. */
export async function readImageShape(
  content: ObjectContent,
  { key, encoding, createdAtMs }: Pick<ListedObject, "key" | "encoding" | "createdAtMs">,
) {
  const bytes = new Uint8Array(DATABASE_HEADER_SIZE);
  const got = await content.read(0, bytes);
  if (got < bytes.length) return { problem: `${key} holds ${got} bytes, which are no database` };
  const stored = viewOf(bytes).getUint16(PAGE_SIZE_AT);
  const pageSize = stored === PAGE_SIZE_65536 ? 65_536 : stored;
  if (!isPageSize(pageSize)) return { problem: `${key} holds pages of ${pageSize} bytes, which are no database` };
  const view = viewOf(bytes);
  const isCountValid = view.getUint32(CHANGE_COUNTER_AT) === view.getUint32(VALID_FOR_AT);
  const pages = view.getUint32(DATABASE_PAGES_AT);
  // A few bytes of gzip may stand for any number, all of which would have to be decoded to know how many.
  const mostBytes = isCountValid && encoding === "gzip"
    ? pages * pageSize * limits.databaseToBroughtMax + limits.databaseUnbroughtMaxBytes
    : Infinity;
  if (mostBytes < Infinity && await content.read(mostBytes, new Uint8Array(1)) > 0) {
    return { problem: `${key} holds more than ${mostBytes} bytes (its database has ${pages} pages of ${pageSize})` };
  }
  const imageBytes = await content.size();
  if (imageBytes % pageSize !== 0) {
    return { problem: `${key} holds ${imageBytes} bytes of pages of ${pageSize} bytes, which are no database` };
  }
  const record: CommitRecord = {
    kind: "snapshot",
    pageSize,
    start: asOffset(0),
    end: asOffset(0),
    capturedAtMs: createdAtMs,
    databasePages: imageBytes / pageSize,
    capturedLate: false,
    indexClosed: false,
  };
  const shape = { record, imageBytes, isPeers: true };
  if (!isCountValid || pages <= record.databasePages) return shape;
  const problem = `${key} holds ${record.databasePages} pages (expected ${pages}, as the database in it says)`;
  return { problem, short: { ...shape, isShort: true } };
}

/**
 * Whether the WAL of an index brings whatever a database has behind so many pages. A checkpoint of the application writes the
 * pages in their order, the first one with the new size among them: who copies the file meanwhile gets it too short, and the
 * rest of it stands in the WAL that is checkpointed.
 */
export async function bringsPagesBehind(reader: SegmentReader, imagePages: number, pageSize: number): Promise<boolean> {
  const brought = new Set<number>();
  let [isBrought, next] = [false, imagePages + 1];
  await walkFrames((at, into) => reader.read(at, into), (page, databasePages, size) => {
    if (size !== pageSize || brought.size > SHORT_PAGES_MAX) return void (isBrought = false);
    if (page > imagePages) brought.add(page);
    while (brought.has(next)) next++;
    if (databasePages > 0) isBrought = databasePages < next;
  });
  return isBrought;
}
