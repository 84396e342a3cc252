/** What the folders of one generation in the `litestream` layout hold, by name, size and time alone. */
import type { ReplicationError } from "../base/errors.ts";
import { addAll } from "../base/many.ts";
import type { ObjectEntry, ReplicaClient } from "../clients/client.ts";
import type { Generation } from "../position/generation.ts";
import {
  isGroupName,
  type ObjectEncoding,
  parseSegmentName,
  parseSnapshotName,
  type SegmentName,
  segmentsFolder,
  type SnapshotName,
  snapshotsFolder,
} from "../position/litestream_names.ts";
import type { Index, Offset } from "../position/position.ts";
import type { RecordHome } from "./commit_record.ts";
import { unlessDamaged } from "./damaged_generation.ts";
import { draftsIn } from "./leftovers.ts";

export interface ListedObject {
  /** Where it was found. */
  readonly home: RecordHome;
  /** Of a segment. */
  readonly offset?: Offset;
  readonly key: string;
  readonly encoding: ObjectEncoding;
  readonly sizeBytes: number;
  readonly createdAtMs: number;
  /** What it is instead of a file; completes "it is ". */
  readonly instead?: string;
}

export interface ListedSnapshot extends ListedObject {
  readonly index: Index;
}

export interface Segment extends ListedObject {
  readonly index: Index;
  readonly offset: Offset;
  /**
   * The time that counts for points in time: its own or a later one of a segment before it. A history is cut at the first
   * segment that is too late, whatever the times of later ones.
   */
  readonly notBeforeMs: number;
}

export interface LitestreamListing {
  /** Ascending. */
  readonly snapshots: readonly ListedSnapshot[];
  /** Ascending by index; the segments of each by offset, none twice. */
  readonly segments: ReadonlyMap<Index, readonly Segment[]>;
  /** Everything that removing a generation takes away; put in order when that is asked for first. */
  readonly files: () => GenerationFiles;
  /** Of the files, those that are not objects yet. */
  readonly drafts: GenerationFiles["drafts"];
  /** Why a folder could not be listed: there is none, but something else. */
  readonly damage?: ReplicationError;
}

/**
 * By name alone, also what one name hides from the other, in the order in which it may be removed: what is hidden before
 * what hides it, since it may be unfinished; the segments of an index from the highest offset down to 0.
 */
export interface GenerationFiles {
  readonly snapshots: readonly (SnapshotName & { readonly key: string })[];
  readonly segments: readonly (SegmentName & { readonly key: string })[];
  readonly drafts: readonly (ObjectEntry & { readonly key: string })[];
  /** Folders that group segments. */
  readonly groups: readonly string[];
}

export async function listGeneration(client: ReplicaClient, generation: Generation): Promise<LitestreamListing> {
  let damage: ReplicationError | undefined;
  const list = (folder: string) => unlessDamaged(listFolder(client, folder), [], (error) => void (damage ??= error));
  const snapshots = await list(snapshotsFolder(generation));
  // Listed after the snapshots, the WAL is never older than they are.
  const wal = await list(segmentsFolder(generation));
  const listed = { snapshots: snapshotsIn(generation, snapshots), segments: segmentsIn(generation, wal) };
  let known: GenerationFiles | undefined;
  const files = () => known ??= filesIn(listed, snapshots.filter(isObject), wal.filter(isObject));
  const drafts = [...draftsIn(snapshots), ...draftsIn(wal)];
  return { ...listed, files, drafts, ...(damage === undefined ? {} : { damage }) };
}

