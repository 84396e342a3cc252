import { formatPosition } from "../position/position.ts";
import type { GenerationCatalog } from "../store/generation_store.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import type { CommandContext } from "./command.ts";
import { type Listing, runListing, timeCell, timeMember } from "./listing.ts";

interface GenerationRow {
  readonly replica: string;
  readonly generation: string;
  readonly snapshots: number;
  readonly indexes: number;
  /** Of the first snapshot that is whole: nothing older can be restored. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  readonly end: string | undefined;
  readonly bytes: number;
}

const LISTING: Listing<GenerationRow> = {
  member: "generations",
  schemaVersion: 1,
  columns: [
    { title: "replica" },
    { title: "generation" },
    { title: "snapshots", align: "right" },
    { title: "indexes", align: "right" },
    { title: "start" },
    { title: "end" },
    { title: "size", align: "right" },
  ],
  rowsOf: ({ name }, catalog) => [{ replica: name, ...summaryOf(catalog) }],
  cellsOf: (row) => [
    row.replica,
    row.generation,
    String(row.snapshots),
    String(row.indexes),
    timeCell(row.firstMs),
    timeCell(row.lastMs),
    String(row.bytes),
  ],
  documentOf: (row) => ({
    replica: row.replica,
    generation: row.generation,
    snapshots: row.snapshots,
    indexes: row.indexes,
    start: timeMember(row.firstMs),
    end: timeMember(row.lastMs),
    position: row.end ?? null,
    bytes: row.bytes,
  }),
};

export function run(context: CommandContext): Promise<number> {
  return runListing(context, LISTING);
}

function summaryOf(catalog: GenerationCatalog): Omit<GenerationRow, "replica"> {
  const { generation, snapshots, wals } = catalog;
  const whole = snapshots.filter((entry) => snapshotState(catalog, entry).kind === "whole");
  const points = [
    ...whole.map(({ index, stateIndex = index, record }) => ({ index: stateIndex, record })),
    ...wals.map(({ index, lastRecord }) => ({ index, record: lastRecord })),
  ].flatMap(({ index, record }) =>
    record === undefined ? [] : [{ index, offset: record.end, ms: record.capturedAtMs }]
  );
  const last = points.toSorted((a, b) => a.index - b.index || a.offset - b.offset).at(-1);
  return {
    generation,
    snapshots: whole.length,
    indexes: wals.length,
    firstMs: whole[0]?.record?.capturedAtMs,
    lastMs: last?.ms,
    end: last && formatPosition({ generation, ...last }),
    bytes: [...snapshots, ...wals].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}
