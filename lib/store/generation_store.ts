/**
 * The typed view of one replica: generations, snapshots, WAL and commit records, whatever the layout calls its files.
 * `raw_store.ts` and `litestream_store.ts` are the two layouts; `replica_store.ts` finds out which one a replica has.
 */
import type { ByteSource, NextBytes } from "../base/byte_source.ts";
import type { Generation } from "../position/generation.ts";
import type { Layout, ObjectHome } from "../position/object_names.ts";
import type { Index, Offset } from "../position/position.ts";
import type { CatalogMemory } from "./catalog_memory.ts";
import type { CommitRecord } from "./commit_record.ts";
import type { CommitRecords } from "./commit_records.ts";

export interface GenerationStore {
  /** Where, for messages; without secrets. */
  readonly description: string;

  /** The layout in which this generation is, or would be, written; throws when the config does not fit what is held. */
  layoutFor(generation: Generation): Promise<Layout>;
  /** Whether anything of this program's is there at all; throws as `generations` does. */
  exists(): Promise<boolean>;
  /**
   * None: the place is absent or empty, and nothing else. Throws `unavailable` when that cannot be told, and for what is not
   * understood: `foreign` for newer objects of a kind that is not read here, unless a generation is chosen on purpose.
   */
  generations(chosen?: Generation): Promise<readonly Generation[]>;
  /** What has the name of a generation and is no folder, a sentence each: all that it held is lost. */
  strays?(): Promise<ReadonlyMap<Generation, string>>;
  /**
   * What one generation holds now: values only, read from listings and the last record of each index. With a memory of
   * earlier ones, what a listing shows as it was is not read again. Throws `DamagedGeneration` where a folder of it is none.
   */
  catalog(generation: Generation, memory?: CatalogMemory): Promise<GenerationCatalog>;
  /**
   * The end of what the replica holds of this generation: the end of its last valid record whose end lies inside the
   * `.wal` (with no records at all in that index, its last valid commit frame). Undefined: no WAL yet.
   */
  end(generation: Generation): Promise<ReplicaEnd | undefined>;

  /** The valid records of one index in order, up to the first that is damaged, torn, or ends beyond the `.wal`. */
  records(generation: Generation, index: Index): Promise<CommitRecords>;
  /** Fills `into` from byte `at` of that index's WAL, its 32-byte header included; fewer bytes only at its end. */
  readWal(generation: Generation, index: Index, at: number, into: Uint8Array): Promise<number>;
  openSnapshot(generation: Generation, index: Index): Promise<SnapshotReader>;

  /**
   * Appends WAL bytes from `start` on and makes them durable, then the records that speak of them, in this order. Bytes
   * below `start` are never touched. `fill` yields the WAL bytes piece by piece and ends with an empty array; `records`
   * is asked only after the bytes are durable.
   */
  appendWal(generation: Generation, index: Index, start: Offset, wal: WalPieces): Promise<void>;
  /** Nothing is appended for a while: nothing stays open for it, so that the device may be taken away. */
  rest?(): Promise<void>;
  /**
   * A whole snapshot: image durable under its name, then its record. One that is there already is never replaced: an error.
   * A layout that streams the image calls `bringWal` before anybody can see the snapshot, and only then: the WAL from the
   * first frame of `written.index` to `written.stateIndex` and the record's end must be on the replica first, since without
   * it the snapshot is no state of the database.
   */
  writeSnapshot(generation: Generation, image: SnapshotImage, bringWal: BringWal): Promise<WrittenSnapshot>;

  /**
   * Takes back what stands in the newest index from an offset on, since it is damaged; where the layout has it in one object
   * with what is before, that as well.
   */
  cutWal(generation: Generation, index: Index, offset: Offset): Promise<void>;

  /**
   * The three that remove. What is absent is passed over, so each may be called again after an error or a crash, and then
   * finishes what was begun. What an interruption leaves is never taken for damage, and never looks restorable when it is
   * not. Names outside the layout are not touched.
   */
  removeSnapshot(generation: Generation, index: Index): Promise<void>;
  /** All WAL of one index, with its records. */
  removeWal(generation: Generation, index: Index): Promise<void>;
  /** Everything of a generation, unfinished objects too; its folders as well when they are empty then. */
  removeGeneration(generation: Generation): Promise<void>;
}

export type BringWal = (written: WrittenSnapshot) => Promise<void>;

/** The database image of a snapshot. */
export interface SnapshotReader extends ByteSource {
  /** All of it must be read, in order, before `prove` can say that it is whole. */
  readonly isReadWhole: boolean;
  /** Throws `corrupt` when what was read is not what was written, as far as the layout has a checksum to tell. */
  prove(): Promise<void>;
  close(): void;
}