function filesIn(
  listed: Pick<LitestreamListing, "snapshots" | "segments">,
  snapshots: readonly Placed[],
  wal: readonly Placed[],
): GenerationFiles {
  const shown = new Set([...listed.snapshots, ...[...listed.segments.values()].flat()].map(({ key }) => key));
  const hiddenFirst = (a: { readonly key: string }, b: { readonly key: string }) =>
    Number(shown.has(a.key)) - Number(shown.has(b.key));
  const folders = [...snapshots, ...wal].map(({ key }) => key.slice(0, key.lastIndexOf("/")));
  return {
    snapshots: snapshots.flatMap(({ key, name }) => {
      const parsed = parseSnapshotName(name);
      return parsed === undefined ? [] : [{ ...parsed, key }];
    }).sort(hiddenFirst),
    segments: wal.flatMap(({ key, name }) => {
      const parsed = parseSegmentName(name);
      return parsed === undefined ? [] : [{ ...parsed, key }];
    }).sort((a, b) => a.index - b.index || b.offset - a.offset || hiddenFirst(a, b)),
    drafts: draftsIn([...snapshots, ...wal]),
    groups: [...new Set(folders)].filter((folder) => isGroupName(folder.slice(folder.lastIndexOf("/") + 1))),
  };
}

type Placed = ObjectEntry & { readonly key: string };

async function listFolder(client: ReplicaClient, folder: string): Promise<Placed[]> {
  const found: Placed[] = [];
  for (const entry of await client.list(folder)) {
    const key = `${folder}/${entry.name}`;
    if (entry.kind === "folder" && isGroupName(entry.name)) addAll(found, await listFolder(client, key));
    else found.push({ ...entry, key });
  }
  return found;
}

/** Whatever else has the name of one is told of when it is opened, and is not ours to remove. */
function isObject({ kind, oddity }: Placed): boolean {
  return kind === "object" && oddity === undefined;
}

function snapshotsIn(generation: Generation, entries: readonly Placed[]): ListedSnapshot[] {
  const byIndex = new Map<Index, ListedSnapshot>();
  for (const entry of entries) {
    const name = parseSnapshotName(entry.name);
    if (name === undefined || !isPreferred(name.encoding, byIndex.get(name.index))) continue;
    byIndex.set(name.index, objectOf(entry, name.encoding, { generation, index: name.index }));
  }
  return [...byIndex.values()].sort((a, b) => a.index - b.index);
}

function segmentsIn(generation: Generation, entries: readonly Placed[]): Map<Index, Segment[]> {
  const named = entries.flatMap((entry) => {
    const name = parseSegmentName(entry.name);
    return name === undefined ? [] : [{ name, entry }];
  });
  named.sort(({ name: a }, { name: b }) => a.index - b.index || a.offset - b.offset);
  const byIndex = new Map<Index, Segment[]>();
  let home: RecordHome | undefined;
  let notBeforeMs = -Infinity;
  for (let slot = 0; slot < named.length;) {
    const { index, offset } = named[slot]?.name ?? {};
    let preferred: typeof named[number] | undefined;
    for (let one = named[slot]; one?.name.index === index && one?.name.offset === offset; one = named[++slot]) {
      if (one !== undefined && isPreferred(one.name.encoding, preferred?.name)) preferred = one;
    }
    if (preferred === undefined || index === undefined || offset === undefined) break;
    if (home?.index !== index) home = { generation, index }; // One for all of them.
    const segment = objectOf(preferred.entry, preferred.name.encoding, home);
    notBeforeMs = Math.max(notBeforeMs, segment.createdAtMs);
    const ofIndex = byIndex.get(index);
    const placed = Object.assign(segment, { offset, notBeforeMs });
    if (ofIndex === undefined) byIndex.set(index, [placed]);
    else ofIndex.push(placed);
  }
  return byIndex;
}

/** The raw file is what a compressed one was made from, and is removed only when that one is whole. */
function isPreferred(encoding: ObjectEncoding, other: object | undefined): boolean {
  return other === undefined || encoding === "none";
}

function objectOf(entry: Placed, encoding: ObjectEncoding, home: RecordHome): ListedSnapshot {
  const { key, kind, size: sizeBytes, modifiedAtMs: createdAtMs } = entry;
  const instead = entry.oddity ?? (kind === "folder" ? "a folder" : undefined);
  const { index } = home;
  return { home, index, key, encoding, sizeBytes, createdAtMs, ...(instead === undefined ? {} : { instead }) };
}
