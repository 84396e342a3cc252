import { type Generation, parseGeneration } from "../../lib/position/generation.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import type { GenerationFacts } from "../../lib/restore/history.ts";
import { indexesToRead, isInRecords } from "../../lib/restore/resolve.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationCatalog, SnapshotEntry, WalEntry } from "../../lib/store/generation_store.ts";

export const PAGE_SIZE = 512;
/** Of the database, as each record says that is not made otherwise. */
const RECORDED_PAGES = 9;
const FRAME_BYTES = PAGE_SIZE + 24;

/** The offset after so many frames of the builder's page size. */
export function after(frames: number): number {
  return frames === 0 ? 0 : 32 + frames * FRAME_BYTES;
}

export function asGeneration(text: string): Generation {
  const generation = parseGeneration(text);
  if (generation === undefined) throw new Error(`"${text}" is no generation`);
  return generation;
}

export interface WalSpec {
  readonly index: number;
  /** One record for each: how many frames stand before its end, and when it was captured. */
  readonly records?: readonly (readonly [frames: number, atMs: number])[];
  readonly closedMs?: number;
  /** What is different from what the records say. */
  readonly entry?: Partial<WalEntry>;
  /** How many of the records can be read, when not all. */
  readonly readable?: number;
}

export interface SnapshotSpec {
  readonly index: number;
  /** In the litestream layout: the index that `frames` speaks of. */
  readonly stateIndex?: number;
  /** Written by Litestream: no position, but a time. */
  readonly isPeers?: boolean;
  readonly frames?: number;
  readonly atMs: number;
  readonly pages?: number;
  readonly checksum?: Uint8Array;
  readonly entry?: Partial<SnapshotEntry>;
  readonly isIncomplete?: boolean;
  /** Why its record cannot be read. */
  readonly damage?: string;
}

export interface GenerationSpec {
  readonly layout?: Layout;
  readonly generation?: string;
  readonly snapshots: readonly SnapshotSpec[];
  readonly wals?: readonly WalSpec[];
  readonly unrecorded?: { readonly frames: number };
  readonly unfinishedAtMs?: number;
}

/** What a replica would be found to hold; only what matters to a test is said. */
export function someFacts(spec: GenerationSpec, target: RestoreTarget = { kind: "latest" }): GenerationFacts {
  const wals = spec.wals ?? [];
  const catalog: GenerationCatalog = {
    layout: spec.layout ?? "raw",
    generation: asGeneration(spec.generation ?? "00000000000000aa"),
    snapshots: spec.snapshots.map((snapshot) => snapshotEntry(snapshot, spec.layout)),
    wals: wals.map(walEntry),
    ...(spec.unfinishedAtMs === undefined ? {} : { unfinishedAtMs: spec.unfinishedAtMs }),
  };
  const read = readFor(catalog, target, wals);
  return {
    catalog,
    ...(spec.unrecorded === undefined ? {} : {
      unrecorded: {
        offset: asOffset(after(spec.unrecorded.frames)),
        pageSize: PAGE_SIZE,
        databasePages: RECORDED_PAGES,
      },
    }),
    ...(read === undefined ? {} : { records: read }),
  };
}

function readFor(catalog: GenerationCatalog, target: RestoreTarget, wals: readonly WalSpec[]) {
  let read: GenerationFacts["records"];
  for (const index of indexesToRead(catalog, target)) {
    const wal = wals.find((one) => one.index === index);
    if (wal === undefined) return read;
    read = { index, records: recordsOf(wal).slice(0, wal.readable) };
    if (isInRecords(read.records, target)) break;
  }
  return read;
}

function snapshotEntry(
  spec: SnapshotSpec,
  layout: Layout = "raw",
): SnapshotEntry {
  const { index, frames = 0, atMs, entry = {}, isIncomplete, damage, checksum } = spec;
  const { pages = frames === 0 ? 4 : RECORDED_PAGES } = spec;
  const { stateIndex = index, isPeers } = spec;
  const offset = after(frames);
  const basis = { index: asIndex(index), sizeBytes: pages * PAGE_SIZE, createdAtMs: atMs };
  if (isIncomplete === true) return { ...basis, recordProblem: "its record is missing", recordMissing: true };
  if (damage !== undefined) return { ...basis, recordProblem: damage, ...entry };
  return {
    ...basis,
    record: {
      ...aRecord(offset, offset, atMs),
      kind: "snapshot",
      databasePages: pages,
      ...(checksum === undefined ? {} : { checksum }),
    },
    ...(layout === "raw" ? {} : { stateIndex: asIndex(stateIndex), imageBytes: pages * PAGE_SIZE }),
    ...(isPeers === true ? { isPeers } : {}),
    ...entry,
  };
}

function walEntry(spec: WalSpec): WalEntry {
  const records = recordsOf(spec);
  const lastRecord = records.at(-1);
  return {
    index: asIndex(spec.index),
    sizeBytes: lastRecord?.end ?? 0,
    createdAtMs: lastRecord?.capturedAtMs ?? 0,
    recordCount: records.length,
    ...(lastRecord === undefined ? {} : { lastRecord }),
    ...spec.entry,
  };
}

function recordsOf({ records = [], closedMs }: WalSpec): CommitRecord[] {
  let start = 0;
  const made = records.map(([frames, atMs]) => {
    const record = aRecord(start, after(frames), atMs);
    start = record.end;
    return record;
  });
  return closedMs === undefined ? made : [...made, { ...aRecord(start, start, closedMs), indexClosed: true }];
}

function aRecord(start: number, end: number, capturedAtMs: number): CommitRecord {
  return {
    kind: "sync",
    pageSize: PAGE_SIZE,
    start: asOffset(start),
    end: asOffset(end),
    capturedAtMs,
    databasePages: RECORDED_PAGES,
    capturedLate: false,
    indexClosed: false,
  };
}
