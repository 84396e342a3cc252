import type { Index } from "../position/position.ts";
import type { CommitRecord } from "./commit_record.ts";
import type { GenerationCatalog } from "./generation_store.ts";

/**
 * The time of the newest that anything in a generation speaks of, restorable or not; -Infinity for an empty one. The newest
 * is so by its place: where a clock was ahead, what comes before it has later times.
 */
export function newestInCatalogMs({ wals, snapshots }: GenerationCatalog): number {
  const entries = [...wals.map((wal) => ({ ...wal, record: wal.lastRecord })), ...snapshots];
  const recorded = entries.flatMap(timeAndPlace).toSorted((a, b) => a.index - b.index || a.offset - b.offset);
  // Times of files change when a replica is copied: they count only where there is nothing else.
  return recorded.at(-1)?.atMs ??
    entries.reduce((newest, { createdAtMs }) => Math.max(newest, createdAtMs), -Infinity);
}

interface Recorded {
  readonly index: Index;
  readonly stateIndex?: Index;
  readonly record?: CommitRecord | undefined;
}

function timeAndPlace({ index, stateIndex = index, record }: Recorded) {
  return record === undefined ? [] : [{ index: stateIndex, offset: record.end, atMs: record.capturedAtMs }];
}
