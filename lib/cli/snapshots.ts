import { formatIndex, type Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import type { CommandContext } from "./command.ts";
import {
  indexMembers,
  type Listing,
  proofMembers,
  runListing,
  timeCell,
  timeMember,
  UNKNOWN,
  wantedGeneration,
} from "./listing.ts";

interface SnapshotRow {
  readonly replica: string;
  readonly generation: string;
  readonly index: Index;
  readonly record: CommitRecord | undefined;
  readonly bytes: number;
  readonly createdMs: number;
  readonly problem: string | undefined;
}

const LISTING: Listing<SnapshotRow> = {
  member: "snapshots",
  schemaVersion: 1,
  columns: [
    { title: "replica" },
    { title: "generation" },
    { title: "index" },
    { title: "offset", align: "right" },
    { title: "size", align: "right" },
    { title: "created" },
    { title: "state" },
  ],
  rowsOf: ({ name }, catalog) =>
    catalog.snapshots.map((entry) => {
      const state = snapshotState(catalog, entry);
      return {
        replica: name,
        generation: catalog.generation,
        index: entry.index,
        record: entry.record,
        bytes: entry.sizeBytes,
        createdMs: entry.record?.capturedAtMs ?? entry.createdAtMs,
        problem: state.kind === "whole" ? undefined : `${state.kind}: ${state.problem}`,
      };
    }),
  cellsOf: (row) => [
    row.replica,
    row.generation,
    formatIndex(row.index),
    String(row.record?.end ?? UNKNOWN),
    String(row.bytes),
    timeCell(row.createdMs),
    row.problem ?? "whole",
  ],
  documentOf: (row) => ({
    replica: row.replica,
    generation: row.generation,
    ...indexMembers(row.index),
    offset: row.record?.end ?? null,
    bytes: row.bytes,
    created_at: timeMember(row.createdMs),
    ...proofMembers(row.record),
    problem: row.problem ?? null,
  }),
};

export function run(context: CommandContext): Promise<number> {
  return runListing(context, LISTING, wantedGeneration(context));
}
