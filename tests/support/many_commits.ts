/** A history of very many commits in one index, written piece by piece: each commit is a frame, and has a record. */
import { viewOf } from "../../lib/base/bytes.ts";
import { encodeFrame } from "../../lib/lz4/frame_encoder.ts";
import { withTrailerEnding } from "../../lib/lz4/trailer.ts";
import { formatRawKey } from "../../lib/position/keys.ts";
import { formatSegmentKey } from "../../lib/position/litestream_names.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { type CommitRecord, formatCommitRecords } from "../../lib/store/commit_record.ts";
import { formatObjectTail } from "../../lib/store/object_tail.ts";
import { RunningChecksum } from "../../lib/wal/checksum.ts";
import { FRAME_HEADER_SIZE, frameSize, offsetAfter, SUMMED_HEADER_SIZE } from "../../lib/wal/frame.ts";
import { formatWalHeader, parseWalHeader } from "../../lib/wal/header.ts";
import { EPOCH_MS, ReplicaBuilder } from "./replica_builder.ts";
import { imageOf } from "./wal_builder.ts";

const PAGE_SIZE = 512;
const AT_ONCE = 4_096;
const SALT = { salt1: 0x11223344, salt2: 0x55667788 };
const INDEX = asIndex(0);

export interface ManyCommits {
  readonly commits: number;
  /** Records behind them that speak of no further frame: a resync each, which no reader passes over. */
  readonly idle?: number;
  /** What the records say; the frames say 2. */
  readonly databasePages?: number;
}

/** Two pages, the first of which each commit writes again, as zeros. */
export async function manyCommits(folder: string, layout: "raw" | "litestream", many: ManyCommits): Promise<void> {
  const { generation, store } = new ReplicaBuilder(folder, { layout, pageSize: PAGE_SIZE });
  await new ReplicaBuilder(folder, { layout, pageSize: PAGE_SIZE }).snapshot(0, 0, imageOf(PAGE_SIZE, 1, 2));
  await store.rest?.();
  const [frames, contentBytes] = [framesOf(many.commits), offsetAfter(many.commits, PAGE_SIZE)];
  const home = { generation, index: INDEX };
  if (layout === "raw") {
    writeFile(`${folder}/${formatRawKey(generation, INDEX, "wal")}`, frames);
    const records = pieces(recordsOf(many));
    writeFile(
      `${folder}/${formatRawKey(generation, INDEX, "commits")}`,
      function* () {
        for (const some of records) yield formatCommitRecords(some, home);
      }(),
    );
    return;
  }
  const tail = { records: [...recordsOf(many)], contentBytes, stateIndex: asIndex(0) };
  const next = () => Promise.resolve(frames.next().value ?? new Uint8Array(0));
  const frame = encodeFrame(next, () => withTrailerEnding(formatObjectTail(tail, home)));
  const key = `${folder}/${formatSegmentKey(generation, INDEX, asOffset(0))}`;
  Deno.mkdirSync(key.slice(0, key.lastIndexOf("/")), { recursive: true });
  using file = Deno.openSync(key, { write: true, create: true });
  for (let piece = await frame.next(); piece.length > 0; piece = await frame.next()) writeAll(file, piece);
  frame.close();
}

function* recordsOf({ commits, idle = 0, databasePages = 2 }: ManyCommits): Generator<CommitRecord> {
  for (let slot = 0; slot < commits + idle; slot++) {
    const isIdle = slot >= commits;
    yield {
      kind: isIdle ? "resync" : "sync",
      pageSize: PAGE_SIZE,
      start: slot === 0 ? asOffset(0) : offsetAfter(Math.min(slot, commits), PAGE_SIZE),
      end: offsetAfter(Math.min(slot + 1, commits), PAGE_SIZE),
      capturedAtMs: EPOCH_MS + 10_000 + slot,
      databasePages,
      ...(isIdle ? { confirmedAt: { index: INDEX, offset: asOffset(0) } } : {}),
      capturedLate: false,
      indexClosed: false,
    };
  }
}

/** The array is used again. */
function* framesOf(count: number): Generator<Uint8Array, undefined> {
  const header = formatWalHeader({ pageSize: PAGE_SIZE, littleEndian: true, salt: SALT, sequence: 0 });
  const parsed = parseWalHeader(header);
  if (!parsed.ok) throw new Error(parsed.reason);
  yield header;
  const sum = new RunningChecksum();
  sum.set(parsed.header.checksum);
  const size = frameSize(PAGE_SIZE);
  const frames = new Uint8Array(size * AT_ONCE);
  const view = viewOf(frames);
  for (let done = 0; done < count; done += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - done) * size;
    for (let at = 0; at < length; at += size) {
      [1, 2, SALT.salt1, SALT.salt2].forEach((word, slot) => view.setUint32(at + slot * 4, word));
      sum.update(view, at, SUMMED_HEADER_SIZE, true);
      sum.update(view, at + FRAME_HEADER_SIZE, PAGE_SIZE, true);
      view.setUint32(at + 16, sum.value().s0);
      view.setUint32(at + 20, sum.value().s1);
    }
    yield frames.subarray(0, length);
  }
  return undefined;
}

function* pieces<T>(all: Iterable<T>): Generator<T[]> {
  let some: T[] = [];
  for (const one of all) {
    some.push(one);
    if (some.length < AT_ONCE) continue;
    yield some;
    some = [];
  }
  yield some;
}

/** Piece by piece: it may be larger than memory should be. */
export function writeFile(path: string, all: Iterable<Uint8Array>): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  for (const piece of all) writeAll(file, piece);
}

function writeAll(file: Deno.FsFile, piece: Uint8Array): void {
  for (let at = 0; at < piece.length;) at += file.writeSync(piece.subarray(at));
}
