import { formatIndex, type Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
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

interface WalRow {
  readonly replica: string;
  readonly generation: string;
  readonly index: Index;
  readonly bytes: number;
  readonly records: number;
  readonly last: CommitRecord | undefined;
  readonly problem: string | undefined;
}

const INDEXES: Listing<WalRow> = {
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
      records: entry.recordCount,
      last: entry.lastRecord,
      problem: entry.recordProblem,
    })),
  cellsOf: (row) => [
    row.replica,
    row.generation,
    formatIndex(row.index),
    String(row.bytes),
    String(row.last?.end ?? UNKNOWN),
    String(row.records),
    row.last?.indexClosed === true ? "yes" : "no",
    timeCell(row.last?.capturedAtMs),
    row.problem ?? "",
  ],
  documentOf: (row) => ({
    replica: row.replica,
    generation: row.generation,
    ...indexMembers(row.index),
    bytes: row.bytes,
    end: row.last?.end ?? null,
    records: row.records,
    closed: row.last?.indexClosed === true,
    last_captured_at: timeMember(row.last?.capturedAtMs),
    ...proofMembers(row.last),
    problem: row.problem ?? null,
  }),
};

interface RecordRow {
  readonly replica: string;
  readonly generation: string;
  readonly index: Index;
  readonly record: CommitRecord;
}

const RECORDS: Listing<RecordRow> = {
  member: "records",
  schemaVersion: 1,
  columns: [
    { title: "replica" },
    { title: "generation" },
    { title: "index" },
    { title: "end", align: "right" },
    { title: "kind" },
    { title: "captured" },
    { title: "late" },
    { title: "closed" },
    { title: "pages", align: "right" },
    { title: "checksum" },
  ],
  rowsOf: async ({ name }, { generation, wals }, _database, store) => {
    const rows: RecordRow[] = [];
    for (const { index } of wals) {
      for (const record of await store.records(generation, index)) {
        rows.push({ replica: name, generation, index, record });
      }
    }
    return rows;
  },
  cellsOf: ({ replica, generation, index, record }) => [
    replica,
    generation,
    formatIndex(index),
    String(record.end),
    record.kind,
    timeCell(record.capturedAtMs),
    record.capturedLate ? "yes" : "no",
    record.indexClosed ? "yes" : "no",
    String(record.databasePages),
    proofMembers(record).checksum ?? UNKNOWN,
  ],
  documentOf: ({ replica, generation, index, record }) => ({
    replica,
    generation,
    ...indexMembers(index),
    kind: record.kind,
    start: record.start,
    end: record.end,
    captured_at: timeMember(record.capturedAtMs),
    captured_late: record.capturedLate,
    closed: record.indexClosed,
    page_size: record.pageSize,
    database_pages: record.databasePages,
    ...proofMembers(record),
  }),
};

export function run(context: CommandContext): Promise<number> {
  const wanted = wantedGeneration(context);
  return context.arguments.isOn("records")
    ? runListing(context, RECORDS, wanted)
    : runListing(context, INDEXES, wanted);
}
