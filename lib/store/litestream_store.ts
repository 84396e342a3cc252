import { inBatches, READS_AT_ONCE } from "../base/batches.ts";
import { assert } from "../base/assert.ts";
import type { NextBytes } from "../base/byte_source.ts";
import { isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import type { ReplicaClient } from "../clients/client.ts";
import { encodeFrame } from "../lz4/frame_encoder.ts";
import { withTrailerEnding } from "../lz4/trailer.ts";
import type { Generation } from "../position/generation.ts";
import { formatSegmentKey, formatSnapshotKey } from "../position/litestream_names.ts";
import { type Layout, nameObject } from "../position/object_names.ts";
import { asIndex, asOffset, type Index, type Offset } from "../position/position.ts";
import { NOBODY_KNOWS } from "./commit_log.ts";
import { CatalogMemory, type ListedLook, lookOf } from "./catalog_memory.ts";
import type { CommitRecord, RecordHome } from "./commit_record.ts";
import { CommitRecordList, type CommitRecords } from "./commit_records.ts";
import { DamagedGeneration } from "./damaged_generation.ts";
import { holdsGenerations, listGenerations } from "./generation_folders.ts";
import type {
  BringWal,
  GenerationCatalog,
  GenerationStore,
  ReplicaEnd,
  SnapshotEntry,
  SnapshotImage,
  SnapshotReader,
  WalEntry,
  WalPieces,
  WrittenSnapshot,
} from "./generation_store.ts";
import { unlessGone } from "./gone.ts";
import { assertContiguous } from "./held_wal.ts";
import {
  type GenerationFiles,
  type ListedSnapshot,
  listGeneration,
  type LitestreamListing,
  type Segment,
} from "./litestream_listing.ts";
import { formatRemembered, parseRemembered, type RememberedEnd, type ReplicaMemory } from "./replica_memory.ts";
import { removeEmptyFolders, unfinishedIn } from "./leftovers.ts";
import { formatObjectTail } from "./object_tail.ts";
import { OpenContents } from "./open_contents.ts";
import { bringsPagesBehind, peerRecords, readImageShape } from "./peer_records.ts";
import { endOf } from "./resynced.ts";
import { SegmentReader } from "./segment_reader.ts";
import { type Encryption, openContent, readObjectTail } from "./stored_object.ts";
import { isOf, type Writer, writerOf } from "./writer.ts";

/** So many that cannot be read are met one by one, from the end on. */
const DAMAGED_ONE_BY_ONE = 64;

/**
 * The `litestream` layout: a snapshot is one LZ4 frame, the WAL of an index one LZ4 frame a sync. What this program writes
 * has its records in a skippable frame behind the data; of what Litestream wrote, names and times tell.
 */
export class LitestreamStore implements GenerationStore {
  readonly description: string;
  readonly #client: ReplicaClient;
  readonly #encryption: Encryption | undefined;
  readonly #memory: ReplicaMemory | undefined;
  readonly #readsAtOnce: number;
  /** Objects can be written and not be read. */
  readonly #isBlind: boolean;
  /** As listed last; what is read by position belongs to it. */
  readonly #listings = new Map<Generation, LitestreamListing>();
  /** The same as names, kept over removals and appends: listing a folder again for each index would take far too long. */
  readonly #files = new Map<
    Generation,
    { readonly listed: () => GenerationFiles; readonly writtenSince: Set<Index> }
  >();
  /** As the objects of a catalog told. */
  readonly #writers = new Map<Generation, Writer>();
  readonly #contents = new OpenContents((object) => {
    return openContent(this.#client, object, this.#encryption, this.#writers.get(object.home.generation));
  });

  /** `memory`: for a replica that this host may not be able to read. */
  constructor(
    client: ReplicaClient,
    encryption?: Encryption,
    memory?: ReplicaMemory,
    readsAtOnce: number = READS_AT_ONCE,
  ) {
    this.#readsAtOnce = readsAtOnce;
    this.#client = client;
    this.#encryption = encryption;
    this.#memory = memory;
    this.#isBlind = encryption !== undefined && encryption.decrypt === undefined;
    this.description = client.description;
  }

  layoutFor(): Promise<Layout> {
    return Promise.resolve("litestream");
  }

  exists(): Promise<boolean> {
    return holdsGenerations(this.#client);
  }

  generations(): Promise<readonly Generation[]> {
    return listGenerations(this.#client);
  }

  async catalog(generation: Generation, memory = new CatalogMemory()): Promise<GenerationCatalog> {
    memory.begin();
    const listing = await this.#listWhatIsThere(generation);
    const wals: WalEntry[] = [];
    const last = [...listing.segments.keys()].at(-1);
    for (const [index, segments] of listing.segments) {
      const isLast = index === last;
      const look = lookOf(segments.map(asListed), `${segments.at(-1)?.offset} ${isLast}`);
      const read = () => unlessGone(this.#walEntry(generation, index, segments, isLast), undefined);
      const entry = await memory.wals.entry(index, look, read);
      if (entry !== undefined) wals.push(entry);
    }
    // Removed in the other order: a snapshot that is there now has its WAL among what was looked at before.
    const looked = await inBatches(listing.snapshots, this.#readsAtOnce, (snapshot) => {
      const read = () => unlessGone(this.#snapshotEntry(snapshot), undefined);
      return memory.snapshots.entry(snapshot.index, lookOf([asListed(snapshot)], snapshot.key), read);
    });
    const snapshots = looked.flatMap((entry) => entry ?? []);
    await this.#judgeWriter(generation, listing, snapshots, wals);
    const seen = memory.seenIn(generation, wals[0]?.index ?? asIndex(0));
    for (const [slot, entry] of wals.entries()) {
      const problem = seen.problemIn(entry.index, listing.segments.get(entry.index) ?? []);
      if (problem !== undefined) wals[slot] = withoutSegments(entry, generation, problem);
    }
    const isEmpty = snapshots.length === 0 && wals.length === 0;
    const { damage, drafts } = listing;
    const unfinished = damage === undefined ? await unfinishedIn(this.#client, generation, drafts, isEmpty) : {};
    const catalog = { layout: "litestream", generation, snapshots, wals, ...unfinished } as const;
    if (damage !== undefined) throw new DamagedGeneration(damage, catalog);
    return catalog;
  }

  async end(generation: Generation): Promise<ReplicaEnd | undefined> {
    const { segments } = await this.#list(generation);
    const last = [...segments].at(-1);
    if (last === undefined) return undefined;
    const [index, ofIndex] = last;
    if (this.#isBlind) return this.#rememberedEnd(generation, ofIndex.at(-1));
    let entry = await this.#walEntry(generation, index, ofIndex, true);
    if (entry.isPeers === true) entry = (await this.catalog(generation)).wals.at(-1) ?? entry;
    const { lastRecord, recordProblem } = entry;
    if (recordProblem !== undefined) {
      throw new ReplicationError("corrupt", `Cannot tell where ${this.description} ends: ${recordProblem}`);
    }
    return lastRecord === undefined ? { index, offset: asOffset(0), closed: false } : endOf(index, lastRecord);
  }

  async records(generation: Generation, index: Index): Promise<CommitRecords> {
    const segments = (await this.#known(generation)).segments;
    const ofIndex = segments.get(index) ?? [];
    const isLast = index === [...segments.keys()].at(-1);
    const records = new CommitRecordList();
    for (const [slot, segment] of ofIndex.entries()) {
      const own = new CommitRecordList();
      const found = await this.#recordsOf(generation, ofIndex, slot, isLast, own);
      if ("problem" in found) return records;
      const first = own.at(0);
      if (first !== undefined && first.start !== (records.at(-1)?.end ?? 0)) return records;
      if (first === undefined && segment.offset > (records.at(-1)?.end ?? 0)) return records;
      records.append(own);
    }
    return records;
  }

  async readWal(generation: Generation, index: Index, at: number, into: Uint8Array): Promise<number> {
    const segments = (await this.#known(generation)).segments.get(index) ?? [];
    return await this.#reader(generation, segments).read(at, into);
  }

  async openSnapshot(generation: Generation, index: Index): Promise<SnapshotReader> {
    const { snapshots } = await this.#known(generation);
    const snapshot = snapshots.find((one) => one.index === index);
    if (snapshot === undefined) {
      throw new ReplicationError("not-found", `Cannot read ${formatSnapshotKey(generation, index)}: it is gone`);
    }
    const content = await openContent(this.#client, snapshot, this.#encryption, this.#writers.get(generation));
    return {
      isReadWhole: true,
      read: (at, into) => content.read(at, into),
      prove: () => content.verify(),
      close: () => content.close(),
    };
  }

  async appendWal(generation: Generation, index: Index, start: Offset, wal: WalPieces): Promise<void> {
    const key = formatSegmentKey(generation, index, start);
    if (await this.#client.status(key) !== undefined) {
      throw new ReplicationError("gap", `Cannot write ${key}: it exists already (a segment is never replaced)`);
    }
    let end: number = start;
    const next = async () => {
      const piece = await wal.next();
      end += piece.length;
      if (piece.length === 0) await this.#rememberNext(generation, key, index, asOffset(end), wal.records());
      return piece;
    };
    await this.#write(key, next, { generation, index }, () => {
      const records = wal.records();
      assertContiguous(records, start, end);
      return { records, contentBytes: end - start, stateIndex: asIndex(0) };
    });
    await this.#expectThere(key);
    this.#noteWritten(generation, index);
  }

  async writeSnapshot(generation: Generation, image: SnapshotImage, bringWal: BringWal): Promise<WrittenSnapshot> {
    const stream = await image.stream();
    const key = formatSnapshotKey(generation, stream.index);
    if (await this.#client.status(key) !== undefined) {
      throw new ReplicationError("failed", `Cannot write ${key}: it exists already (a snapshot is never replaced)`);
    }
    let written: WrittenSnapshot | undefined;
    const next = async () => {
      const piece = await stream.next();
      if (piece.length > 0) return piece;
      written ??= await this.#afterLast(await stream.end(), bringWal);
      return piece;
    };
    await this.#write(key, next, { generation, index: stream.index }, () => {
      assert(written !== undefined, "the stream has ended");
      const { record, sizeBytes, stateIndex } = written;
      assert(record.kind === "snapshot" && record.start === record.end, "a snapshot's record is of one position");
      return { records: [record], contentBytes: sizeBytes, stateIndex };
    });
    assert(written !== undefined, "the image was written");
    await this.#expectThere(key);
    this.#noteWritten(generation, stream.index);
    return written;
  }

  async cutWal(generation: Generation, index: Index, offset: Offset): Promise<void> {
    const segments = (await this.#list(generation)).segments.get(index) ?? [];
    const from = segments.findLast((segment) => segment.offset <= offset)?.offset ?? asOffset(0);
    await this.#client.delete(segments.filter((segment) => segment.offset >= from).reverse().map(({ key }) => key));
    this.#listings.delete(generation);
  }

  async removeSnapshot(generation: Generation, index: Index): Promise<void> {
    const { snapshots } = await this.#filesOf(generation, index);
    await this.#client.delete(snapshots.filter((one) => one.index === index).map(({ key }) => key));
    this.#listings.delete(generation);
  }

  /** Offset 0 last: without it Litestream calls an index damaged, also one that it does not need. */
  async removeWal(generation: Generation, index: Index): Promise<void> {
    const { segments } = await this.#filesOf(generation, index);
    await this.#deleteSegments(segments.filter((one) => one.index === index));
    this.#listings.delete(generation);
  }

  /** The snapshots first: while all WAL is there each remaining one serves, and without one nothing looks restorable. */
  async removeGeneration(generation: Generation): Promise<void> {
    const { snapshots, segments, drafts, groups } = (await this.#list(generation)).files();
    await this.#client.delete(snapshots.map(({ key }) => key));
    await this.#client.delete(drafts.map(({ key }) => key));
    await this.#deleteSegments(segments);
    await removeEmptyFolders(this.#client, generation, groups);
    this.#listings.delete(generation);
    this.#files.delete(generation);
    this.#writers.delete(generation);
  }

  async #deleteSegments(segments: GenerationFiles["segments"]): Promise<void> {
    const keysOf = (isFirst: boolean) =>
      segments.filter(({ offset }) => (offset === 0) === isFirst).map(({ key }) => key);
    await this.#client.delete(keysOf(false));
    await this.#client.delete(keysOf(true));
  }

  /** As listed last, unless that index was written to since: absent keys are passed over, those that came would stay. */
  async #filesOf(generation: Generation, index: Index): Promise<GenerationFiles> {
    const known = this.#files.get(generation);
    return known === undefined || known.writtenSince.has(index)
      ? (await this.#list(generation)).files()
      : known.listed();
  }

  #noteWritten(generation: Generation, index: Index): void {
    this.#listings.delete(generation);
    this.#files.get(generation)?.writtenSince.add(index);
  }

  #rememberedEnd(generation: Generation, last: Segment | undefined): ReplicaEnd {
    const remembered = parseRemembered(this.#memory?.recall());
    const known = [remembered?.last, remembered?.next].find((one) =>
      one?.key === last?.key && (one?.sizeBytes ?? last?.sizeBytes) === last?.sizeBytes
    );
    if (remembered?.generation === generation && known !== undefined) return { ...known.end, isRemembered: true };
    throw new ReplicationError(
      "corrupt",
      `Cannot tell where ${this.description} ends: it cannot be read without an identity, and ${last?.key} is not what ` +
        "this host remembers to have written last",
    );
  }

  /** Before an object can be seen: which one it will be, and where the replica ends then. */
  async #rememberNext(
    generation: Generation,
    key: string,
    index: Index,
    offset: Offset,
    records: readonly CommitRecord[],
  ): Promise<void> {
    if (!this.#isBlind || this.#memory === undefined) return;
    const before = parseRemembered(this.#memory.recall());
    const last = before?.generation === generation ? await this.#published(before.next) ?? before.last : undefined;
    const closed = records.at(-1)?.indexClosed === true;
    const next = { key, sizeBytes: undefined, end: { index, offset, closed } };
    await this.#memory.remember(formatRemembered({ generation, last, next }));
  }

  async #published(next: RememberedEnd | undefined): Promise<RememberedEnd | undefined> {
    const found = next === undefined ? undefined : await this.#client.status(next.key);
    return next === undefined || found === undefined ? undefined : { ...next, sizeBytes: found.size };
  }

  async #afterLast(written: WrittenSnapshot, bringWal: BringWal): Promise<WrittenSnapshot> {
    await bringWal(written);
    return written;
  }

  async #write(
    key: string,
    next: NextBytes,
    home: RecordHome,
    tail: () => Parameters<typeof formatObjectTail>[0],
  ): Promise<void> {
    const frame = encodeFrame(next, () => withTrailerEnding(formatObjectTail(tail(), home)));
    try {
      await this.#client.write(key, this.#encryption?.encrypt(frame.next) ?? frame.next, "a-new-name");
    } finally {
      frame.close();
    }
  }

  /** A root that vanished under a write must not come back with a position that is elsewhere. */
  async #expectThere(key: string): Promise<void> {
    if (await this.#client.status(key) !== undefined) return;
    throw new ReplicationError("unavailable", `Cannot rely on ${key}: it was written, and is not there`);
  }

  async #list(generation: Generation): Promise<LitestreamListing> {
    const listing = await this.#listWhatIsThere(generation);
    if (listing.damage !== undefined) throw listing.damage;
    return listing;
  }

  async #listWhatIsThere(generation: Generation): Promise<LitestreamListing> {
    const listing = await listGeneration(this.#client, generation);
    this.#listings.set(generation, listing);
    this.#files.set(generation, { listed: listing.files, writtenSince: new Set() });
    this.#contents.forgetAll();
    return listing;
  }

  async #known(generation: Generation): Promise<LitestreamListing> {
    return this.#listings.get(generation) ?? await this.#list(generation);
  }

  /** What another program wrote than the rest of the generation is damage; with what is, it is looked at again, and named. */
  async #judgeWriter(
    generation: Generation,
    listing: LitestreamListing,
    snapshots: SnapshotEntry[],
    wals: WalEntry[],
  ): Promise<void> {
    const writer = writerOf([...snapshots, ...wals]);
    if (writer === undefined) return;
    if (this.#writers.get(generation) !== writer) { // What was opened before was not judged by it.
      this.#writers.set(generation, writer);
      this.#contents.forgetAll();
    }
    const last = wals.at(-1);
    for (const [slot, entry] of wals.entries()) {
      if (isOf(writer, entry) && entry.recordProblem === undefined) continue;
      const segments = listing.segments.get(entry.index) ?? [];
      wals[slot] = await unlessGone(this.#walEntry(generation, entry.index, segments, entry === last), entry);
    }
    for (const [slot, entry] of snapshots.entries()) {
      if (isOf(writer, entry) && entry.recordProblem === undefined) continue;
      const listed = listing.snapshots.find(({ index }) => index === entry.index);
      if (listed !== undefined) snapshots[slot] = await unlessGone(this.#snapshotEntry(listed), entry);
    }
  }

  #reader(generation: Generation, segments: readonly Segment[]): SegmentReader {
    return new SegmentReader(generation, segments, (segment, work) => this.#contents.use(segment, work));
  }

  async #snapshotEntry(snapshot: ListedSnapshot): Promise<SnapshotEntry> {
    const { index, sizeBytes, createdAtMs } = snapshot;
    const basis = { index, sizeBytes, createdAtMs };
    if (this.#isBlind) return { ...basis, isUnread: true, recordProblem: `${snapshot.key} is encrypted` };
    try {
      const writer = this.#writers.get(snapshot.home.generation);
      const tail = await readObjectTail(this.#client, snapshot, this.#encryption, writer);
      if (tail !== undefined && "problem" in tail) return { ...basis, recordProblem: tail.problem };
      if (tail !== undefined) {
        const record = tail.first;
        if (record === undefined) return { ...basis, recordProblem: `${snapshot.key} holds no record` };
        if (record.kind !== "snapshot") return { ...basis, recordProblem: ofAnotherKind(snapshot.key) };
        return { ...basis, record, imageBytes: tail.contentBytes, stateIndex: tail.stateIndex };
      }
      const content = await openContent(this.#client, snapshot, this.#encryption);
      const shape = await readImageShape(content, snapshot).finally(() => content.close());
      if (!("problem" in shape)) return { ...basis, ...shape, stateIndex: index };
      const { problem, short } = shape;
      const isServed = short !== undefined && await this.#bringsRest(snapshot, short.record);
      return isServed ? { ...basis, ...short, stateIndex: index } : { ...basis, recordProblem: problem };
    } catch (error) {
      return { ...basis, recordProblem: problemOf(error) };
    }
  }

  async #bringsRest({ home: { generation, index } }: ListedSnapshot, { databasePages, pageSize }: CommitRecord) {
    const segments = this.#listings.get(generation)?.segments.get(index) ?? [];
    try {
      return await bringsPagesBehind(this.#reader(generation, segments), databasePages, pageSize);
    } catch (error) {
      if (error instanceof ReplicationError && !isRetryable(error)) return false; // It is damaged itself.
      throw error;
    }
  }

  /** Ends at its last segment that can be read; what that leaves out is a problem, and a promise that is not kept. */
  async #walEntry(
    generation: Generation,
    index: Index,
    segments: readonly Segment[],
    isLast: boolean,
  ): Promise<WalEntry> {
    const basis = {
      index,
      sizeBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      createdAtMs: segments.at(-1)?.createdAtMs ?? 0,
      recordCount: segments.length,
    };
    if (this.#isBlind) return { ...basis, isUnread: true, recordProblem: "it is encrypted" };
    let known: Pick<WalEntry, "lastRecord" | "isPeers"> = {};
    const replaced = segments.findIndex(({ instead }) => instead !== undefined);
    let damage = replaced === -1 ? undefined : replacedSegment(segments[replaced]);
    // What stands behind one that cannot be read leads nowhere, and there may be any number: after some, the rest is halved.
    for (let [low, high, damaged] = [-1, replaced === -1 ? segments.length : replaced, 0]; high - low > 1;) {
      const slot = damaged < DAMAGED_ONE_BY_ONE ? high - 1 : Math.floor((low + high) / 2);
      const found = await this.#recordsOf(generation, segments, slot, isLast);
      const lastRecord = "problem" in found ? undefined : found.last;
      if (lastRecord !== undefined && !("problem" in found)) {
        known = { lastRecord, ...(found.isPeers ? { isPeers: true } : {}) };
        low = slot;
        continue;
      }
      high = slot; // It is damaged, or holds the end of no transaction.
      if (!("problem" in found)) continue;
      damaged++;
      // What belongs elsewhere comes first: it must not be taken back with what is damaged.
      if (found.isForeign && damage?.isForeign !== true) {
        damage = { recordProblem: found.problem, promisedEnd: NOBODY_KNOWS, isForeign: true };
      }
      damage ??= { recordProblem: found.problem, promisedEnd: asOffset((segments[slot]?.offset ?? 0) + 1) };
    }
    return { ...basis, ...known, ...damage };
  }

  /** `records`: gets them, where all of them are wanted. */
  async #recordsOf(
    generation: Generation,
    segments: readonly Segment[],
    slot: number,
    isLast: boolean,
    records?: CommitRecordList,
  ): Promise<
    | { readonly last: CommitRecord | undefined; readonly isPeers: boolean }
    | { readonly problem: string; readonly isForeign: boolean }
  > {
    const segment = segments[slot];
    assert(segment !== undefined, "the slot is one of the segments");
    try {
      const writer = this.#writers.get(generation);
      const tail = await readObjectTail(this.#client, segment, this.#encryption, writer, records);
      if (tail !== undefined && "problem" in tail) return tail;
      if (tail?.holdsSnapshot === true) {
        return { problem: ofAnotherKind(segment.key), isForeign: true };
      }
      if (tail !== undefined) return { last: tail.last, isPeers: false };
      const reader = this.#reader(generation, segments);
      const found = await peerRecords(reader, segments, slot, isLast);
      records?.append(found);
      return { last: found.at(-1), isPeers: true };
    } catch (error) {
      return { problem: problemOf(error), isForeign: false };
    }
  }
}

function ofAnotherKind(key: string): string {
  return `${key} is damaged: it holds a record of another kind (does it stand under another object's name?)`;
}

type Damage = Pick<WalEntry, "recordProblem" | "promisedEnd" | "isForeign" | "isReplaced">;

/** Nobody can read what stands there, and no listing tells what it was. */
function replacedSegment(segment: Segment | undefined): Damage | undefined {
  if (segment === undefined) return undefined;
  const { key, instead, offset } = segment;
  return {
    recordProblem: `Cannot read ${key}: it is ${instead}, not a file`,
    promisedEnd: asOffset(offset + 1),
    isReplaced: true,
  };
}

/** Nobody knows where its states end any more. */
function withoutSegments(entry: WalEntry, generation: Generation, problem: string): WalEntry {
  const { lastRecord: _, ...rest } = entry;
  const key = nameObject({ layout: "litestream", generation }, entry.index, "wal");
  return { ...rest, recordProblem: `${key}: ${problem}`, promisedEnd: NOBODY_KNOWS };
}

function asListed({ sizeBytes, createdAtMs }: ListedSnapshot | Segment): ListedLook {
  return { size: sizeBytes, modifiedAtMs: createdAtMs };
}

/** Damage is what a catalog tells of; whatever else went wrong is nobody's to pass over. */
function problemOf(error: unknown): string {
  if (!(error instanceof ReplicationError) || isRetryable(error)) throw error;
  if (error.code !== "corrupt" && error.code !== "gap") throw error;
  return messageOf(error);
}
