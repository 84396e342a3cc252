/** What a damage is, and the hands by which one is made: a file is changed, replaced or moved, and keeps its time. */
import { encodeFrame } from "../../lib/lz4/frame_encoder.ts";
import { skippableHeader } from "../../lib/lz4/frame_format.ts";
import { readTail, TRAILER_MAGIC, withTrailerEnding } from "../../lib/lz4/trailer.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { asOffset } from "../../lib/position/position.ts";
import { joined, nameAt, type Place, readerOf, type SnapshotView } from "./replica_view.ts";

export interface Damage {
  readonly kind: string;
  /** Below the replica; absent where it is about more than one. */
  readonly object?: string;
  /** For messages: where exactly. */
  readonly detail: string;
  /** Nothing is lost by it, and nothing is to be told. */
  readonly isValid?: true;
  /** Why nothing that is left in the replica may tell of it: that points are lost, or that they are of other content. */
  readonly unseen?: "losses" | "contents";
  apply(root: string, store: GenerationStore): Promise<void> | void;
}

/** A file, kept in memory while others take its place. */
export interface KeptFile {
  readonly object: string;
  readonly bytes: Uint8Array;
  readonly mtime: Date;
}

export function keep(root: string, objects: readonly string[]): KeptFile[] {
  return objects.map((object) => {
    const mtime = Deno.statSync(`${root}/${object}`).mtime ?? new Date(0);
    return { object, bytes: Deno.readFileSync(`${root}/${object}`), mtime };
  });
}

export function put(root: string, { object, bytes, mtime }: KeptFile): void {
  Deno.writeFileSync(`${root}/${object}`, bytes);
  Deno.utimeSync(`${root}/${object}`, mtime, mtime);
}

/** Takes the place of what is of that index: these files, wherever they come from. */
export function putInPlace(root: string, place: Place, objects: readonly string[], files: readonly KeptFile[]): void {
  for (const object of objects) Deno.removeSync(`${root}/${object}`);
  for (const file of files) put(root, { ...file, object: nameAt(file.object, place) });
}

/** Changes bytes where they stand. */
export function change(path: string, work: (bytes: Uint8Array) => void): void {
  const { mtime } = Deno.statSync(path);
  const bytes = Deno.readFileSync(path);
  work(bytes);
  Deno.writeFileSync(path, bytes);
  if (mtime !== null) Deno.utimeSync(path, mtime, mtime);
}

/** An index with this WAL and these records instead, by the writer of its layout. */
export async function putIndex(
  store: GenerationStore,
  { generation, index }: Place,
  wal: Uint8Array,
  records: readonly CommitRecord[],
): Promise<void> {
  await store.removeWal(generation, index);
  const pieces = [wal];
  await store.appendWal(generation, index, asOffset(0), {
    next: () => Promise.resolve(pieces.shift() ?? new Uint8Array(0)),
    records: () => records,
  });
  await store.rest?.();
}

/** The same image with another record, by the writer of its layout. */
export async function putSnapshot(store: GenerationStore, view: SnapshotView, record: CommitRecord): Promise<void> {
  const { generation, index, stateIndex, image } = view;
  await store.removeSnapshot(generation, index);
  const written = { index, stateIndex, record, sizeBytes: image.length };
  const pieces = [image];
  await store.writeSnapshot(generation, {
    writeTo: async (target) => {
      await target.writeAt(image, 0);
      return written;
    },
    stream: () =>
      Promise.resolve({
        index,
        next: () => Promise.resolve(pieces.shift() ?? new Uint8Array(0)),
        end: () => Promise.resolve(written),
      }),
  }, async () => {});
}

/** One LZ4 frame, and nothing behind it. */
export async function foreignFrame(content: Uint8Array): Promise<Uint8Array> {
  const pieces = [content];
  const frame = encodeFrame(() => Promise.resolve(pieces.shift() ?? new Uint8Array(0)));
  const bytes = await joined(frame.next);
  frame.close();
  return bytes;
}

/** What this program wrote behind the data of an object, as it stands there; nothing where another one wrote it. */
export async function tailBytes(object: Uint8Array): Promise<Uint8Array> {
  const tail = await readTail({ sizeBytes: object.length, read: readerOf(object) });
  if (tail === undefined || tail === "damaged") return new Uint8Array(0);
  const says = new Uint8Array(tail.sizeBytes);
  await tail.read(0, says);
  const payload = withTrailerEnding(says);
  return Uint8Array.of(...skippableHeader(TRAILER_MAGIC, payload.length), ...payload);
}
