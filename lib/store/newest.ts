import type { Index, Position } from "../position/position.ts";
import type { CommitRecord } from "./commit_record.ts";
import type { GenerationCatalog } from "./generation_store.ts";
import { snapshotState } from "./snapshot_state.ts";

/** The end of what records say that a generation holds; nothing says that anything leads to it. */
export function recordedEnd(
  catalog: GenerationCatalog,
): { readonly position: Position; readonly capturedAtMs: number } | undefined {
  const { generation, snapshots, wals } = catalog;
  const whole = snapshots.filter((entry) => snapshotState(catalog, entry).kind === "whole");
  const entries = [...whole, ...wals.map((wal) => ({ ...wal, record: wal.lastRecord }))];
  const last = entries.flatMap(timeAndPlace).toSorted((a, b) => a.index - b.index || a.offset - b.offset).at(-1);
  return last && { position: { generation, index: last.index, offset: last.offset }, capturedAtMs: last.atMs };
}

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
