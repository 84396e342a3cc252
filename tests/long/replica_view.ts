/** What a replica holds, read by the project's own stores, so that a damage can be made of whole records and contents. */
import type { Generation } from "../../lib/position/generation.ts";
import { formatRawKey, parseRawName } from "../../lib/position/keys.ts";
import {
  formatSegmentKey,
  formatSnapshotKey,
  parseSegmentName,
  parseSnapshotName,
} from "../../lib/position/litestream_names.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import type { Index } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { StoredBytes } from "../../lib/base/byte_source.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import type { Encryption } from "../../lib/store/stored_object.ts";

export interface Place {
  readonly generation: Generation;
  readonly index: Index;
}

/** An object of the `litestream` layout, with its part of the WAL. */
export interface SegmentView {
  readonly object: string;
  readonly offset: number;
  readonly content: Uint8Array;
}

export interface IndexView extends Place {
  /** Below the replica. */
  readonly objects: readonly string[];
  /** None in the layout `raw`. */
  readonly segments: readonly SegmentView[];
  readonly wal: Uint8Array;
  /** Of what Litestream wrote, those that names and times stand for. */
  readonly records: readonly CommitRecord[];
}

export interface SnapshotView extends Place {
  readonly objects: readonly string[];
  readonly image: Uint8Array;
  readonly stateIndex: Index;
  readonly record: CommitRecord;
}

export interface GenerationView {
  readonly generation: Generation;
  readonly indexes: readonly IndexView[];
  readonly snapshots: readonly SnapshotView[];
}

export interface ReplicaView {
  readonly root: string;
  readonly layout: Layout;
  readonly isOurs: boolean;
  readonly objects: readonly string[];
  /** The one written last stands last. */
  readonly generations: readonly GenerationView[];
  /** From what an object says to what is stored, and back: another thing where the replica is encrypted. */
  readonly seal: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly unseal: (bytes: Uint8Array) => Promise<Uint8Array>;
}

const READ_BYTES = 1 << 16;
const RAW_SUFFIXES = ["snapshot", "record", "wal", "commits"] as const;

export async function viewReplica(
  { root, layout, isOurs, encryption }: Pick<ReplicaView, "root" | "layout" | "isOurs"> & { encryption?: Encryption },
  store: GenerationStore,
): Promise<ReplicaView> {
  const objects = objectsBelow(root);
  const generations: GenerationView[] = [];
  for (const generation of await store.generations()) {
    const catalog = await store.catalog(generation);
    const own = objects.filter((object) => object.startsWith(`generations/${generation}/`));
    const of = (folder: string, index: Index) =>
      own.filter((object) => object.includes(`/${folder}/`) && placeOf(object)?.index === index);
    const indexes: IndexView[] = [];
    for (const { index } of catalog.wals) {
      const wal = await wholeWal(store, generation, index);
      const records = await store.records(generation, index);
      const objects = of("wal", index);
      indexes.push({ generation, index, objects, segments: segmentsOf(objects, wal), wal, records: [...records] });
    }
    const snapshots: SnapshotView[] = [];
    for (const { index, record, stateIndex = index, imageBytes, sizeBytes } of catalog.snapshots) {
      if (record === undefined) continue;
      const reader = await store.openSnapshot(generation, index);
      const image = new Uint8Array(imageBytes ?? sizeBytes);
      await reader.read(0, image);
      reader.close();
      snapshots.push({ generation, index, objects: of("snapshots", index), image, stateIndex, record });
    }
    generations.push({ generation, indexes, snapshots });
  }
  const newestOf = ({ indexes }: GenerationView) => indexes.at(-1)?.records.at(-1)?.capturedAtMs ?? 0;
  return {
    root,
    layout,
    isOurs,
    objects,
    generations: generations.toSorted((a, b) => newestOf(a) - newestOf(b)),
    ...sealsOf(encryption),
  };
}

function sealsOf(encryption: Encryption | undefined): Pick<ReplicaView, "seal" | "unseal"> {
  const asItIs = (bytes: Uint8Array) => Promise.resolve(bytes);
  if (encryption === undefined) return { seal: asItIs, unseal: asItIs };
  return {
    seal: async (bytes) => {
      const pieces = [bytes];
      return await joined(encryption.encrypt(() => Promise.resolve(pieces.shift() ?? new Uint8Array(0))));
    },
    unseal: async (bytes) => {
      const stored = { sizeBytes: bytes.length, read: readerOf(bytes) };
      const opened = await encryption.decrypt?.(stored, "the object") ?? stored;
      const into = new Uint8Array(opened.sizeBytes);
      await opened.read(0, into);
      return into;
    },
  };
}

/** Bytes in memory as a device gives them. */
export function readerOf(bytes: Uint8Array): StoredBytes["read"] {
  return (at, into) => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return Promise.resolve(part.length);
  };
}

/** All pieces up to the first that is empty. */
export async function joined(next: () => Promise<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let part = await next(); part.length > 0; part = await next()) parts.push(part.slice());
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

export function objectsBelow(root: string, prefix = ""): string[] {
  return [...Deno.readDirSync(`${root}/${prefix}`)].flatMap(({ name, isDirectory }) =>
    isDirectory ? objectsBelow(root, `${prefix}${name}/`) : [`${prefix}${name}`]
  ).sort();
}

/** The index, and in the `litestream` layout the offset, that an object's name says. */
export function placeOf(object: string): { readonly index: Index; readonly offset?: number } | undefined {
  const name = nameOf(object);
  for (const suffix of RAW_SUFFIXES) {
    const index = parseRawName(name, suffix);
    if (index !== undefined) return { index };
  }
  return parseSegmentName(name) ?? parseSnapshotName(name);
}

/** What an object would be called if it were of another generation and index. */
export function nameAt(object: string, { generation, index }: Place): string {
  const name = nameOf(object);
  const suffix = RAW_SUFFIXES.find((one) => parseRawName(name, one) !== undefined);
  if (suffix !== undefined) return formatRawKey(generation, index, suffix);
  const offset = parseSegmentName(name)?.offset;
  return offset === undefined ? formatSnapshotKey(generation, index) : formatSegmentKey(generation, index, offset);
}

function segmentsOf(objects: readonly string[], wal: Uint8Array): SegmentView[] {
  const listed = objects.flatMap((object) => {
    const offset = placeOf(object)?.offset;
    return offset === undefined ? [] : [{ object, offset }];
  }).toSorted((a, b) => a.offset - b.offset);
  return listed.map((one, slot) => ({
    ...one,
    content: wal.slice(one.offset, listed[slot + 1]?.offset ?? wal.length),
  }));
}

function nameOf(object: string): string {
  return object.slice(object.lastIndexOf("/") + 1);
}

async function wholeWal(store: GenerationStore, generation: Generation, index: Index): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = 0;;) {
    const part = new Uint8Array(READ_BYTES);
    const got = await store.readWal(generation, index, at, part);
    parts.push(part.subarray(0, got));
    at += got;
    if (got < part.length) break;
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}
