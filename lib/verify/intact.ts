/** Reads every object of a generation whole: frames and their chain, records, commits, images. */
import { equalBytes, hex, viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { ReplicationError } from "../base/errors.ts";
import { nameObject } from "../position/object_names.ts";
import { asOffset, formatIndex, type Index, type Offset } from "../position/position.ts";
import type { GenerationFacts } from "../restore/history.ts";
import { impossibleClaim } from "../restore/room.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { DamagedSegment } from "../store/damaged_segment.ts";
import type { GenerationCatalog, GenerationStore, SnapshotEntry, WalEntry } from "../store/generation_store.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import { frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../wal/header.ts";
import { scanFrames } from "../wal/scanner.ts";
import { ImageSum } from "./image_sum.ts";
import { describeRecord, recordProblem } from "./record_check.ts";
import type { ReplayedWal } from "./replayed_wal.ts";
import { outcomeOf } from "./judgement.ts";
import { readLaterPages } from "./live.ts";
import type { Finding } from "./report.ts";

export interface IntactTools {
  /** Lets others run, and throws when it is time to stop. */
  readonly turn: () => Promise<void>;
  /** Bytes of WAL and images as they were read. */
  readonly read: (bytes: number) => void;
  /** What a restore has read already. */
  readonly replayed: ReplayedWal | undefined;
  /** Whether the objects of that index are read this time. */
  readonly isDue: (index: Index) => boolean;
  /** An image that was read and could not be compared, for which only a restore can tell. */
  readonly uncompared: (entry: SnapshotEntry) => void;
  /** An image that was read, and that no sum of the whole database belongs to. */
  readonly onlyRead: (entry: SnapshotEntry) => void;
}

/** Of some 30 MB; what changes more while an image is made is left to a restore. */
const LATER_PAGES_MAX = 1 << 18;

type Problem = Pick<Finding, "code" | "problem" | "pages">;

export async function checkObjects(
  store: GenerationStore,
  { catalog, unrecorded, damage }: GenerationFacts,
  tools: IntactTools,
): Promise<Finding[]> {
  if (damage !== undefined) return []; // Told by the chain already.
  const findings: Finding[] = [];
  const note = (problem: Problem | undefined) => {
    if (problem !== undefined) findings.push({ rung: "intact", ...problem });
  };
  const snapshots = catalog.snapshots.filter(({ index }) => tools.isDue(index));
  for (const entry of snapshots) note(await checked(() => checkSnapshot(store, catalog, entry, tools)));
  for (const entry of catalog.wals) {
    const isLast = entry === catalog.wals.at(-1);
    const end = entry.lastRecord?.end ?? (isLast ? unrecorded?.offset : undefined);
    if (end !== undefined && tools.isDue(entry.index)) {
      note(await checked(() => checkWal(store, catalog, entry, end, tools)));
    }
  }
  return findings;
}

/** What says of an object that it is wrong is a finding; whatever else happens is for the caller. */
async function checked(check: () => Promise<Problem | undefined>): Promise<Problem | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ReplicationError) || outcomeOf(error) !== "fail") throw error;
    return { code: error instanceof DamagedSegment ? "corrupt" : error.code, problem: error.message };
  }
}

async function checkSnapshot(
  store: GenerationStore,
  catalog: GenerationCatalog,
  entry: SnapshotEntry,
  tools: IntactTools,
): Promise<Problem | undefined> {
  const state = snapshotState(catalog, entry);
  if (state.kind !== "whole") return undefined; // Told by the chain already.
  const { record: { pageSize, checksum } } = state;
  const key = nameObject(catalog, entry.index, "snapshot");
  if (entry.stateIndex !== undefined && entry.stateIndex < entry.index) {
    const problem = `${key} is the image of an earlier index, ${formatIndex(entry.stateIndex)}`;
    return { code: "corrupt", problem };
  }
  const imageBytes = entry.imageBytes ?? entry.sizeBytes;
  const impossible = impossibleClaim(pageSize * state.record.databasePages, imageBytes + walBytesOf(catalog, entry));
  if (impossible !== undefined) return { code: "corrupt", problem: `${key}: ${impossible}` };
  const sum = await imageSum(store, catalog, entry, state.record, tools);
  const buffer = new Uint8Array(Math.min(limits.restoreChunkBytes, imageBytes));
  const image = await store.openSnapshot(catalog.generation, entry.index);
  try {
    for (let at = 0; at < imageBytes;) {
      const wanted = buffer.subarray(0, imageBytes - at);
      const got = await image.read(at, wanted);
      if (got < wanted.length) {
        return { code: "corrupt", problem: `${key} ends at byte ${at + got} (expected ${imageBytes} bytes)` };
      }
      sum?.add(at / pageSize + 1, wanted);
      at += got;
      tools.read(got);
      await tools.turn();
    }
    await image.prove();
    if (sum === undefined) tools.onlyRead(entry);
  } finally {
    image.close();
  }
  const found = sum?.bytes();
  if (found === undefined || checksum === undefined || equalBytes(found, checksum)) return undefined;
  const problem = `${key} is not the database that was recorded: its checksum is ${hex(found)} (expected ${
    hex(checksum)
  })`;
  return { code: "corrupt", problem };
}

