/** Gathers where a replica ends and what brings it on, for `decideStart`; changes nothing. */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { equalBytes, viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import type { DatabaseSource, PageChanges, WalMark } from "../database/source.ts";
import type { Generation } from "../position/generation.ts";
import { asIndex, asOffset, type Offset } from "../position/position.ts";
import { brokenBefore } from "../restore/reach.ts";
import { DamagedSegment } from "../store/damaged_segment.ts";
import type { GenerationCatalog, GenerationStore, ReplicaEnd, WalEntry } from "../store/generation_store.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import { equalChecksums } from "../wal/checksum.ts";
import { frameSize, storedChecksum } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../wal/header.ts";
import { equalSalts } from "../wal/salt.ts";
import { decideCatchUp } from "./catch_up_decision.ts";
import { findIntactEnd } from "./intact_end.ts";
import type { StartFacts } from "./start_decision.ts";

export type StartSource = Pick<
  DatabaseSource,
  "oldestIndex" | "position" | "markAt" | "openReader" | "endsInResync" | "changesSince"
>;

/** What stands at an offset of a WAL: its header, and the chain's sum there. */
export interface KnownWal {
  readonly header: WalHeader;
  readonly chain: WalMark["checksum"];
}

export type Start =
  | {
    readonly kind: "facts";
    readonly facts: StartFacts;
    readonly end: ReplicaEnd | undefined;
    /** Of the replica, with the pages that changed since; where the shadow WAL does not hold its end. */
    readonly behind?: { readonly known: KnownWal | undefined; readonly changes: PageChanges };
  }
  /** The replica's newest index is damaged from there on; what is before it is ours. */
  | { readonly kind: "damaged"; readonly entry: WalEntry; readonly offset: Offset; readonly damage: string }
  /** The replica holds what cannot be continued. */
  | { readonly kind: "other"; readonly reason: string };

/** `catalog` was read before: what is decided belongs to it. Undefined while nothing of the generation is captured. */
export async function gatherStart(
  source: StartSource,
  store: GenerationStore,
  place: string,
  catalog: GenerationCatalog,
): Promise<Start | undefined> {
  const { generation } = catalog;
  const end = await endOrProblem(store, generation);
  if (typeof end === "string") return await lookForDamage(source, store, catalog, end);
  const captured = source.position();
  if (captured === undefined || captured.generation !== generation) return undefined;
  const agrees = await agreesAtEnd(source, store, generation, end);
  const isSame = agrees === true && end !== undefined
    ? await unlessDamaged(hasSameBytes(source, store, generation, end)) ?? false
    : agrees;
  if (isSame === false) {
    const reason = "the replica holds other WAL than this host captured";
    return await lookForDamage(source, store, catalog, reason);
  }
  const basis: StartFacts = {
    newestSnapshot: newestSnapshot(catalog),
    end,
    oldest: source.oldestIndex(),
    captured,
    agrees,
    brokenBecause: end === undefined ? undefined : brokenBefore(catalog, end),
    isSnapshotNameTaken: catalog.snapshots.some((entry) =>
      entry.index >= captured.index && entry.recordMissing !== true
    ),
    isCatchUpUnfinished: end !== undefined && isCatchUpUnfinished(source, end),
  };
  if (end === undefined || agrees !== undefined || end.index >= basis.oldest || end.isRemembered === true) {
    return { kind: "facts", facts: basis, end };
  }
  const entry = catalog.wals.at(-1);
  if (entry !== undefined) {
    const { damage, offset } = await findIntactEnd(store, generation, entry);
    if (damage !== undefined && entry.isReplaced === true) return { kind: "other", reason: damage };
    if (damage !== undefined) return { kind: "damaged", entry, offset, damage };
  }
  const changes = source.changesSince(end.index, place);
  const known = await knownOnReplica(store, generation, end);
  const mark = known && { salt: known.header.salt, checksum: known.chain };
  const catchUp = decideCatchUp({
    changes,
    mark,
    offset: end.offset,
    isKnown: end.offset === 0 || mark !== undefined,
    indexes: captured.index - end.index,
  });
  const isEndComplete = end.closed && mark !== undefined && changes !== undefined && isEndOf(changes.from, end, mark);
  return {
    kind: "facts",
    facts: { ...basis, isEndComplete, catchUp },
    end,
    ...(changes === undefined ? {} : { behind: { known, changes } }),
  };
}

function isEndOf(from: PageChanges["from"], end: ReplicaEnd, mark: WalMark): boolean {
  return from.end === end.offset && equalSalts(from.salt, mark.salt) && equalChecksums(from.checksum, mark.checksum);
}

async function endOrProblem(store: GenerationStore, generation: Generation): Promise<ReplicaEnd | undefined | string> {
  try {
    return await store.end(generation);
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.code !== "corrupt") throw error;
    return messageOf(error);
  }
}

