/**
 * What a replicator may ask of the watched database: change notification, current generation, captured position, a reader at
 * a position that moves on to the next index, and an image of the database. All of it is answered from the shadow WAL and
 * never touches the application.
 */
import type { Generation } from "../position/generation.ts";
import type { Index, Offset, Position } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { SnapshotImage } from "../store/generation_store.ts";
import type { Checksum } from "../wal/checksum.ts";
import type { Salt } from "../wal/salt.ts";

export interface DatabaseSource {
  readonly path: string;
  /** Resolves at the next change after this call: take it before work begins, so that no change is lost. */
  changed(): Promise<void>;
  /** Undefined until the state has caught up with the real WAL. */
  generation(): Generation | undefined;
  /** The end of what is captured: always the end of a commit, or offset 0 of an index that has not begun. */
  position(): Position | undefined;
  /** The oldest index that the shadow WAL still holds. */
  oldestIndex(): Index;
  /** What stands at a position in the shadow WAL; undefined when it is not (or no longer) there. */
  markAt(index: Index, offset: Offset): WalMark | undefined;
  /** A reader of the present generation at a position that the shadow WAL holds. */
  openReader(position: Position): ShadowReader;
  /** Whether a resync ended an index that the shadow WAL holds. */
  endsInResync(index: Index): boolean;
  /** The pages that changed from an index that is over up to now; undefined when they are not all known. */
  changesSince(index: Index, place: string): PageChanges | undefined;
  /** An exact image of the database at the captured position at which it is done. */
  image(): SnapshotImage;
  /** Keeps the shadow WAL from an index on, until it is moved or released. */
  claim(): ShadowClaim;
  /** Keeps checkpoints of our own away (up to a limit of the WAL) until the returned function is called. */
  pauseCheckpoints(): () => void;
  /** Begins a new generation beside the present one. The reason is logged and kept. */
  startGeneration(reason: string): Promise<void>;
  /** Whether the replica at that place was ever written by this state, and remembering that it was. */
  wasReplicatedTo(place: string): boolean;
  rememberReplica(place: string): Promise<void>;
  /** Of a snapshot that was made: what is captured in a later generation gets later times. */
  rememberTime(ms: number): Promise<void>;
  /** Nothing of the present generation has an earlier time. */
  notBeforeMs(): number;
  /** A text that is kept for the replica at that place, for a host that cannot read what it writes. */
  recall(place: string): string | undefined;
  remember(place: string, text: string): Promise<void>;
}

/** Enough to tell whether two WAL files agree up to a point: the chain's sum covers every byte before it. */
export interface WalMark {
  readonly salt: Salt;
  readonly checksum: Checksum;
}

/** What brings a replica forward whose end the shadow WAL no longer holds. */
export interface PageChanges {
  /** How the index that the replica ends in was when it was over. */
  readonly from: WalMark & { readonly end: Offset };
  readonly pages: number;
  readonly pageSize: number;
  readonly databasePages: number;
  collect(): Promise<CollectedPages>;
  /** 8 random bytes for a WAL that no application wrote. */
  salts(): Uint8Array;
}

/** The pages at the position that the record speaks of. */
export interface CollectedPages {
  /** kind "snapshot"; start = end = the offset in `index`. */
  readonly record: CommitRecord;
  readonly index: Index;
  readonly count: number;
  /** Ascending; the bytes are reused. */
  each(): Iterable<{ readonly page: number; readonly content: Uint8Array }>;
  close(): void;
}

export interface ShadowReader {
  /** Where the next bytes come from; `offset` 0 stands before the WAL header. */
  position(): Position;
  /** Where the present index ends as captured when `refresh` was called last; whether nothing will ever follow there. */
  end(): { readonly offset: Offset; readonly closed: boolean };
  refresh(): void;
  /** Reads from the position towards the end and moves on; the bytes read, 0 at the end, which is an ordinary end. */
  read(into: Uint8Array): Promise<number>;
  /** The records that speak of the bytes from `start` to the end, the first cut to begin there; the closing one too. */
  records(start: Offset): readonly CommitRecord[];
  /** Moves on to the next index; only when the present one is closed and read to its end. */
  nextIndex(): void;
  close(): void;
}

export interface ShadowClaim {
  /** From the position's index on; a position of a generation that is over says nothing. */
  need(position: Position): void;
  release(): void;
}
