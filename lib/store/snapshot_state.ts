import { nameObject, type ObjectHome } from "../position/object_names.ts";
import { isPageSize } from "../wal/header.ts";
import { asOffset, type Index, type Offset } from "../position/position.ts";
import type { CommitRecord } from "./commit_record.ts";
import type { GenerationCatalog, SnapshotEntry } from "./generation_store.ts";

/** Whether a listed snapshot can be restored from. `problem` names the object and says what is expected. */
export type SnapshotState =
  | { readonly kind: "whole"; readonly record: CommitRecord }
  /** A crash left it, or it is being made just now; it may be made again. */
  | { readonly kind: "incomplete"; readonly problem: string }
  | { readonly kind: "corrupt"; readonly problem: string };

export function snapshotState(home: ObjectHome, entry: SnapshotEntry): SnapshotState {
  const { record, index, sizeBytes } = entry;
  const key = nameObject(home, index, "snapshot");
  if (record === undefined) {
    const problem = home.layout === "raw"
      ? `${entry.recordProblem ?? "its record is not there"} (expected one commit record beside ${key})`
      : entry.recordProblem ?? `${key} cannot be read`;
    return { kind: entry.recordMissing === true ? "incomplete" : "corrupt", problem };
  }
  const expected = record.pageSize * record.databasePages;
  if (home.layout === "raw" && sizeBytes !== expected) {
    return { kind: "corrupt", problem: `${key} has ${sizeBytes} bytes (expected ${expected}, as its record says)` };
  }
  if (!isPageSize(record.pageSize) && expected > 0) {
    return { kind: "corrupt", problem: `the record of ${key} has the impossible page size ${record.pageSize}` };
  }
  return { kind: "whole", record };
}

/** A snapshot that is there and cannot be restored from, though no crash leaves one like that. */
export interface DamagedSnapshot {
  /** The index it is named by. */
  readonly name: Index;
  /** Of the state that it would lead to; the beginning of its index where its record cannot be read. */
  readonly place: { readonly index: Index; readonly offset: Offset };
  readonly isPlaceKnown: boolean;
  readonly capturedAtMs: number;
  readonly sizeBytes: number;
  /** Names the object. */
  readonly problem: string;
}

export function damagedSnapshots(catalog: GenerationCatalog): readonly DamagedSnapshot[] {
  return catalog.snapshots.flatMap((entry) => {
    const { index, stateIndex = index, sizeBytes, createdAtMs, record, isUnread } = entry;
    const state = snapshotState(catalog, entry);
    if (state.kind !== "corrupt" || isUnread === true) return [];
    return [{
      name: index,
      place: record === undefined ? { index, offset: asOffset(0) } : { index: stateIndex, offset: record.end },
      isPlaceKnown: record !== undefined,
      capturedAtMs: record?.capturedAtMs ?? createdAtMs,
      sizeBytes,
      problem: state.problem,
    }];
  });
}
