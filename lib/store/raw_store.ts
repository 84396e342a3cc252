import { inBatches, READS_AT_ONCE } from "../base/batches.ts";
import { assert } from "../base/assert.ts";
import { ReplicationError } from "../base/errors.ts";
import type { ObjectEntry, ReplicaClient } from "../clients/client.ts";
import type { Generation } from "../position/generation.ts";
import { formatRawFolderKey, formatRawKey, parseRawName, type RawSuffix, SNAPSHOT_DRAFT } from "../position/keys.ts";
import type { Layout } from "../position/object_names.ts";
import { asOffset, type Index, type Offset } from "../position/position.ts";
import {
  type CommitLogEnd,
  type CommitLogObjects,
  readCommitLog,
  readCommitLogEnd,
  unsupportedRecord,
} from "./commit_log.ts";
import { CatalogMemory, lookOf } from "./catalog_memory.ts";
import { COMMIT_RECORD_SIZE, formatCommitRecord, parseCommitRecord } from "./commit_record.ts";
import { CommitRecordList, type CommitRecords } from "./commit_records.ts";
import { DamagedGeneration, unlessDamaged } from "./damaged_generation.ts";
import { holdsGenerations, listGenerations } from "./generation_folders.ts";
import type {
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
import { findLastCommit } from "./last_commit.ts";
import { expectThere, once, RawAppender } from "./raw_appender.ts";
import { endOf, followsResync } from "./resynced.ts";
import { draftsIn, removeEmptyFolders, unfinishedIn } from "./leftovers.ts";

/** The `raw` layout: a snapshot is the database file itself, the WAL of an index one growing file. */
export class RawStore implements GenerationStore {
  readonly description: string;
  readonly #client: ReplicaClient;
  readonly #readsAtOnce: number;
  readonly #appender: RawAppender;

  constructor(client: ReplicaClient, readsAtOnce: number = READS_AT_ONCE) {
    this.#client = client;
    this.#readsAtOnce = readsAtOnce;
    this.#appender = new RawAppender(client);
    this.description = client.description;
  }

  layoutFor(): Promise<Layout> {
    return Promise.resolve("raw");
  }

  exists(): Promise<boolean> {
    return holdsGenerations(this.#client);
  }

  generations(): Promise<readonly Generation[]> {
    return listGenerations(this.#client);
  }

  async catalog(generation: Generation, memory = new CatalogMemory()): Promise<GenerationCatalog> {
    memory.begin();
    let damage: ReplicationError | undefined;
    const noted = (error: ReplicationError) => void (damage ??= error);
    const snapshots = await unlessDamaged(this.#list(generation, "snapshot", "record"), NOTHING_LISTED, noted);
    // Listed after the snapshots, the WAL is never older than they are.
    const wals = await unlessDamaged(this.#list(generation, "wal", "commits"), NOTHING_LISTED, noted);
    const isEmpty = snapshots.found.length === 0 && wals.found.length === 0;
    const drafts = [...snapshots.drafts, ...wals.drafts];
    const unfinished = damage === undefined ? await unfinishedIn(this.#client, generation, drafts, isEmpty) : {};
    // Removed in the other order: a snapshot that is whole now has its WAL among what was looked at before.
    const walEntries = await inBatches(wals.found, this.#readsAtOnce, (found) => {
      return memory.wals.entry(found.index, found.look, () => this.#walEntry(generation, found));
    });
    const catalog: GenerationCatalog = {
      layout: "raw",
      generation,
      snapshots: await inBatches(snapshots.found, this.#readsAtOnce, (found) => {
        return memory.snapshots.entry(found.index, found.look, () => this.#snapshotEntry(generation, found));
      }),
      wals: walEntries,
      ...unfinished,
    };
    if (damage !== undefined) throw new DamagedGeneration(damage, catalog);
    return catalog;
  }

  async end(generation: Generation): Promise<ReplicaEnd | undefined> {
    const { found } = await this.#list(generation, "wal", "commits");
    const last = found.at(-1);
    if (last === undefined) return undefined;
    const { index } = last;
    const { lastRecord, isForeign, recordProblem } = await this.#commitLogEnd(generation, index);
    if (isForeign === true) {
      throw new ReplicationError("corrupt", `Cannot tell where ${this.description} ends: ${recordProblem}`);
    }
    if (lastRecord !== undefined) return endOf(index, lastRecord);
    const before = found.at(-2);
    if (before !== undefined) {
      const entry = { index: before.index, ...await this.#commitLogEnd(generation, before.index) };
      if (followsResync([entry], index)) return { index, offset: asOffset(0), closed: false, followsResync: true };
    }
    const commit = await findLastCommit((at, into) => this.#readWalOrNothing(generation, index, at, into));
    return { index, offset: commit?.offset ?? asOffset(0), closed: false };
  }

  async records(generation: Generation, index: Index): Promise<CommitRecords> {
    const none = new CommitRecordList();
    return await unlessDamaged(readCommitLog(this.#client, this.#objects(generation, index)), none);
  }

  readWal(generation: Generation, index: Index, at: number, into: Uint8Array): Promise<number> {
    return this.#client.read(formatRawKey(generation, index, "wal"), at, into);
  }

  openSnapshot(generation: Generation, index: Index): Promise<SnapshotReader> {
    const key = formatRawKey(generation, index, "snapshot");
    return Promise.resolve({
      isReadWhole: false,
      read: (at, into) => this.#client.read(key, at, into),
      prove: () => Promise.resolve(), // A page is as it was stored, or it is not noticed before the database is checked.
      close: () => {},
    });
  }

  appendWal(generation: Generation, index: Index, start: Offset, wal: WalPieces): Promise<void> {
    return this.#appender.append(this.#objects(generation, index), start, wal);
  }

  async rest(): Promise<void> {
    await this.#client.rest?.();
  }

  async writeSnapshot(generation: Generation, image: SnapshotImage): Promise<WrittenSnapshot> {
    assert(this.#client.assemble !== undefined, "the raw layout is kept on a device that can write in place");
    let written: WrittenSnapshot | undefined;
    await this.#client.assemble(`${formatRawFolderKey(generation, "snapshot")}/${SNAPSHOT_DRAFT}`, async (draft) => {
      written = await image.writeTo(draft);
      const { index, record, sizeBytes } = written;
      assert(record.kind === "snapshot" && record.start === record.end, "a snapshot's record is of one position");
      assert(written.stateIndex === index, "the image is a state by itself");
      assert(sizeBytes === record.pageSize * record.databasePages, "a snapshot has the pages its record says");
      await this.#refuseToReplace(generation, index);
      return { key: formatRawKey(generation, index, "snapshot"), sizeBytes };
    });
    assert(written !== undefined, "the image was written");
    const sizeOf = (key: string) => this.#sizeOf(key);
    await expectThere({ sizeOf }, formatRawKey(generation, written.index, "snapshot"), written.sizeBytes);
    const recordBytes = formatCommitRecord(written.record, { generation, index: written.index });
    await this.#client.write(formatRawKey(generation, written.index, "record"), once(() => recordBytes));
    return written;
  }

  /** The records alone: what they do not speak of counts for nobody, and is overwritten. */
  async cutWal(generation: Generation, index: Index, offset: Offset): Promise<void> {
    if (offset === 0) return await this.removeWal(generation, index);
    const { walKey, commitsKey } = this.#objects(generation, index);
    await this.#client.occupy?.(walKey);
    const records = await this.records(generation, index);
    this.#appender.forget();
    let kept = 0;
    for (const { end, indexClosed } of records) if (end <= offset && !indexClosed) kept++;
    const bytes = new Uint8Array(kept * COMMIT_RECORD_SIZE); // Of whichever version they are.
    await this.#client.read(commitsKey, 0, bytes);
    await this.#client.write(commitsKey, once(() => bytes));
  }

  /** The record first: an image without one counts for nobody, a record without its image would be a snapshot that was lost. */
  async removeSnapshot(generation: Generation, index: Index): Promise<void> {
    await this.#client.delete([formatRawKey(generation, index, "record")]);
    await this.#client.delete([formatRawKey(generation, index, "snapshot")]);
  }

  /** The records first: without them the bytes promise nothing, records without their bytes would be WAL that was lost. */
  async removeWal(generation: Generation, index: Index): Promise<void> {
    const { walKey, commitsKey } = this.#objects(generation, index);
    this.#appender.forget();
    await this.#client.delete([commitsKey]);
    await this.#client.delete([walKey]);
  }

  /**
   * The snapshots' records first, whichever of them in which order: while all WAL is there each remaining snapshot serves,
   * and without a record nothing of the generation looks restorable.
   */
  async removeGeneration(generation: Generation): Promise<void> {
    this.#appender.forget();
    const snapshots = await this.#client.list(formatRawFolderKey(generation, "snapshot"));
    const wals = await this.#client.list(formatRawFolderKey(generation, "wal"));
    const keysOf = (entries: readonly ObjectEntry[], suffix: RawSuffix) =>
      indexesIn(entries, suffix).map(({ index }) => formatRawKey(generation, index, suffix));
    const draftsOf = (entries: readonly ObjectEntry[], suffix: RawSuffix) =>
      draftsIn(entries).map(({ name }) => `${formatRawFolderKey(generation, suffix)}/${name}`);
    await this.#client.delete(keysOf(snapshots, "record"));
    await this.#client.delete([...keysOf(snapshots, "snapshot"), ...draftsOf(snapshots, "snapshot")]);
    await this.#client.delete([...keysOf(wals, "commits"), ...draftsOf(wals, "wal")]);
    await this.#client.delete(keysOf(wals, "wal"));
    await removeEmptyFolders(this.#client, generation);
  }

  /** An image without its record is what a crash between the two leaves; it counts for nobody and may be made again. */
  async #refuseToReplace(generation: Generation, index: Index): Promise<void> {
    const key = formatRawKey(generation, index, "snapshot");
    if (await this.#client.status(key) === undefined) return;
    if (await this.#client.status(formatRawKey(generation, index, "record")) === undefined) return;
    throw new ReplicationError("failed", `Cannot write ${key}: it exists already (a snapshot is never replaced)`);
  }

  async #snapshotEntry(generation: Generation, found: Found): Promise<SnapshotEntry> {
    const { index, entry } = found;
    const basis = { index, sizeBytes: entry.size, createdAtMs: entry.modifiedAtMs };
    if (found.damage !== undefined) return { ...basis, recordProblem: found.damage };
    const key = formatRawKey(generation, index, "record");
    const bytes = new Uint8Array(COMMIT_RECORD_SIZE);
    const got = await this.#sizeOf(key) === 0 ? 0 : await unlessGone(this.#client.read(key, 0, bytes), 0);
    if (got === 0) return { ...basis, recordProblem: `${key} is missing`, recordMissing: true };
    const parsed = parseCommitRecord(bytes.subarray(0, got), { generation, index });
    if (parsed.ok && parsed.record.kind === "snapshot") return { ...basis, record: parsed.record };
    if (parsed.ok) return { ...basis, recordProblem: `${key} holds a record of another kind` };
    if (parsed.unsupported) throw unsupportedRecord(key, parsed.reason);
    return { ...basis, recordProblem: `in ${key}, ${parsed.reason}` };
  }

  async #walEntry(generation: Generation, found: Found): Promise<WalEntry> {
    const { index, entry, damage } = found;
    const basis = { index, createdAtMs: entry.modifiedAtMs };
    if (damage !== undefined) {
      const promisedEnd = asOffset(1);
      return { ...basis, sizeBytes: entry.size, recordCount: 0, recordProblem: damage, promisedEnd, isReplaced: true };
    }
    const looked = await unlessGone(this.#commitLogEnd(generation, index), NO_RECORDS);
    // Records whose WAL is gone may have been removed right after they were read.
    const isGone = looked.promisedEnd !== undefined &&
      await this.#sizeOf(formatRawKey(generation, index, "commits")) === 0;
    const { validBytes: _, ...log } = isGone ? NO_RECORDS : looked;
    const sizeBytes = Math.max(entry.size, log.lastRecord?.end ?? 0); // It may have grown since the listing.
    return { ...basis, sizeBytes, ...log };
  }

  #commitLogEnd(generation: Generation, index: Index): Promise<CommitLogEnd> {
    return readCommitLogEnd(this.#client, this.#objects(generation, index));
  }

  #objects(generation: Generation, index: Index): CommitLogObjects {
    return {
      home: { generation, index },
      walKey: formatRawKey(generation, index, "wal"),
      commitsKey: formatRawKey(generation, index, "commits"),
      sizeOf: (key) => this.#sizeOf(key),
    };
  }

  async #sizeOf(key: string): Promise<number> {
    return (await this.#client.status(key))?.size ?? 0;
  }

  async #readWalOrNothing(generation: Generation, index: Index, at: number, into: Uint8Array): Promise<number> {
    return await this.#client.status(formatRawKey(generation, index, "wal")) === undefined
      ? 0
      : await this.readWal(generation, index, at, into);
  }

  /**
   * The indexes of a folder, also those of which only the companion is left: what is missing must not pass for "there never
   * was such an index". Objects are written before their companions.
   */
  async #list(generation: Generation, suffix: RawSuffix, companion: RawSuffix): Promise<Listed> {
    const entries = await this.#client.list(formatRawFolderKey(generation, suffix));
    const companions = new Map(indexesIn(entries, companion).map(({ index, entry }) => [index, entry]));
    const whole = indexesIn(entries, suffix).map(({ index, entry }) => {
      const other = companions.get(index);
      companions.delete(index);
      const damage = damageIn(generation, [[suffix, entry], [companion, other]]);
      return { index, entry, look: lookOf([entry, other], damage), ...(damage === undefined ? {} : { damage }) };
    });
    const missing = [...companions].map(([index, entry]) => {
      const damage = damageIn(generation, [[companion, entry]]);
      return {
        index,
        entry: { ...entry, size: 0 },
        look: lookOf([undefined, entry], damage),
        ...(damage === undefined ? {} : { damage }),
      };
    });
    const found = missing.length === 0 ? whole : [...whole, ...missing].sort((a, b) => a.index - b.index);
    return { found, drafts: draftsIn(entries) };
  }
}

interface Listed {
  readonly found: readonly Found[];
  readonly drafts: readonly ObjectEntry[];
}

interface Named {
  readonly index: Index;
  readonly entry: ObjectEntry;
}

interface Found extends Named {
  /** Of it and its companion, as the listing shows them. */
  readonly look: string;
  /** What stands in the place of one of both and is no file, as a sentence. */
  readonly damage?: string;
}

const NOTHING_LISTED: Listed = { found: [], drafts: [] };
const NO_RECORDS: CommitLogEnd = { recordCount: 0, validBytes: 0 };

function indexesIn(entries: readonly ObjectEntry[], suffix: RawSuffix): Named[] {
  const found = entries.flatMap((entry) => {
    const index = parseRawName(entry.name, suffix);
    return index === undefined ? [] : [{ index, entry }];
  });
  return found.sort((a, b) => a.index - b.index);
}

function damageIn(
  generation: Generation,
  objects: readonly (readonly [RawSuffix, ObjectEntry | undefined])[],
): string | undefined {
  for (const [suffix, entry] of objects) {
    const what = entry?.oddity ?? (entry?.kind === "folder" ? "a folder" : undefined);
    if (what !== undefined) return `${formatRawFolderKey(generation, suffix)}/${entry?.name} is ${what}, not a file`;
  }
  return undefined;
}
