import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { type Generation, parseGeneration } from "../../lib/position/generation.ts";
import { formatRawKey, type RawSuffix } from "../../lib/position/keys.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { asIndex, asOffset, type Position } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { LitestreamStore } from "../../lib/store/litestream_store.ts";
import type { Encryption } from "../../lib/store/stored_object.ts";
import { RawStore } from "../../lib/store/raw_store.ts";
import { aWholeImage, nothingToBring } from "./image.ts";
import { unsyncedFiles } from "./unsynced_files.ts";

/** The time of a replica's first record; each later one is a second later unless the test says otherwise. */
export const EPOCH_MS = Date.UTC(2025, 5, 1, 12, 0, 0);

export interface BuiltCommit extends Pick<CommitRecord, "checksum" | "confirmedAt"> {
  readonly end: number;
  readonly databasePages: number;
  readonly atMs?: number;
}

export interface ReplicaOptions {
  readonly generation?: string;
  readonly pageSize?: number;
  readonly startMs?: number;
  readonly layout?: Layout;
  /** In the `litestream` layout. */
  readonly encryption?: Encryption;
}

/** A replica in a folder, written through the real store; tests then damage its files by path. */
export class ReplicaBuilder {
  readonly root: string;
  readonly store: GenerationStore;
  readonly generation: Generation;
  readonly pageSize: number;
  #nextMs: number;
  readonly #lastCommits = new Map<number, CommitRecord>();

  constructor(root: string, options: ReplicaOptions = {}) {
    const { generation = "00000000000000aa", pageSize = 4096, startMs = EPOCH_MS, layout = "raw" } = options;
    const parsed = parseGeneration(generation);
    if (parsed === undefined) throw new Error(`"${generation}" is no generation`);
    this.root = root;
    this.store = aStore(root, layout, options.encryption);
    this.generation = parsed;
    this.pageSize = pageSize;
    this.#nextMs = startMs;
  }

  /** The database file itself, as it was at the offset of that index. */
  async snapshot(
    index: number,
    offset: number,
    image: Uint8Array,
    atMs = this.#tick(),
    proof: Pick<CommitRecord, "checksum"> = {},
  ): Promise<this> {
    const at = asOffset(offset);
    const record: CommitRecord = {
      kind: "snapshot",
      pageSize: image.length === 0 ? 0 : this.pageSize,
      start: at,
      end: at,
      capturedAtMs: atMs,
      databasePages: image.length / this.pageSize,
      capturedLate: false,
      indexClosed: false,
      ...proof,
    };
    await this.store.writeSnapshot(this.generation, aWholeImage(image, index, record), nothingToBring);
    return this;
  }

  /** Appends the WAL from where the index stands to the last of the commits, with a record for each. */
  async wal(index: number, bytes: Uint8Array, ...commits: readonly BuiltCommit[]): Promise<this> {
    const start = this.#lastCommits.get(index)?.end ?? asOffset(0);
    let at = start;
    const records = commits.map(({ end, databasePages, atMs = this.#tick(), ...proof }) => {
      const record = { ...this.#record(at, end, databasePages, atMs, false), ...proof };
      at = record.end;
      return record;
    });
    await this.#append(index, start, bytes.subarray(start, at), records);
    return this;
  }

  /** The closing record: the next index has begun. */
  async close(index: number, atMs = this.#tick(), proof: Pick<CommitRecord, "checksum"> = {}): Promise<this> {
    const last = this.#lastCommits.get(index);
    if (last === undefined) throw new Error(`Index ${index} holds nothing that could be closed`);
    await this.#append(index, last.end, new Uint8Array(), [
      { ...this.#record(last.end, last.end, last.databasePages, atMs, true), ...proof },
    ]);
    return this;
  }

  path(index: number, suffix: RawSuffix): string {
    return `${this.root}/${formatRawKey(this.generation, asIndex(index), suffix)}`;
  }

  position(index: number, offset: number): Position {
    return { generation: this.generation, index: asIndex(index), offset: asOffset(offset) };
  }

  /** The time of the latest record. */
  get lastMs(): number {
    return this.#nextMs - 1_000;
  }

  async #append(index: number, start: number, bytes: Uint8Array, records: readonly CommitRecord[]): Promise<void> {
    let rest = bytes;
    await this.store.appendWal(this.generation, asIndex(index), asOffset(start), {
      next: () => {
        const now = rest;
        rest = new Uint8Array();
        return Promise.resolve(now);
      },
      records: () => records,
    });
    await this.store.rest?.();
    const last = records.at(-1);
    if (last !== undefined) this.#lastCommits.set(index, last);
  }

  #record(start: number, end: number, databasePages: number, capturedAtMs: number, indexClosed: boolean): CommitRecord {
    return {
      kind: "sync",
      pageSize: this.pageSize,
      start: asOffset(start),
      end: asOffset(end),
      capturedAtMs,
      databasePages,
      capturedLate: false,
      indexClosed,
    };
  }

  #tick(): number {
    const now = this.#nextMs;
    this.#nextMs += 1_000;
    return now;
  }
}

export function aStore(root: string, layout: Layout = "raw", encryption?: Encryption): GenerationStore {
  const client = new FileReplicaClient(unsyncedFiles(), root);
  return layout === "raw" ? new RawStore(client) : new LitestreamStore(client, encryption);
}

/** Overwrites one byte of a file. */
export function changeByte(path: string, at: number, change: (byte: number) => number): void {
  const bytes = Deno.readFileSync(path);
  bytes[at] = change(bytes[at] ?? 0);
  Deno.writeFileSync(path, bytes);
}
