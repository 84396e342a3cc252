/** A replica's newest WAL written anew, so that every object is as its own sums say, and is not what it was. */
import type { Generation } from "../../lib/position/generation.ts";
import { asOffset, type Index } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { COMMIT_SIZE_AT, FRAME_HEADER_SIZE, frameSize, PAGE_NUMBER_AT } from "../../lib/wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { SyntheticWal } from "../../lib/wal/synthetic_wal.ts";
import { assert } from "./assert.ts";

export interface Frame {
  page: number;
  commit: number;
  content: Uint8Array;
}

/** The WAL of one index up to its last record. */
export async function walBytes(store: GenerationStore, generation: Generation, index: Index): Promise<Uint8Array> {
  const records = await store.records(generation, index);
  const bytes = new Uint8Array(records.at(-1)?.end ?? 0);
  await store.readWal(generation, index, 0, bytes);
  return bytes;
}

/** Writes the newest index anew, with other frames and the same records, or the other way round. */
export async function rewriteWal(
  store: GenerationStore,
  generation: Generation,
  change: (frames: Frame[]) => void,
  changeRecords: (records: CommitRecord[]) => void = () => {},
): Promise<void> {
  const entry = (await store.catalog(generation)).wals.at(-1);
  assert(entry !== undefined);
  await rewriteIndex(store, generation, entry.index, change, changeRecords);
}

/** The same of an index. */
export async function rewriteIndex(
  store: GenerationStore,
  generation: Generation,
  index: Index,
  change: (frames: Frame[]) => void,
  changeRecords: (records: CommitRecord[]) => void = () => {},
): Promise<void> {
  const bytes = await walBytes(store, generation, index);
  const records = [...await store.records(generation, index)];
  const parsed = parseWalHeader(bytes.subarray(0, WAL_HEADER_SIZE));
  assert(parsed.ok);
  const { header } = parsed;
  const size = frameSize(header.pageSize);
  const view = new DataView(bytes.buffer);
  const frames: Frame[] = [];
  for (let at = WAL_HEADER_SIZE; at < bytes.length; at += size) {
    frames.push({
      page: view.getUint32(at + PAGE_NUMBER_AT),
      commit: view.getUint32(at + COMMIT_SIZE_AT),
      content: bytes.slice(at + FRAME_HEADER_SIZE, at + size),
    });
  }
  change(frames);
  changeRecords(records);
  let chain = header.checksum;
  const pieces = [bytes.slice(0, WAL_HEADER_SIZE)];
  for (let first = 0; first < frames.length;) {
    const last = frames.findIndex(({ commit }, slot) => slot >= first && commit !== 0);
    const wal = new SyntheticWal(header, chain, (_, flushed) => pieces.push(flushed.slice()));
    for (const { page, content } of frames.slice(first, last + 1)) wal.add(page, content);
    chain = wal.finish(frames[last]?.commit ?? 0).checksum;
    first = last + 1;
  }
  await store.removeWal(generation, index);
  await store.appendWal(generation, index, asOffset(0), {
    next: () => Promise.resolve(pieces.shift() ?? new Uint8Array(0)),
    records: () => records,
  });
}

/** A page that the newest index holds twice gets its first content again. */
export function putOldPageBack(frames: Frame[]): void {
  const newest = frames.findLast(({ page }, slot) => frames.findIndex((one) => one.page === page) < slot);
  const oldest = frames.find(({ page }) => page === newest?.page);
  assert(newest !== undefined && oldest !== undefined && newest !== oldest);
  newest.content = oldest.content;
}
