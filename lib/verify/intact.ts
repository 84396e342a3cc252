/** Reads every object of a generation whole: frames and their chain, records, commits, images. */
import { equalBytes, hex, viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { ReplicationError } from "../base/errors.ts";
import { scanAndHash } from "../pages/frame_scan.ts";
import { pageHasher } from "../pages/page_hasher.ts";
import { nameObject } from "../position/object_names.ts";
import { asOffset, formatIndex, type Index, type Offset } from "../position/position.ts";
import type { GenerationFacts } from "../restore/history.ts";
import { readAhead } from "../restore/read_ahead.ts";
import { impossibleClaim } from "../restore/room.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { DamagedSegment } from "../store/damaged_segment.ts";
import type { GenerationCatalog, GenerationStore, SnapshotEntry, WalEntry } from "../store/generation_store.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import { frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../wal/header.ts";
import { CarriedImages } from "./carried_images.ts";
import { CarriedState } from "./carried_state.ts";
import { frameValues, WORDS_A_FRAME } from "./frame_values.ts";
import { ImageSum } from "./image_sum.ts";
import { WalLives } from "./wal_lives.ts";
import { RecordTimes } from "./record_times.ts";
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
  /** Of each record that has a checksum: whether the state that the objects lead to was compared with it. */
  readonly compared: (isCompared: boolean) => void;
  /** An image that was read, and that no sum of the whole database belongs to. */
  readonly onlyRead: (entry: SnapshotEntry) => void;
  /** Something that proves nothing, as a clause that names the object. */
  readonly odd: (problem: string) => void;
}

/** Of some 30 MB; what changes more while an image is made is left to a restore. */
const LATER_PAGES_MAX = 1 << 18;

/** What is carried from one object to the next. */
interface History {
  readonly state: CarriedState;
  readonly images: CarriedImages;
  readonly times: RecordTimes;
  readonly lives: WalLives;
}

type Problem = Pick<Finding, "code" | "problem" | "pages">;