/** WAL of the indexes that an image may need to be a state. */
function walBytesOf({ wals }: GenerationCatalog, { index, stateIndex = index }: SnapshotEntry): number {
  return wals.reduce(
    (sum, wal) => sum + (wal.index >= index && wal.index <= stateIndex ? wal.lastRecord?.end ?? 0 : 0),
    0,
  );
}

/**
 * The sum that the image must lead to. One that was streamed is a state only with the WAL from the first frame of its name's
 * index to the position of its record: what that changes counts instead of what the image holds. Undefined where there is
 * nothing to compare with, or too much to keep in memory.
 */
async function imageSum(
  store: GenerationStore,
  catalog: GenerationCatalog,
  entry: SnapshotEntry,
  { pageSize, databasePages, checksum, end }: CommitRecord,
  tools: IntactTools,
): Promise<ImageSum | undefined> {
  if (checksum === undefined || entry.isPeers === true) return undefined;
  const { index, stateIndex } = entry;
  if (stateIndex === undefined) return new ImageSum(databasePages, pageSize, new Map());
  const later = new Map<number, readonly [number, number]>();
  for (const wal of catalog.wals) {
    if (wal.index < index || wal.index > stateIndex) continue;
    const offset = wal.index === stateIndex ? end : wal.lastRecord?.end ?? asOffset(0);
    const position = { generation: catalog.generation, index: wal.index, offset };
    await readLaterPages(store, position, 0, pageSize, later);
    if (later.size > LATER_PAGES_MAX) {
      tools.uncompared(entry);
      return undefined;
    }
  }
  return new ImageSum(databasePages, pageSize, later);
}

async function checkWal(
  store: GenerationStore,
  catalog: GenerationCatalog,
  entry: WalEntry,
  end: Offset,
  tools: IntactTools,
): Promise<Problem | undefined> {
  const { index } = entry;
  const key = nameObject(catalog, index, "wal");
  const records = await store.records(catalog.generation, index);
  const known = records.at(-1)?.end ?? 0;
  if (entry.lastRecord !== undefined && known < entry.lastRecord.end) {
    await store.readWal(catalog.generation, index, known, new Uint8Array(1)); // Says which object it is, where it knows.
    const commits = nameObject(catalog, index, "commits");
    const problem = `${commits} is damaged after ${records.length} records (expected all records up to ${end})`;
    return { code: "corrupt", problem };
  }
  if (end === 0) return undefined;
  const headerBytes = new Uint8Array(WAL_HEADER_SIZE);
  const parsed = parseWalHeader(
    headerBytes.subarray(0, await store.readWal(catalog.generation, index, 0, headerBytes)),
  );
  if (!parsed.ok) return { code: "corrupt", problem: `${key}: ${parsed.reason}` };
  const { header } = parsed;
  const size = frameSize(header.pageSize);
  const buffer = new Uint8Array(Math.max(1, Math.floor(limits.restoreChunkBytes / size)) * size);
  let chain = header.checksum;
  let due = 0;
  const replayed = tools.replayed?.of(catalog, index);
  const [found] = replayed?.findings ?? [];
  if (found !== undefined) return found;
  const until = replayed !== undefined && replayed.to >= end ? replayed.from : end;
  tools.read(end - until); // By the restore.
  for (let at: number = WAL_HEADER_SIZE; at < until;) {
    const wanted = buffer.subarray(0, until - at);
    const got = await store.readWal(catalog.generation, index, at, wanted);
    const scan = scanFrames(wanted.subarray(0, got), header, chain);
    if (scan.frames * size < wanted.length) {
      const broken = at + scan.frames * size;
      const isCut = got < wanted.length && scan.stoppedBy === "end-of-bytes";
      const why = isCut ? "it ends there" : scan.stoppedBy;
      return {
        code: "corrupt",
        problem: `${key}, index ${formatIndex(index)}: the frame at offset ${broken} is damaged (${why})`,
        ...(isCut ? {} : { pages: [viewOf(wanted).getUint32(scan.frames * size + PAGE_NUMBER_AT)] }),
      };
    }
    for (; due < records.length && (records[due]?.end ?? 0) <= at + got; due++) {
      const problem = recordProblem(records[due], wanted, at, size);
      if (problem !== undefined) return { code: "corrupt", problem: `${key}, ${describeRecord(index, problem)}` };
    }
    chain = scan.checksum;
    at += got;
    tools.read(got);
    await tools.turn();
  }
  return undefined;
}
