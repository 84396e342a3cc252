/**
 * From where on in its own index a snapshot of Litestream's serves. It notes no position, and may hold pages of transactions
 * that come behind a point: replayed up to there, it would be half of one state and half of another.
 *
 * A checkpoint copies the newest version of each page up to one frame. A replay to a point writes every page that has a frame
 * up to there anew; so it is right when no other page is one of its own later versions. A page that is none of its versions
 * is older than the first of them, or newer than all WAL that is there: where the index is not complete, one count of frames
 * must explain all pages at once, or the image is of a later moment than anything there.
 */
import { crc32c } from "../base/crc32c.ts";
import { isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import { viewOf } from "../base/bytes.ts";
import { nameObject, type ObjectHome } from "../position/object_names.ts";
import { asOffset, type Index } from "../position/position.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import { COMMIT_SIZE_AT, frameSize, offsetAfter, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { endOfWal, type GenerationFacts, type SnapshotMoment, type SnapshotPoint, walOf } from "./history.ts";
import type { RestorePlan } from "./plan.ts";
import { DamagedWal, oldestFirst, pageBytesAt } from "./wal_chunks.ts";

/** The versions of one page, oldest first: the frames they stand in, counted from 1, and sums of their contents. */
interface Versions {
  readonly frames: number[];
  readonly sums: number[];
}

/** All WAL of an index, as far as it is whole. */
interface PageHistory {
  readonly pages: ReadonlyMap<number, Versions>;
  readonly commits: readonly { readonly frame: number; readonly databasePages: number }[];
  /** Where it stops being whole. */
  readonly damage?: DamagedWal;
}

/** The same facts with what there is to know of that snapshot. */
export async function withMoment(
  store: GenerationStore,
  facts: GenerationFacts,
  snapshot: SnapshotPoint,
): Promise<GenerationFacts> {
  const moment = await momentOf(store, facts, snapshot);
  return { ...facts, moments: new Map<Index, SnapshotMoment>([...facts.moments ?? [], [snapshot.name, moment]]) };
}

async function momentOf(
  store: GenerationStore,
  facts: GenerationFacts,
  snapshot: SnapshotPoint,
): Promise<SnapshotMoment> {
  const { catalog } = facts;
  const entry = walOf(catalog, snapshot.name);
  const end = entry === undefined ? undefined : endOfWal(facts, entry);
  if (end === undefined || end.offset === 0) return { kind: "serves", from: asOffset(0) };
  const { pageSize } = snapshot;
  const step = { index: snapshot.name, from: asOffset(0), to: end.offset, databasePages: end.databasePages };
  try {
    const history = await pagesOf(store, { generation: catalog.generation, pageSize, steps: [step] });
    const image = await store.openSnapshot(catalog.generation, snapshot.name);
    try {
      const readPage = async (page: number, into: Uint8Array) => void await image.read((page - 1) * pageSize, into);
      const first = await firstServed(history, snapshot, readPage, entry?.lastRecord?.indexClosed === true);
      if (first !== undefined) {
        return { kind: "serves", from: first === 0 ? asOffset(0) : offsetAfter(first, pageSize) };
      }
      return unfit(catalog, snapshot, history.damage);
    } finally {
      image.close();
    }
  } catch (error) {
    if (!(error instanceof ReplicationError) || isRetryable(error) || error.code !== "corrupt") throw error;
    return { kind: "unfit", code: "corrupt", problem: messageOf(error) };
  }
}

function unfit(home: ObjectHome, { name }: SnapshotPoint, damage: DamagedWal | undefined): SnapshotMoment {
  if (damage !== undefined) {
    const problem = `${nameObject(home, name, "wal")} is damaged after byte ${damage.intactTo}: ${damage.problem}`;
    return { kind: "unfit", code: "corrupt", problem };
  }
  const problem = `${nameObject(home, name, "snapshot")} is of a later moment ` +
    "(expected the WAL that was written up to then to be there)";
  return { kind: "unfit", code: "gap", problem };
}

type PlanPart = Pick<RestorePlan, "generation" | "pageSize" | "steps">;

async function pagesOf(store: GenerationStore, plan: PlanPart): Promise<PageHistory> {
  const pages = new Map<number, Versions>();
  const commits: { frame: number; databasePages: number }[] = [];
  let frame = 0;
  try {
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
        const databasePages = view.getUint32(at + COMMIT_SIZE_AT);
        if (databasePages > 0) commits.push({ frame, databasePages });
      }
    }
  } catch (error) {
    if (!(error instanceof DamagedWal)) throw error;
    return { pages, commits, damage: error }; // Who restores a point behind it hears of it.
  }
  return { pages, commits };
}

/** After so many frames and more a replay over the image is right; undefined when it is of a moment behind all of them. */
async function firstServed(
  { pages, commits, damage }: PageHistory,
  { imageBytes, pageSize, isShort }: SnapshotPoint,
  readPage: (page: number, into: Uint8Array) => Promise<void>,
  isComplete: boolean,
): Promise<number | undefined> {
  const imagePages = Math.floor(imageBytes / pageSize);
  const bounds = new Bounds();
  if (imagePages > Math.max(0, ...commits.map(({ databasePages }) => databasePages))) bounds.atMost(0);
  const bytes = new Uint8Array(pageSize);
  for (const page of [...pages.keys()].sort((a, b) => a - b)) {
    const versions = pages.get(page);
    if (versions === undefined || page > imagePages) continue;
    await readPage(page, bytes);
    bounds.explain(versions, crc32c(bytes));
  }
  if ((!isComplete || damage !== undefined) && !bounds.leaveAny) return undefined;
  const until = isShort ? Infinity : bounds.least;
  return Math.max(bounds.firstRewritten, firstFilled({ pages, commits }, imagePages, until));
}

/** Behind commits for which the image, made when the database was smaller, lacks pages that no frame up to there brings. */
function firstFilled({ pages, commits }: PageHistory, imagePages: number, until: number): number {
  const most = commits.reduce((largest, { databasePages }) => Math.max(largest, databasePages), imagePages);
  /** By page behind the image: after so many frames it and all before it were brought. */
  const broughtAt = [0];
  for (let page = imagePages + 1; page <= most; page++) {
    const first = pages.get(page)?.frames[0];
    if (first === undefined) break;
    broughtAt.push(Math.max(broughtAt.at(-1) ?? 0, first));
  }
  const lacks = ({ frame, databasePages }: PageHistory["commits"][number]) =>
    frame < until && databasePages > imagePages && (broughtAt[databasePages - imagePages] ?? Infinity) > frame;
  const last = commits.findLast(lacks);
  return last === undefined ? 0 : last.frame + 1;
}

/** How many frames may have been copied into the image. */
class Bounds {
  least = 0;
  /** From here on every page that is one of its versions is written anew. */
  firstRewritten = 0;
  #most = Infinity;

  atMost(frames: number): void {
    this.#most = Math.min(this.#most, frames);
  }

  explain({ frames, sums }: Versions, sum: number): void {
    const first = sums.indexOf(sum);
    if (first === -1) return this.atMost((frames[0] ?? 1) - 1);
    this.least = Math.max(this.least, frames[first] ?? 0);
    this.firstRewritten = Math.max(this.firstRewritten, frames[0] ?? 0);
    const next = frames[sums.lastIndexOf(sum) + 1];
    if (next !== undefined) this.atMost(next - 1);
  }

  get leaveAny(): boolean {
    return this.least <= this.#most;
  }
}
