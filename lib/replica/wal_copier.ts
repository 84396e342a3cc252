/**
 * Brings captured WAL to one replica, on from where it is.
 *
 * Invariant: the position moves only when what it claims is durable on the replica.
 */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { DatabaseSource, ShadowReader } from "../database/source.ts";
import type { Generation } from "../position/generation.ts";
import { asOffset, comparePositions, formatPosition, type Index, type Position } from "../position/position.ts";
import type { GenerationStore, ReplicaEnd, WalPieces } from "../store/generation_store.ts";
import { expectReplica } from "./presence.ts";
import type { Pulse } from "./pulse.ts";
import { type JoinedRecords, knownAt, WalTransfer } from "./wal_transfer.ts";

/** Offsets from here on need names of more than 8 hex digits. */
const OBJECT_OFFSET_LIMIT = 2 ** 32;

export interface WalCopierOptions {
  readonly source: DatabaseSource;
  readonly store: GenerationStore;
  /** Where the replica is: one string for one place, remembered in the state. */
  readonly place: string;
  readonly log: Logger;
  /** Before each piece of what is written; what it throws breaks it off. */
  readonly turn: () => void;
  readonly pulse: Pulse;
  /** What is captured before that is no longer needed here. */
  readonly moved: (position: Position) => void;
  /** The replica holds another history there. */
  readonly beginAnew: (reason: string) => Promise<void>;
}

export class WalCopier {
  readonly #options: WalCopierOptions;
  readonly #buffer = new Uint8Array(limits.transferBytes);
  #position: Position | undefined;
  #written: Position | undefined;
  #reader: ShadowReader | undefined;
  #known: WalTransfer["known"];
  #joined: JoinedRecords | undefined;
  #closedAt: Position | undefined;
  #warnedOfIndex: Index | undefined;

  constructor(options: WalCopierOptions) {
    this.#options = options;
  }

  /** The end of what is durable on the replica; undefined while that is not known. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** The end of the newest WAL that is durable there; where none is known yet, where it will begin. */
  get written(): Position | undefined {
    return this.#written;
  }

  /** `end` is what the replica says of that position. */
  async continueAt(position: Position, end: ReplicaEnd | undefined): Promise<void> {
    const { source, place } = this.#options;
    const reader = source.openReader(position);
    this.#known = await knownAt(source, reader, position.offset);
    this.#closedAt = end?.closed === true ? position : undefined;
    this.#reader?.close();
    this.#reader = reader;
    await source.rememberReplica(place);
    this.#moveTo(position);
  }

  async continueAtIndex(generation: Generation, index: Index): Promise<void> {
    await this.continueAt({ generation, index, offset: asOffset(0) }, undefined);
  }

  /** Behind an end that agrees: a snapshot is no reason for a gap in the WAL. Else at the beginning of the snapshot's index. */
  async continueBehind(generation: Generation, end: ReplicaEnd | undefined, index: Index): Promise<void> {
    if (end === undefined) return await this.continueAtIndex(generation, index);
    await this.continueAt({ generation, index: end.index, offset: end.offset }, end);
  }

  /** Records of the present index up to there are no points, and become one. */
  join(records: JoinedRecords): void {
    this.#joined = records;
  }

  /** To what is captured now, or not far beyond a position. Nothing happens before it is known where to go on. */
  async copyCaptured(until = this.#options.source.position()): Promise<void> {
    const reader = this.#reader;
    if (reader === undefined) return;
    reader.refresh();
    while (!isBeyond(reader, until) && await this.#copyIndex(reader)) {
      reader.nextIndex();
      // The claim stays: until the next index has frames on the replica, this one tells a restart where to go on.
      this.#position = reader.position();
    }
  }

  /** Where the replica stands is looked up anew. */
  forget(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#position = undefined;
    this.#written = undefined;
    this.#known = undefined;
    this.#joined = undefined;
    this.#closedAt = undefined;
  }

  /** Brings one index up to date. True when it is complete and the next one follows. */
  async #copyIndex(reader: ShadowReader): Promise<boolean> {
    const start = reader.position();
    const { offset: end, closed } = reader.end();
    const mustClose = closed &&
      (this.#closedAt === undefined || comparePositions(this.#closedAt, { ...start, offset: end }) < 0);
    if (start.offset < end || mustClose) {
      if (start.offset === 0) await this.#expectReplica(); // A new file must not bring a lost root back.
      await this.#warnBeyondNames(start);
      const joined = start.offset === 0 ? this.#joined : undefined;
      const transfer = new WalTransfer(reader, this.#buffer, this.#known, joined);
      await this.#append(start, transfer);
      this.#known = transfer.known;
      this.#joined = undefined;
      if (closed) this.#closedAt = { ...start, offset: end };
      this.#moveTo(reader.position());
    }
    if (!closed) return false;
    this.#known = undefined;
    return true;
  }

  async #append(start: Position, wal: WalPieces): Promise<void> {
    const { store, beginAnew } = this.#options;
    try {
      await store.appendWal(start.generation, start.index, start.offset, this.#noticed(wal));
    } catch (error) {
      this.forget(); // What the replica holds now is looked up anew; the last good position is what it says then.
      await this.#expectReplica(); // Says more than that one file of it is gone.
      if (error instanceof ReplicationError && error.code === "corrupt") await beginAnew(error.message);
      throw error;
    }
  }

  #noticed(wal: WalPieces): WalPieces {
    const next = async () => {
      this.#options.turn();
      const piece = await wal.next();
      this.#options.pulse.noteMove(piece.length);
      return piece;
    };
    return { next, records: () => wal.records() };
  }

  #expectReplica(): Promise<void> {
    const { source, store, place } = this.#options;
    return expectReplica(source, store, place);
  }

  /** The readers of Litestream 0.3 see names of 8 digits only; ours reads on. A restart of the WAL mends it. */
  async #warnBeyondNames(start: Position): Promise<void> {
    if (start.offset < OBJECT_OFFSET_LIMIT || this.#warnedOfIndex === start.index) return;
    this.#warnedOfIndex = start.index;
    if (await this.#options.store.layoutFor(start.generation) !== "litestream") return;
    this.#options.log.warn("The WAL has grown beyond 4 GiB: Litestream 0.3 does not see what is written behind that", {
      position: formatPosition(start),
    });
  }

  #moveTo(position: Position): void {
    this.#position = position;
    if (position.offset > 0 || this.#written?.generation !== position.generation) this.#written = position;
    this.#options.moved(position);
    this.#options.log.debug("Replicated", { position: formatPosition(position) });
  }
}

function isBeyond(reader: ShadowReader, until: Position | undefined): boolean {
  const position = reader.position();
  return until?.generation === position.generation && position.index > until.index;
}