/** Damage is cut off and written again; another history is left as it is. */
async function lookForDamage(
  source: StartSource,
  store: GenerationStore,
  catalog: GenerationCatalog,
  reason: string,
): Promise<Start> {
  const entry = catalog.wals.at(-1);
  // What belongs elsewhere may be the only copy there is of it: it is left where it is. So is what is no file.
  if (entry === undefined || entry.isUnread === true || entry.isForeign === true) return { kind: "other", reason };
  if (entry.isReplaced === true) return { kind: "other", reason: entry.recordProblem ?? reason };
  const { generation } = catalog;
  const { offset, damage } = await findIntactEnd(store, generation, entry);
  if (damage === undefined) return { kind: "other", reason };
  const intact = { index: entry.index, offset, closed: false };
  const agrees = await agreesAtEnd(source, store, generation, intact) !== false &&
    await isOurLife(source, store, generation, intact);
  return agrees ? { kind: "damaged", entry, offset, damage } : { kind: "other", reason };
}

/** By the header alone, where nothing behind it is whole. */
async function isOurLife(source: StartSource, store: GenerationStore, generation: Generation, end: ReplicaEnd) {
  if (end.offset > 0 || end.index < source.oldestIndex()) return true;
  const own = await capturedHeader(source, generation, end);
  const header = await unlessDamaged(headerOnReplica(store, generation, end));
  return own === undefined || header === undefined || equalSalts(own.salt, header.salt);
}

async function capturedHeader(source: StartSource, generation: Generation, { index }: ReplicaEnd) {
  const reader = source.openReader({ generation, index, offset: asOffset(0) });
  try {
    const bytes = new Uint8Array(WAL_HEADER_SIZE);
    const parsed = parseWalHeader(bytes.subarray(0, await reader.read(bytes)));
    return parsed.ok ? parsed.header : undefined;
  } finally {
    reader.close();
  }
}

function newestSnapshot(catalog: GenerationCatalog) {
  const isWhole = (entry: GenerationCatalog["snapshots"][number]) =>
    entry.isUnread === true || snapshotState(catalog, entry).kind === "whole";
  return catalog.snapshots.findLast(isWhole)?.index;
}

function isCatchUpUnfinished(source: StartSource, end: ReplicaEnd): boolean {
  if (end.endsInResync === true) return !source.endsInResync(end.index);
  return end.followsResync === true && !source.endsInResync(asIndex(end.index - 1));
}

/**
 * Whether shadow and replica hold the same up to the replica's end, by salts and the chain's sum, which covers every byte
 * before it. Undefined when the shadow WAL does not hold that position.
 */
async function agreesAtEnd(
  source: StartSource,
  store: GenerationStore,
  generation: Generation,
  end: ReplicaEnd | undefined,
): Promise<boolean | undefined> {
  if (end === undefined || end.index < source.oldestIndex()) return undefined;
  if (end.offset === 0) return true;
  const own = source.markAt(end.index, end.offset);
  if (own === undefined) return undefined;
  if (end.isRemembered === true) return true; // Nobody here can read it.
  const known = await unlessDamaged(knownOnReplica(store, generation, end));
  return known !== undefined && equalSalts(known.header.salt, own.salt) && equalChecksums(known.chain, own.checksum);
}

/** Whether what the replica holds last is what was captured, byte for byte; only so much of it that nobody waits long. */
async function hasSameBytes(source: StartSource, store: GenerationStore, generation: Generation, end: ReplicaEnd) {
  if (end.isRemembered === true || end.offset === 0) return true;
  const { index } = end;
  const from = Math.max(0, end.offset - limits.endComparedBytes);
  const reader = source.openReader({ generation, index, offset: asOffset(from) });
  const own = new Uint8Array(limits.transferBytes);
  const held = new Uint8Array(limits.transferBytes);
  try {
    for (let at = from; at < end.offset;) {
      const got = await reader.read(own.subarray(0, Math.min(own.length, end.offset - at)));
      if (await store.readWal(generation, index, at, held.subarray(0, got)) < got) return false;
      if (got === 0 || !equalBytes(own.subarray(0, got), held.subarray(0, got))) return false;
      at += got;
    }
    return true;
  } finally {
    reader.close();
  }
}

async function unlessDamaged<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof DamagedSegment) return undefined;
    throw error;
  }
}

async function knownOnReplica(
  store: GenerationStore,
  generation: Generation,
  end: ReplicaEnd,
): Promise<KnownWal | undefined> {
  if (end.offset === 0) return undefined;
  const header = await headerOnReplica(store, generation, end);
  if (header === undefined) return undefined;
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  const lastFrame = end.offset - frameSize(header.pageSize);
  if (lastFrame < WAL_HEADER_SIZE || await store.readWal(generation, end.index, lastFrame, bytes) < bytes.length) {
    return undefined;
  }
  return { header, chain: storedChecksum(viewOf(bytes), 0) };
}

async function headerOnReplica(store: GenerationStore, generation: Generation, { index }: ReplicaEnd) {
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  const parsed = parseWalHeader(bytes.subarray(0, await store.readWal(generation, index, 0, bytes)));
  return parsed.ok ? parsed.header : undefined;
}