export async function checkObjects(
  store: GenerationStore,
  facts: GenerationFacts,
  tools: IntactTools,
): Promise<Finding[]> {
  const { catalog, unrecorded, damage } = facts;
  if (damage !== undefined) return []; // Told by the chain already.
  const findings: Finding[] = [];
  const note = (problem: Problem | undefined) => {
    if (problem !== undefined) findings.push({ rung: "intact", ...problem });
  };
  const wrong = (problem: string) => note({ code: "corrupt", problem });
  const state = new CarriedState(catalog, { turn: tools.turn, compared: tools.compared, wrong });
  const images = new CarriedImages(catalog, wrong);
  const times = new RecordTimes(catalog, { wrong, odd: tools.odd });
  const history = { state, images, times, lives: new WalLives(catalog, { wrong, odd: tools.odd }) };
  const lose = () => {
    state.lose();
    images.lose();
  };
  const snapshots = new Map(catalog.snapshots.map((entry) => [entry.index, entry]));
  const wals = new Map(catalog.wals.map((entry) => [entry.index, entry]));
  for (const index of [...new Set([...snapshots.keys(), ...wals.keys()])].sort((a, b) => a - b)) {
    const [snapshot, wal] = [snapshots.get(index), wals.get(index)];
    await state.enter(index);
    images.enter(index);
    if (!tools.isDue(index)) {
      lose();
      continue;
    }
    if (snapshot !== undefined) note(await checked(() => checkSnapshot(store, catalog, snapshot, history, tools)));
    if (wal === undefined) continue;
    const end = wal.lastRecord?.end ?? (wal === catalog.wals.at(-1) ? unrecorded?.offset : undefined);
    const problem = await checked(() => checkWal(store, catalog, wal, end, history, tools));
    if (problem !== undefined) lose();
    note(problem);
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
  { state, images }: History,
  tools: IntactTools,
): Promise<Problem | undefined> {
  const found = snapshotState(catalog, entry);
  if (found.kind !== "whole") return undefined; // Told by the chain already.
  const { record } = found;
  const { pageSize, checksum } = record;
  const key = nameObject(catalog, entry.index, "snapshot");
  if (entry.stateIndex !== undefined && entry.stateIndex < entry.index) {
    const problem = `${key} is the image of an earlier index, ${formatIndex(entry.stateIndex)}`;
    return { code: "corrupt", problem };
  }
  const imageBytes = entry.imageBytes ?? entry.sizeBytes;
  const impossible = impossibleClaim(pageSize * record.databasePages, imageBytes + walBytesOf(catalog, entry));
  if (impossible !== undefined) return { code: "corrupt", problem: `${key}: ${impossible}` };
  const isWanted = entry.isPeers !== true && (checksum !== undefined || state.isKnown);
  const sum = isWanted ? await imageSum(store, catalog, entry, record, tools) : undefined;
  const began = state.beginImage(entry, record);
  const compared = images.beginImage(entry, record);
  const chunkBytes = Math.min(limits.restoreChunkBytes, imageBytes);
  const values = new Uint32Array(pageSize === 0 ? 0 : Math.ceil(chunkBytes / pageSize) * 2);
  const image = await store.openSnapshot(catalog.generation, entry.index);
  const load = async (at: number, buffer: Uint8Array) => {
    const wanted = buffer.subarray(0, imageBytes - at);
    return { at, wanted, got: await image.read(at, wanted) };
  };
  try {
    for await (const { at, wanted, got } of readAhead(offsets(0, imageBytes, chunkBytes), load, chunkBytes)) {
      if (got < wanted.length) {
        return { code: "corrupt", problem: `${key} ends at byte ${at + got} (expected ${imageBytes} bytes)` };
      }
      if (at === 0 && isOtherDatabase(wanted, pageSize)) {
        return {
          code: "corrupt",
          problem: `${key} is no database with pages of ${pageSize} bytes, as its record says`,
        };
      }
      if (sum !== undefined || began?.values !== undefined || compared !== undefined) {
        const [first, count] = [at / pageSize + 1, Math.floor(got / pageSize)];
        pageHasher().hashPages(wanted.subarray(0, count * pageSize), pageSize, first, values);
        sum?.addValues(first, count, values);
        for (let slot = 0; slot < count; slot++) {
          const [low, high] = [values[2 * slot] ?? 0, values[2 * slot + 1] ?? 0];
          began?.values?.take(first + slot, low, high);
          compared?.take(first + slot, low, high);
        }
      }
      tools.read(got);
      await tools.turn();
    }
    await image.prove();
    if (sum === undefined) tools.onlyRead(entry);
  } finally {
    image.close();
  }
  const made = sum?.bytes();
  if (made !== undefined && checksum !== undefined && !equalBytes(made, checksum)) {
    const problem = `${key} is not the database that was recorded: its checksum is ${hex(made)} (expected ${
      hex(checksum)
    })`;
    return { code: "corrupt", problem };
  }
  if (made !== undefined && checksum === undefined) await state.imaged(entry, made);
  const imagePages = pageSize === 0 ? 0 : Math.floor(imageBytes / pageSize);
  await began?.began(imagePages);
  compared?.began(imagePages);
  return undefined;
}

/** Where each chunk of so many bytes begins. */
function* offsets(from: number, end: number, chunkBytes: number): Generator<number> {
  for (let at = from; at < end; at += chunkBytes) yield at;
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
 * index to the position of its record: what that changes counts instead of what the image holds. Undefined where that is too
 * much to keep in memory.
 */
async function imageSum(
  store: GenerationStore,
  catalog: GenerationCatalog,
  entry: SnapshotEntry,
  { pageSize, databasePages, end }: CommitRecord,
  tools: IntactTools,
): Promise<ImageSum | undefined> {
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
  end: Offset | undefined,
  { state, images, times, lives }: History,
  tools: IntactTools,
): Promise<Problem | undefined> {
  const { index } = entry;
  if (end === undefined) {
    state.lose();
    images.lose();
    return undefined;
  }
  const key = nameObject(catalog, index, "wal");
  const records = await store.records(catalog.generation, index);
  const known = records.at(-1)?.end ?? 0;
  if (entry.lastRecord !== undefined && known < entry.lastRecord.end) {
    await store.readWal(catalog.generation, index, known, new Uint8Array(1)); // Says which object it is, where it knows.
    const commits = nameObject(catalog, index, "commits");
    const problem = `${commits} is damaged after ${records.length} records (expected all records up to ${end})`;
    return { code: "corrupt", problem };
  }
  times.take(entry, records);
  if (end === 0) return undefined;
  const headerBytes = new Uint8Array(WAL_HEADER_SIZE);
  const parsed = parseWalHeader(
    headerBytes.subarray(0, await store.readWal(catalog.generation, index, 0, headerBytes)),
  );
  if (!parsed.ok) return { code: "corrupt", problem: `${key}: ${parsed.reason}` };
  const { header } = parsed;
  if (entry.isPeers === true) lives.take(index, header.salt);
  state.beginWal(entry, header, records, end);
  const size = frameSize(header.pageSize);
  const framesAtOnce = Math.max(1, Math.floor(limits.restoreChunkBytes / size));
  const values = new Uint32Array(framesAtOnce * 2);
  let chain = header.checksum;
  const replayed = tools.replayed?.of(catalog.generation, index);
  const until = replayed !== undefined && replayed.to >= end ? replayed.from : end;
  tools.read(end - until); // By the restore.
  let at: number = WAL_HEADER_SIZE;
  const take = async (frames: Uint32Array) => {
    await state.take(at, frames);
    images.take(frames);
  };
  const load = async (from: number, buffer: Uint8Array) => {
    const wanted = buffer.subarray(0, until - from);
    return { wanted, got: await store.readWal(catalog.generation, index, from, wanted) };
  };
  const chunkBytes = framesAtOnce * size;
  for await (const { wanted, got } of readAhead(offsets(at, until, chunkBytes), load, chunkBytes)) {
    const scan = scanAndHash(wanted.subarray(0, got), header, chain, values);
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
    await take(frameValues(wanted, header.pageSize, values));
    chain = scan.checksum;
    at += got;
    tools.read(got);
    await tools.turn();
  }
  for (; at < end; await tools.turn()) {
    const words = new Uint32Array(Math.min(framesAtOnce, (end - at) / size) * WORDS_A_FRAME);
    tools.replayed?.read(catalog.generation, index, at, words);
    await take(words);
    at += words.length / WORDS_A_FRAME * size;
  }
  state.endWal(entry);
  images.endWal(entry);
  return undefined;
}

const MAGIC = "SQLite format 3\0";
const PAGE_SIZE_AT = 16;
const PAGE_SIZE_65536 = 1;

/** Whether it begins as a database does, and is one of another page size; who encrypts databases leaves no such beginning. */
function isOtherDatabase(bytes: Uint8Array, pageSize: number): boolean {
  if (!MAGIC.split("").every((letter, at) => bytes[at] === letter.charCodeAt(0))) return false;
  const stored = viewOf(bytes).getUint16(PAGE_SIZE_AT);
  return (stored === PAGE_SIZE_65536 ? 65_536 : stored) !== pageSize;
}
