/**
 * What happened to a real database, as real SQLite wrote it: life after life of its WAL, and the database at every commit.
 * Replicas are made from these bytes by `replica_craft.ts`.
 */
import { DatabaseSync } from "node:sqlite";
import { commitEnds, frameSizeOf, WAL_HEADER_SIZE } from "./wal_bytes.ts";

export interface Life {
  /** The database file when this life of the WAL began. */
  readonly base: Uint8Array<ArrayBuffer>;
  /** Header and frames, up to the last commit. */
  readonly wal: Uint8Array<ArrayBuffer>;
  /** The end of each transaction. */
  readonly commits: readonly number[];
}

export interface HistoryOptions {
  readonly pageSize?: number;
  /** Statements before the first life; they are in its base. */
  readonly before: readonly string[];
  /** For each life its transactions, each some statements. */
  readonly lives: readonly (readonly string[])[];
}

export class History {
  readonly lives: readonly Life[];
  readonly #scratch: string;
  readonly #images = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(lives: readonly Life[], scratch: string) {
    this.lives = lives;
    this.#scratch = scratch;
  }

  life(index: number): Life {
    const life = this.lives[index];
    if (life === undefined) throw new Error(`There is no life ${index}`);
    return life;
  }

  /** Where a life ends: the end of its last transaction. */
  endOf(index: number): number {
    return this.life(index).wal.length;
  }

  /** The end of the nth transaction of a life, counted from 1; from the end when negative. */
  commit(index: number, nth: number): number {
    const end = this.life(index).commits.at(nth > 0 ? nth - 1 : nth);
    if (end === undefined) throw new Error(`Life ${index} has no transaction ${nth}`);
    return end;
  }

  /** The offset after so many frames. */
  frames(index: number, count: number): number {
    return WAL_HEADER_SIZE + count * frameSizeOf(this.life(index).wal);
  }

  /** What SQLite makes of the life's first database file and its WAL up to there. */
  imageAt(index: number, offset = this.endOf(index)): Uint8Array<ArrayBuffer> {
    const key = `${index}:${offset}`;
    const known = this.#images.get(key);
    if (known !== undefined) return known;
    const { base, wal } = this.life(index);
    const image = offset <= WAL_HEADER_SIZE ? base : applied(base, wal.subarray(0, offset), this.#scratch);
    this.#images.set(key, image);
    return image;
  }
}

/** What SQLite makes of a database file with that WAL beside it. */
export function applied(base: Uint8Array, wal: Uint8Array, scratch: string): Uint8Array<ArrayBuffer> {
  const path = `${scratch}/applied.db`;
  Deno.writeFileSync(path, base);
  Deno.writeFileSync(`${path}-wal`, wal);
  const database = new DatabaseSync(path);
  database.exec("PRAGMA synchronous = OFF; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  return Deno.readFileSync(path);
}

/** Runs the statements on a new database in that folder, with the tables that Litestream adds to every database. */
export function recordHistory(folder: string, { pageSize = 4096, before, lives }: HistoryOptions): History {
  Deno.mkdirSync(folder, { recursive: true });
  const path = `${folder}/source.db`;
  const database = new DatabaseSync(path);
  const checkpoint = () => database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  try {
    database.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = WAL`);
    database.exec("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0");
    database.exec("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)");
    database.exec("CREATE TABLE _litestream_lock (id INTEGER)");
    for (const statement of before) database.exec(statement);
    checkpoint();
    const recorded = lives.map((transactions): Life => {
      const base = Deno.readFileSync(path);
      for (const transaction of [NEXT_SEQUENCE, ...transactions]) database.exec(`BEGIN; ${transaction}; COMMIT`);
      const wal = Deno.readFileSync(`${path}-wal`);
      checkpoint();
      return { base, wal, commits: commitEnds(wal) };
    });
    return new History(recorded, folder);
  } finally {
    database.close();
  }
}

/** With it Litestream begins every life of a WAL. */
const NEXT_SEQUENCE = "INSERT INTO _litestream_seq VALUES(1, 1) ON CONFLICT(id) DO UPDATE SET seq = seq + 1";