export interface WalPieces {
  /** The next bytes, empty at the end. The array may be reused by the next call. */
  next(): Promise<Uint8Array>;
  /** The records of the appended bytes, in order; the first starts at `start`. A closing record may stand last. */
  records(): readonly CommitRecord[];
}

export interface SnapshotImage {
  /** Writes the image piece by piece, in any order, pages at their place; then says what it is an image of. */
  writeTo(target: SnapshotTarget): Promise<WrittenSnapshot>;
  /** The database file from first to last byte, read once while it changes. */
  stream(): Promise<SnapshotStream>;
}

/**
 * Together with the WAL from the first frame of `index` to where `end` says, the bytes are the database there; without it
 * they are of no single moment.
 */
export interface SnapshotStream {
  readonly index: Index;
  readonly next: NextBytes;
  /** After the last byte. */
  end(): Promise<WrittenSnapshot>;
}

export interface WrittenSnapshot {
  /** It is named by this; a replay from it begins in this index. */
  readonly index: Index;
  /** The index that the record's offset lies in. */
  readonly stateIndex: Index;
  /** kind "snapshot"; start = end = the offset of the state. */
  readonly record: CommitRecord;
  /** Bytes of the image: page size times pages of the commit, unless it was streamed. */
  readonly sizeBytes: number;
}

export interface SnapshotTarget {
  writeAt(bytes: Uint8Array, position: number): Promise<void>;
  /** The database file was copied; what follows are pages that changed meanwhile. */
  fileCopied?(): void;
}

export interface GenerationCatalog extends ObjectHome {
  /** Ascending by index; only whole ones (image and name there). */
  readonly snapshots: readonly SnapshotEntry[];
  /** Ascending by index. */
  readonly wals: readonly WalEntry[];
  /**
   * When something that is no object yet was last written to: the newest draft, or the folder of a generation that holds
   * nothing. Somebody may be at it. Absent when there is nothing of the kind, or the device cannot tell.
   */
  readonly unfinishedAtMs?: number;
}

export interface SnapshotEntry {
  readonly index: Index;
  /** As it is stored. */
  readonly sizeBytes: number;
  /** Bytes of the image where that is not the stored size. */
  readonly imageBytes?: number;
  /**
   * The index that `record` speaks of, for an image that needs the WAL from the first frame of `index` on to be a state of
   * the database. Absent: the image is the state at the record's offset in `index`.
   */
  readonly stateIndex?: Index;
  /** Its name says that it is whole; nobody here can read it. */
  readonly isUnread?: boolean;
  /** Written by Litestream, which notes no position: the image is of some moment within `index`. */
  readonly isPeers?: boolean;
  /** It lacks pages at its end that the WAL of `index` brings: the file was copied while that was checkpointed. */
  readonly isShort?: boolean;
  readonly createdAtMs: number;
  /** Absent when the `.record` is missing or damaged; `recordProblem` then says which. */
  readonly record?: CommitRecord;
  readonly recordProblem?: string;
  /** Whether there is no `.record` at all: a crash between image and record leaves that behind, damage does not. */
  readonly recordMissing?: boolean;
}

export interface WalEntry {
  readonly index: Index;
  /** As it is stored; bytes beyond the last record's end do not count as replicated. */
  readonly sizeBytes: number;
  readonly createdAtMs: number;
  readonly recordCount: number;
  /** The last valid record whose end lies inside the `.wal`; absent when there is none. */
  readonly lastRecord?: CommitRecord;
  /** It is there, and nobody here can read it. */
  readonly isUnread?: boolean;
  /** Written by Litestream, which keeps no records: `lastRecord` is what the last segment and its time tell. */
  readonly isPeers?: boolean;
  /** Why records after `lastRecord` (or all) do not count, for messages. */
  readonly recordProblem?: string;
  /**
   * The end of the newest valid record that ends beyond the `.wal`. A `.wal` is durable before its record, so these bytes
   * were there once: damage, not a crash. Infinity where nobody knows how much was there.
   */
  readonly promisedEnd?: Offset;
  /** Something that is no file stands in the place of one of its objects; `recordProblem` says what. */
  readonly isReplaced?: boolean;
  /** What is there says that it was written for another index or generation; `recordProblem` then says which. */
  readonly isForeign?: boolean;
}

export interface ReplicaEnd {
  readonly index: Index;
  readonly offset: Offset;
  readonly closed: boolean;
  /** The last record is a resync's. */
  readonly endsInResync?: boolean;
  /** Nothing counts of the index, since no record of it follows the resync that ended the one before. */
  readonly followsResync?: boolean;
  /** What this host remembers to have written; nobody here can read it. */
  readonly isRemembered?: boolean;
}
