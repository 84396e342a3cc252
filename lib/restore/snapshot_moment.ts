/**
 * Whether a snapshot of Litestream's can be of a moment before the point that is restored. It notes no position, and may
 * hold pages of transactions whose WAL was never stored: replayed up to an earlier point, it would be half of one and half
 * of the other.
 *
 * A checkpoint copies the newest version of each page up to one frame. So if the image is of a moment within the WAL that is
 * there, one count of frames explains all of its pages at once: those whose content is some version in the WAL, and those
 * whose content is none, which are older than their first version. No such count: the image is later.
 */
import { crc32c } from "../base/crc32c.ts";
import { viewOf } from "../base/bytes.ts";
import { nameObject } from "../position/object_names.ts";
import { asOffset, formatPosition } from "../position/position.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import { COMMIT_SIZE_AT, frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { Unrestorable } from "./failure.ts";
import type { RestorePlan } from "./plan.ts";
import { oldestFirst, pageBytesAt } from "./wal_chunks.ts";

/** The versions of one page, oldest first: the frames they stand in, counted from 1, and sums of their contents. */
interface Versions {
  readonly frames: number[];
  readonly sums: number[];
}

/** Throws `gap` when the snapshot of the plan is of a later moment than the plan's end. */
export async function expectSnapshotBefore(plan: RestorePlan, store: GenerationStore): Promise<void> {
  const pages = new Map<number, Versions>();
  let frame = 0;
  let largestCommit = 0;
  for await (const { frames, count } of oldestFirst(plan, store)) {
    const view = viewOf(frames);
    for (let slot = 0; slot < count; slot++) {
      const at = slot * frameSize(plan.pageSize);
      const page = view.getUint32(at + PAGE_NUMBER_AT);
      const versions = pages.get(page) ?? { frames: [], sums: [] };
      const start = pageBytesAt(slot, plan.pageSize);
      versions.frames.push(++frame);
      versions.sums.push(crc32c(frames.subarray(start, start + plan.pageSize)));
      pages.set(page, versions);
      largestCommit = Math.max(largestCommit, view.getUint32(at + COMMIT_SIZE_AT));
    }
  }
  const { snapshot, generation } = plan;
  const opened = await store.openSnapshot(generation, snapshot.name);
  try {
    const imagePages = Math.floor(snapshot.imageBytes / plan.pageSize);
    const bounds = new Bounds();
    if (imagePages > largestCommit) bounds.atMost(0);
    const bytes = new Uint8Array(plan.pageSize);
    for (const page of [...pages.keys()].sort((a, b) => a - b)) {
      const versions = pages.get(page);
      if (versions === undefined || page > imagePages) continue;
      await opened.read((page - 1) * plan.pageSize, bytes);
      bounds.explain(versions, crc32c(bytes));
    }
    if (bounds.leaveAny) return;
  } finally {
    opened.close();
  }
  const image = nameObject(plan, snapshot.name, "snapshot");
  throw new Unrestorable(
    "gap",
    `Cannot restore ${formatPosition({ generation, ...plan.end })}: ${image} is of a later moment ` +
      "(expected the WAL that was written up to then to be there)",
    { generation, point: { ...snapshot, index: snapshot.name, offset: asOffset(0) } }, // The snapshot alone.
  );
}

/** How many frames may have been copied into the image. */
class Bounds {
  #least = 0;
  #most = Infinity;

  atMost(frames: number): void {
    this.#most = Math.min(this.#most, frames);
  }

  explain({ frames, sums }: Versions, sum: number): void {
    const first = sums.indexOf(sum);
    if (first === -1) return this.atMost((frames[0] ?? 1) - 1);
    this.#least = Math.max(this.#least, frames[first] ?? 0);
    const next = frames[sums.lastIndexOf(sum) + 1];
    if (next !== undefined) this.atMost(next - 1);
  }

  get leaveAny(): boolean {
    return this.#least <= this.#most;
  }
}
