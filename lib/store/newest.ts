import type { GenerationCatalog } from "./generation_store.ts";

/** The newest moment that anything in a generation speaks of, restorable or not; -Infinity for an empty one. */
export function newestInCatalogMs({ wals, snapshots }: GenerationCatalog): number {
  const entries = [...wals.map((wal) => ({ ...wal, record: wal.lastRecord })), ...snapshots];
  const recorded = entries.flatMap(({ record }) => record?.capturedAtMs ?? []);
  // Times of files change when a replica is copied: they count only where there is nothing else.
  const times = recorded.length > 0 ? recorded : entries.map(({ createdAtMs }) => createdAtMs);
  return times.reduce((newest, time) => Math.max(newest, time), -Infinity);
}
