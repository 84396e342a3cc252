import { formatIndex, type Index } from "../position/position.ts";
import type { CommandContext } from "./command.ts";
import { indexMembers, type Listing, runListing, timeCell, timeMember, UNKNOWN, wantedGeneration } from "./listing.ts";

interface WalRow {
  readonly replica: string;
  readonly generation: string;
  readonly index: Index;
  readonly bytes: number;
  readonly end: number | undefined;
  readonly records: number;
  readonly isClosed: boolean;
  readonly lastMs: number | undefined;
  readonly problem: string | undefined;
}

const LISTING: Listing<WalRow> = {
  member: "wal",
  schemaVersion: 1,
  columns: [
    { title: "replica" },
    { title: "generation" },
    { title: "index" },
    { title: "size", align: "right" },
    { title: "end", align: "right" },
    { title: "records", align: "right" },
    { title: "closed" },
    { title: "last" },
    { title: "problem" },
  ],
  rowsOf: ({ name }, { generation, wals }) =>
    wals.map((entry) => ({
      replica: name,
      generation,
      index: entry.index,
      bytes: entry.sizeBytes,
      end: entry.lastRecord?.end,
      records: entry.recordCount,
      isClosed: entry.lastRecord?.indexClosed === true,
      lastMs: entry.lastRecord?.capturedAtMs,
      problem: entry.recordProblem,
    })),
  cellsOf: (row) => [
    row.replica,
    row.generation,
    formatIndex(row.index),
    String(row.bytes),
    String(row.end ?? UNKNOWN),
    String(row.records),
    row.isClosed ? "yes" : "no",
    timeCell(row.lastMs),
    row.problem ?? "",
  ],
  documentOf: (row) => ({
    replica: row.replica,
    generation: row.generation,
    ...indexMembers(row.index),
    bytes: row.bytes,
    end: row.end ?? null,
    records: row.records,
    closed: row.isClosed,
    last_captured_at: timeMember(row.lastMs),
    problem: row.problem ?? null,
  }),
};

export function run(context: CommandContext): Promise<number> {
  return runListing(context, LISTING, wantedGeneration(context));
}
