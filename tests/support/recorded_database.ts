/**
 * A real SQLite database whose every commit is recorded: its WAL, life after life, as a replica, and for each commit the
 * files from which SQLite itself makes the image of the database at that moment.
 */
import type { Layout } from "../../lib/position/object_names.ts";
import { DatabaseSync } from "node:sqlite";
import { frameSize } from "../../lib/wal/frame.ts";
import { randomInteger, seededRandom } from "./random.ts";
import { ReplicaBuilder, type ReplicaOptions } from "./replica_builder.ts";
import { checksumOf } from "./database_image.ts";

export interface RecordedPoint {
  readonly index: number;
  readonly offset: number;
  readonly atMs: number;
}

export interface RecordingOptions {
  readonly seed: number;
  readonly pageSize?: number;
  readonly actions?: number;
  /** How often, in a hundred actions, the WAL is restarted, and a snapshot is taken in the middle of an index. */
  readonly restarts?: number;
  readonly snapshots?: number;
  readonly layout?: Layout;
  /** Instead of `replica` in the folder. */
  readonly root?: string;
  readonly replica?: Pick<ReplicaOptions, "generation" | "startMs" | "encryption">;
  /** Records have the checksum of the database there. */
  readonly hasChecksums?: boolean;
}

export class RecordedDatabase {
  readonly replica: ReplicaBuilder;
  readonly points: RecordedPoint[] = [];
  readonly #folder: string;
  readonly #path: string;
  readonly #random: () => number;
  readonly #hasChecksums: boolean;
  readonly #database: DatabaseSync;
  /** The database file at the beginning of each life, and the WAL of each life as recorded. */
  readonly #bases: Uint8Array<ArrayBuffer>[] = [];
  readonly #wals: Uint8Array[] = [];
  #index = 0;
  #end = 0;
  /** WAL headers of the present life, and of the one before. */
  #life = "";
  #endedLife = "";

  static async make(folder: string, options: RecordingOptions): Promise<RecordedDatabase> {
    const recorded = new RecordedDatabase(folder, options);
    try {
      await recorded.#run(options);
    } finally {
      recorded.#database.close();
    }
    return recorded;
  }

  private constructor(folder: string, options: RecordingOptions) {
    const { seed, pageSize = 4096, layout = "raw", root = `${folder}/replica`, hasChecksums = false } = options;
    this.#hasChecksums = hasChecksums;
    this.#folder = folder;
    this.#path = `${folder}/source.db`;
    this.#random = seededRandom(seed);
    this.replica = new ReplicaBuilder(root, { ...options.replica, pageSize, layout });
    this.#database = new DatabaseSync(this.#path);
    this.#database.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = WAL`);
    this.#database.exec(`PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0`);
    this.#database.exec(`CREATE TABLE item(n INTEGER PRIMARY KEY, payload BLOB)`);
    this.#checkpoint();
    this.#endedLife = Deno.readFileSync(`${this.#path}-wal`).subarray(0, 32).toHex();
    this.#bases.push(this.#file());
  }

