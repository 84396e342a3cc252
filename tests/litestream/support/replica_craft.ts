/**
 * Replicas in Litestream's layouts, put together by hand: objects of given bytes under given names at given times. What an
 * object holds comes from real SQLite, how it is compressed from the `lz4` program or zlib.
 */
import { gzipSync } from "node:zlib";
import type { History } from "./history.ts";
import { lz4 } from "./programs.ts";

/** The time of a replica's first object; each later one is a second later unless its maker says otherwise. */
export const FIRST_OBJECT_MS = Date.UTC(2023, 9, 24, 12, 0, 0);
export const GENERATION = "0123456789abcdef";

/** How the bytes of an object are stored. */
export type Encode = (bytes: Uint8Array) => Uint8Array;

export const asLz4: Encode = (bytes) => lz4(bytes);
export const asGzip: Encode = (bytes) => gzipSync(bytes);
export const asIs: Encode = (bytes) => bytes;

export interface ObjectOptions {
  readonly encode?: Encode;
  /** Instead of the layout's name; from the folder of snapshots or WAL. */
  readonly name?: string;
  readonly at?: Date;
}

/** A run of a life's WAL, as one object of a replica. */
export interface Piece {
  readonly index: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class ReplicaCraft {
  readonly root: string;
  readonly generation: string;
  #nextMs: number;

  constructor(root: string, generation = GENERATION, firstMs = FIRST_OBJECT_MS) {
    this.root = root;
    this.generation = generation;
    this.#nextMs = firstMs;
  }

  /** The time of the latest object that was not given one. */
  get lastAt(): Date {
    return new Date(this.#nextMs - 1_000);
  }

  snapshot(index: number, image: Uint8Array, options: ObjectOptions = {}): this {
    const { encode = asLz4, name = `${hex(index, 8)}.snapshot.lz4`, at } = options;
    return this.file(`snapshots/${name}`, encode(image), at);
  }

  segment({ index, offset, bytes }: Piece, options: ObjectOptions = {}): this {
    const { encode = asLz4, name = `${hex(index, 8)}_${hex(offset, 8)}.wal.lz4`, at } = options;
    return this.file(`wal/${name}`, encode(bytes), at);
  }

  segments(pieces: readonly Piece[], options: Omit<ObjectOptions, "name"> = {}): this {
    for (const piece of pieces) this.segment(piece, options);
    return this;
  }

  /** Any bytes under any name of the generation. */
  file(name: string, bytes: Uint8Array, at = new Date(this.#tick())): this {
    const path = this.path(name);
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, at, at);
    return this;
  }

  path(name: string): string {
    return `${this.root}/generations/${this.generation}/${name}`;
  }

  #tick(): number {
    const now = this.#nextMs;
    this.#nextMs += 1_000;
    return now;
  }
}

export function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

/** A life cut at these offsets, each piece up to the next; without any, one piece for each transaction. */
export function piecesOf(history: History, index: number, cuts?: readonly number[]): Piece[] {
  const { wal, commits } = history.life(index);
  const ends = [...(cuts ?? commits.slice(0, -1)), wal.length];
  return ends.map((end, slot) => {
    const offset = ends[slot - 1] ?? 0;
    return { index, offset, bytes: wal.subarray(offset, end) };
  });
}

/** Every life, one piece for each transaction. */
export function allPieces(history: History): Piece[] {
  return history.lives.flatMap((_, index) => piecesOf(history, index));
}

/** What is known to be right at a place or a time of a replica; `expected` is the path of the database. */
export interface KnownPoint {
  readonly index: number;
  readonly offset: number;
  readonly expected: string;
  /** A reader that refuses it is right, too. */
  readonly mayRefuse?: boolean;
}

/** What the real Litestream 0.3.13 does with the replica. */
export type PeerDoes =
  /** It ends with 0, and the database is that one: right or not. */
  | { readonly kind: "restores"; readonly expected: string }
  /** It ends with that code and says so on stderr. */
  | { readonly kind: "fails"; readonly code: number; readonly says: RegExp }
  /** It ends with 0, and what it leaves is none of the states that the database ever had. */
  | { readonly kind: "damages"; readonly states: readonly string[] };

export interface KnownTime {
  readonly at: Date;
  /** What a reader that is right restores; nothing when it must refuse. */
  readonly expected?: string;
  readonly peer: PeerDoes;
}

export interface Crafted {
  /** The folder that a reader is given. */
  readonly replica: string;
  /** The generation that holds what is right. */
  readonly generation: string;
  /** The newest state, as a reader that is right restores it; left out when it must refuse and say why. */
  readonly latest?: string;
  /** A reader that refuses is right, too: what is odd here, no program has written. */
  readonly mayRefuse?: boolean;
  /** Nothing in the replica shows that it is wrong, not even to a reader that checks everything but the database itself. */
  readonly cannotBeSeen?: boolean;
  /** Ends of transactions at which an object of the replica ends: what is restored when it is asked for. */
  readonly points: readonly KnownPoint[];
  readonly times?: readonly KnownTime[];
  readonly peer: PeerDoes;
}

/** One replica that can be made, good or bad. Its name is a feature of the matrix. */
export interface Variant<Place> {
  readonly name: string;
  readonly make: (place: Place) => Crafted;
}
