/**
 * Brings a replica forward whose end the shadow WAL no longer holds: one transaction with the pages that changed since, at a
 * captured position P, behind what the replica has.
 *
 *   1. The transaction goes on in the replica's last index, as frames of its chain; when that index is closed, it is the next.
 *   2. Each index up to the one that P lies in gets a transaction of page 1 as it is at P, since indexes have no gaps.
 *   3. The index of P follows from the shadow WAL, from its first frame; its commits before P are no points, since the pages
 *      of the transaction may be newer: one record speaks of all of them.
 *
 * What is written has the record of a resync. A run that ends between 1 and 3 leaves a replica that can be restored to P.
 */
import type { CollectedPages, PageChanges } from "../database/source.ts";
import type { Generation } from "../position/generation.ts";
import { asIndex, asOffset, type Index, type Offset } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { GenerationStore, ReplicaEnd, WalPieces } from "../store/generation_store.ts";
import type { Checksum } from "../wal/checksum.ts";
import { frameSize } from "../wal/frame.ts";
import { formatWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../wal/header.ts";
import { syntheticHeader, SyntheticWal } from "../wal/synthetic_wal.ts";

export interface CatchUpParts {
  readonly store: GenerationStore;
  readonly generation: Generation;
  readonly end: ReplicaEnd;
  /** The replica's header and chain at its end; undefined when nothing stands in its last index. */
  readonly known: { readonly header: WalHeader; readonly chain: Checksum } | undefined;
  readonly changes: PageChanges;
  /** Before each piece; what it throws breaks it off. */
  readonly turn: () => void;
}

export interface CaughtUp {
  /** The index of P; the replica goes on at its beginning. */
  readonly index: Index;
  /** P, and the time that it was given. */
  readonly joined: { readonly offset: Offset; readonly capturedAtMs: number };
  readonly pages: number;
  readonly bytes: number;
}

export async function catchUp({ store, generation, end, known, changes, turn }: CatchUpParts): Promise<CaughtUp> {
  const collected = await changes.collect();
  try {
    const first = end.closed ? asIndex(end.index + 1) : end.index;
    const goesOn = end.closed || end.offset === 0 ? undefined : known;
    const start = goesOn === undefined ? asOffset(0) : end.offset;
    let bytes = 0;
    for (let index: number = first; index < collected.index; index++) {
      const isFirst = index === first;
      const { header, chain } = isFirst && goesOn !== undefined ? goesOn : newWal(changes);
      const at = isFirst ? start : asOffset(0);
      const pieces = new PagesAsWal(collected, isFirst ? collected.count : 1, header, chain, at, turn);
      await store.appendWal(generation, asIndex(index), at, pieces);
      bytes += pieces.end - at;
    }
    const { end: offset, capturedAtMs } = collected.record;
    return { index: collected.index, joined: { offset, capturedAtMs }, pages: collected.count, bytes };
  } finally {
    collected.close();
  }
}

function newWal(changes: PageChanges): { header: WalHeader; chain: Checksum } {
  const header = syntheticHeader(changes.pageSize, changes.salts());
  return { header, chain: header.checksum };
}

/** The first so many of the collected pages as one transaction that closes its index. */
class PagesAsWal implements WalPieces {
  readonly #record: CommitRecord;
  readonly #start: Offset;
  readonly #pieces: Iterator<Uint8Array>;
  readonly #turn: () => void;
  readonly end: Offset;

  constructor(
    collected: CollectedPages,
    count: number,
    header: WalHeader,
    chain: Checksum,
    start: Offset,
    turn: () => void,
  ) {
    this.#turn = turn;
    this.#record = collected.record;
    this.#start = start;
    this.end = asOffset(Math.max(start, WAL_HEADER_SIZE) + count * frameSize(header.pageSize));
    this.#pieces = this.#write(collected, count, header, chain);
  }

  next(): Promise<Uint8Array> {
    return Promise.try(() => {
      this.#turn();
      const { value, done } = this.#pieces.next();
      return done === true ? new Uint8Array(0) : value;
    });
  }

  records(): readonly CommitRecord[] {
    const { pageSize, databasePages, capturedAtMs, checksum, confirmedAt } = this.#record;
    const written: CommitRecord = {
      kind: "resync",
      pageSize,
      start: this.#start,
      end: this.end,
      capturedAtMs,
      databasePages,
      capturedLate: true,
      indexClosed: false,
      ...(checksum === undefined ? {} : { checksum }),
      ...(confirmedAt === undefined ? {} : { confirmedAt }),
    };
    return [written, { ...written, start: this.end, capturedLate: false, indexClosed: true }];
  }

  *#write(collected: CollectedPages, count: number, header: WalHeader, chain: Checksum) {
    if (this.#start === 0) yield formatWalHeader(header);
    let flushed: Uint8Array | undefined;
    const wal = new SyntheticWal(header, chain, (_, frames) => flushed = frames.slice());
    for (const { page, content } of collected.each()) {
      if (wal.frames === count) break;
      wal.add(page, content);
      if (flushed !== undefined) yield flushed;
      flushed = undefined;
    }
    wal.finish(this.#record.databasePages);
    if (flushed !== undefined) yield flushed;
  }
}
