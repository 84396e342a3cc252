/**
 * Writes a plan's database: WAL first, newest frame first, so that each page is written once, then from the snapshot what
 * no frame brought.
 *
 * The size of the database limits which frames count. SQLite restarts the WAL only after all of it was copied into the
 * database file, and that copy ends by cutting the file to the size of the last commit: what an older index holds of pages
 * beyond that size was cut off, and reads as zeros if the database grows again. So the limit only sinks from the newest
 * index to the oldest. Within one index nothing is cut off: its newest frame of a page counts, also over a time when the
 * database was smaller.
 */
import { viewOf } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Progress } from "../base/progress.ts";
import type { Clock } from "../platform/clock.ts";
import type { EarlySync } from "../platform/early_sync.ts";
import type { FileHandle } from "../platform/file_system.ts";
import type { PageWriter } from "../platform/page_writer.ts";
import type { Generation } from "../position/generation.ts";
import { nameObject } from "../position/object_names.ts";
import type { GenerationStore, SnapshotReader } from "../store/generation_store.ts";
import { frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { PageBatch } from "./page_batch.ts";
import type { PageSet } from "./page_set.ts";
import type { RestorePlan } from "./plan.ts";
import { readAhead } from "./read_ahead.ts";
import { newestFirst, pageBytesAt, type WalChunk } from "./wal_chunks.ts";
import { WrittenPages } from "./written_pages.ts";

export interface ApplyTools {
  readonly clock: Clock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Is shown all WAL that is replayed, each chunk once it is proven; the bytes are reused. */
  readonly observe?: ((generation: Generation, chunk: WalChunk) => Promise<void>) | undefined;
  /** Of the draft. */
  readonly early: EarlySync;
  /** Another thread that writes into the draft as well; without it this one does. */
  readonly writer?: PageWriter | undefined;
}

/**
 * The draft is empty before, and exactly the database of the plan's end afterwards, not yet synced. Returns the checksum of
 * what was written, when the end has one to compare it with.
 */
export async function applyPlan(
  plan: RestorePlan,
  store: GenerationStore,
  draft: FileHandle,
  tools: ApplyTools,
): Promise<Uint8Array | undefined> {
  const written = new WrittenPages(plan.end.databasePages, plan.pageSize, plan.end.checksum !== undefined);
  let limit = plan.end.databasePages;
  if (plan.steps.length > 0) {
    const batch = new PageBatch(draft, plan, tools);
    for await (const chunk of newestFirst(plan, store)) {
      limit = Math.min(limit, chunk.step.databasePages);
      await tools.observe?.(plan.generation, chunk);
      await takePages(chunk, plan.pageSize, limit, written, batch);
      tools.progress.add(chunk.frames.length);
      await takeTurn(tools);
    }
    await batch.finish();
  }
  const copied = await copyMissing(plan, store, draft, limit, written, tools);
  draft.truncate(plan.databaseBytes);
  return await written.checksum(copied + 1, () => takeTurn(tools));
}

async function takePages(
  { frames, count, values }: WalChunk,
  pageSize: number,
  limit: number,
  written: WrittenPages,
  batch: PageBatch,
): Promise<void> {
  const view = viewOf(frames);
  const size = frameSize(pageSize);
  for (let frame = count - 1; frame >= 0; frame--) {
    const page = view.getUint32(frame * size + PAGE_NUMBER_AT);
    if (page > limit || !written.add(page, values[2 * frame] ?? 0, values[2 * frame + 1] ?? 0)) continue;
    if (batch.isFull) await batch.flush();
    batch.add(page, frames, pageBytesAt(frame, pageSize));
  }
}

interface SnapshotWindow {
  /** Pages from `first` to before `end` are read; those of them that are missing are written. */
  readonly first: number;
  readonly end: number;
}

/**
 * Reads the snapshot in large windows that begin and end with a missing page; what nobody misses is not read, unless only
 * the whole of it can be proven. Returns the last page that it holds of the database.
 */
async function copyMissing(
  plan: RestorePlan,
  store: GenerationStore,
  draft: FileHandle,
  limit: number,
  written: WrittenPages,
  tools: ApplyTools,
): Promise<number> {
  const { pageSize, generation, snapshot } = plan;
  if (pageSize === 0) return 0;
  const imagePages = Math.floor(snapshot.imageBytes / pageSize);
  const pages = Math.min(limit, imagePages);
  if (pages === 0) return 0;
  const image = await store.openSnapshot(generation, snapshot.name);
  try {
    await copyPages(plan, image, draft, pages, written, tools);
    await image.prove();
    return pages;
  } finally {
    image.close();
  }
}

async function copyPages(
  plan: RestorePlan,
  image: SnapshotReader,
  draft: FileHandle,
  pages: number,
  written: WrittenPages,
  tools: ApplyTools,
): Promise<void> {
  const { pageSize, snapshot } = plan;
  const { done } = written;
  const imagePages = Math.floor(snapshot.imageBytes / pageSize);
  const windowPages = Math.max(1, Math.floor(limits.restoreChunkBytes / pageSize));
  const load = async (window: SnapshotWindow, buffer: Uint8Array) => {
    const bytes = buffer.subarray(0, (window.end - window.first) * pageSize);
    const at = (window.first - 1) * pageSize;
    const got = await image.read(at, bytes);
    if (got === bytes.length) return { window, bytes };
    const key = nameObject(plan, snapshot.name, "snapshot");
    const problem = `it ends at byte ${at + got} (expected ${snapshot.imageBytes} bytes)`;
    throw new ReplicationError("corrupt", `Cannot read ${key}: ${problem}`);
  };
  let seen = 0;
  const windows = image.isReadWhole ? allWindows(imagePages, windowPages) : missingWindows(done, pages, windowPages);
  for await (const { window, bytes } of readAhead(windows, load, Math.min(windowPages, imagePages) * pageSize)) {
    for (let first = done.nextMissing(window.first); first < window.end && first <= pages;) {
      const end = done.nextPresent(first, Math.min(window.end, pages + 1));
      const at = (first - window.first) * pageSize;
      const run = bytes.subarray(at, at + (end - first) * pageSize);
      draft.writeAt(run, (first - 1) * pageSize);
      written.addRest(first, run);
      await tools.early.wrote(run.length);
      first = done.nextMissing(end);
    }
    const now = Math.min(window.end - 1, pages);
    tools.progress.add((now - seen) * pageSize);
    seen = now;
    await takeTurn(tools);
  }
  tools.progress.add((pages - seen) * pageSize);
}

function* allWindows(pages: number, windowPages: number): Generator<SnapshotWindow, void, void> {
  for (let first = 1; first <= pages; first += windowPages) {
    yield { first, end: Math.min(first + windowPages, pages + 1) };
  }
}

function* missingWindows(done: PageSet, pages: number, windowPages: number): Generator<SnapshotWindow, void, void> {
  for (let first = done.nextMissing(1); first <= pages;) {
    const limit = Math.min(first + windowPages, pages + 1);
    let end = first;
    for (let page = first; page < limit; page = done.nextMissing(end)) end = done.nextPresent(page, limit);
    yield { first, end };
    first = done.nextMissing(end);
  }
}

/** Lets others run, a signal among them. */
async function takeTurn({ clock, signal }: ApplyTools): Promise<void> {
  await clock.yield();
  if (signal.aborted) throw stoppedError();
}

export function stoppedError(): ReplicationError {
  return new ReplicationError("cancelled", "Cannot finish the restore: it was stopped by a signal");
}