  /** What SQLite makes of the life's first database file and its WAL up to there. */
  imageAt({ index, offset }: Pick<RecordedPoint, "index" | "offset">): Uint8Array {
    const base = this.#bases[index];
    if (base === undefined) throw new Error(`There is no index ${index}`);
    if (offset === 0) return base;
    const path = `${this.#folder}/cut.db`;
    Deno.writeFileSync(path, base);
    Deno.writeFileSync(`${path}-wal`, this.#wals[index]?.subarray(0, offset) ?? new Uint8Array());
    const database = new DatabaseSync(path);
    database.exec("PRAGMA synchronous = OFF; PRAGMA wal_checkpoint(TRUNCATE)");
    database.close();
    return Deno.readFileSync(path);
  }

  async #run({ actions = 60, restarts = 10, snapshots = 5 }: RecordingOptions): Promise<void> {
    const first = this.#bases[0] ?? new Uint8Array();
    await this.replica.snapshot(0, 0, first, undefined, this.#proofOf(first));
    for (let i = 0; i < actions; i++) {
      this.#act();
      await this.#record();
      if (this.#chance(restarts) && this.#end > 0) await this.#restart();
      if (this.#chance(snapshots)) {
        const image = this.imageAt({ index: this.#index, offset: this.#end });
        if (this.#snapshotsTaken.has(this.#index)) continue;
        this.#snapshotsTaken.add(this.#index);
        await this.replica.snapshot(this.#index, this.#end, image, undefined, this.#proofOf(image));
      }
    }
  }

  readonly #snapshotsTaken = new Set<number>([0]);

  #act(): void {
    const database = this.#database;
    const action = randomInteger(this.#random, 20);
    if (action < 8) this.#insert(1 + randomInteger(this.#random, 20), 400);
    else if (action < 11) this.#insert(30, 3_000);
    else if (action < 13) database.exec(`UPDATE item SET payload = randomblob(300) WHERE n % 5 = ${action % 5}`);
    else if (action < 15) database.exec(`DELETE FROM item WHERE n % 3 = ${randomInteger(this.#random, 3)}`);
    else if (action < 17) database.exec("VACUUM");
    else if (action < 18) {
      database.exec("BEGIN");
      this.#insert(40, 2_000);
      database.exec("ROLLBACK");
    } else database.exec(`DROP TABLE IF EXISTS extra; CREATE TABLE extra AS SELECT * FROM item LIMIT 20`);
  }

  #insert(rows: number, bytes: number): void {
    const insert = this.#database.prepare("INSERT INTO item(payload) VALUES(randomblob(?))");
    for (let i = 0; i < rows; i++) insert.run(1 + randomInteger(this.#random, bytes));
  }

  /** Appends what was committed since the last call, as one record. */
  async #record(): Promise<void> {
    const [, frames = 0] = this.#numbers("PRAGMA wal_checkpoint(NOOP)");
    const end = frames === 0 ? 0 : 32 + frames * frameSize(this.replica.pageSize);
    if (end <= this.#end) return;
    const wal = Deno.readFileSync(`${this.#path}-wal`).subarray(0, end);
    // Until somebody writes, SQLite goes on speaking of the life that a checkpoint has ended.
    const header = wal.subarray(0, 32).toHex();
    if (header === this.#endedLife) return;
    this.#life = header;
    this.#end = end;
    this.#wals[this.#index] = wal;
    const view = new DataView(wal.buffer);
    const databasePages = view.getUint32(end - frameSize(this.replica.pageSize) + 4);
    const proof = this.#hasChecksums ? this.#proofOf(this.imageAt({ index: this.#index, offset: end })) : {};
    await this.replica.wal(this.#index, wal, { end, databasePages, ...proof });
    this.points.push({ index: this.#index, offset: end, atMs: this.replica.lastMs });
  }

  async #restart(): Promise<void> {
    this.#checkpoint();
    await this.replica.close(this.#index, undefined, this.#proofOf(this.#file()));
    this.#endedLife = this.#life;
    this.#bases.push(this.#file());
    this.#index++;
    this.#end = 0;
  }

  #proofOf(image: Uint8Array): { readonly checksum?: Uint8Array } {
    return this.#hasChecksums ? { checksum: checksumOf(image, this.replica.pageSize) } : {};
  }

  #checkpoint(): void {
    const [busy, log, checkpointed] = this.#numbers("PRAGMA wal_checkpoint(RESTART)");
    if (busy !== 0 || log !== checkpointed) throw new Error("The checkpoint was not complete");
  }

  #file(): Uint8Array<ArrayBuffer> {
    return Deno.readFileSync(this.#path);
  }

  #numbers(sql: string): number[] {
    return Object.values(this.#database.prepare(sql).get() ?? {}).map(Number);
  }

  #chance(percent: number): boolean {
    return randomInteger(this.#random, 100) < percent;
  }
}
