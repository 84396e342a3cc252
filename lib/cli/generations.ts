import { isFuture } from "../base/future.ts";
import { formatDuration } from "../config/duration.ts";
import type { Platform } from "../platform/platform.ts";
import { formatPosition, type Position } from "../position/position.ts";
import type { GenerationCatalog } from "../store/generation_store.ts";
import { recordedEnd } from "../store/newest.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import type { CommandContext } from "./command.ts";
import { changedAtMs } from "../daemon/last_change.ts";
import { type Listing, runListing, timeCell, timeMember, UNKNOWN } from "./listing.ts";

interface GenerationRow {
  readonly replica: string;
  readonly generation: string;
  readonly snapshots: number;
  readonly indexes: number;
  /** Of the first snapshot that is whole: nothing older can be restored. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
  /** How much later than `lastMs` the database changed; of a URL, what time it is. */
  readonly lagMs: number | undefined;
  readonly end: Position | undefined;
  readonly bytes: number;
}

const listingAt = ({ clock, files }: Pick<Platform, "clock" | "files">): Listing<GenerationRow> => ({
  member: "generations",
  schemaVersion: 1,
  columns: [
    { title: "replica" },
    { title: "generation" },
    { title: "snapshots", align: "right" },
    { title: "indexes", align: "right" },
    { title: "lag", align: "right" },
    { title: "start" },
    { title: "end" },
    { title: "size", align: "right" },
  ],
  rowsOf: ({ name }, catalog, database) => {
    const summary = summaryOf(catalog);
    const nowMs = clock.now().getTime();
    const changedMs = database === undefined ? nowMs : changedAtMs(files, database.path);
    return [{ replica: name, ...summary, lagMs: lagOf(summary.lastMs, changedMs, nowMs) }];
  },
  cellsOf: (row) => [
    row.replica,
    row.generation,
    String(row.snapshots),
    String(row.indexes),
    row.lagMs === undefined ? UNKNOWN : formatDuration(rounded(row.lagMs)),
    timeCell(row.firstMs),
    timeCell(row.lastMs),
    String(row.bytes),
  ],
  documentOf: (row) => ({
    replica: row.replica,
    generation: row.generation,
    snapshots: row.snapshots,
    indexes: row.indexes,
    lag_ms: row.lagMs ?? null,
    start: timeMember(row.firstMs),
    end: timeMember(row.lastMs),
    position: row.end === undefined ? null : formatPosition(row.end),
    bytes: row.bytes,
  }),
});

export function run(context: CommandContext): Promise<number> {
  return runListing(context, listingAt(context.platform));
}

/** What one generation of a replica amounts to. */
export function summaryOf(catalog: GenerationCatalog): Omit<GenerationRow, "replica" | "lagMs"> {
  const { generation, snapshots, wals } = catalog;
  const whole = snapshots.filter((entry) => snapshotState(catalog, entry).kind === "whole");
  const end = recordedEnd(catalog);
  return {
    generation,
    snapshots: whole.length,
    indexes: wals.length,
    firstMs: whole[0]?.record?.capturedAtMs,
    lastMs: end?.capturedAtMs,
    end: end?.position,
    bytes: [...snapshots, ...wals].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** Unknown where the newest time lies in the future: it says nothing of how new the state is. */
export function lagOf(
  lastMs: number | undefined,
  changedMs: number | undefined,
  nowMs: number,
): number | undefined {
  if (lastMs === undefined || changedMs === undefined || isFuture(lastMs, nowMs)) return undefined;
  return Math.max(0, Math.round(changedMs - lastMs));
}

/** Three digits at most say what a person wants to know. */
export function rounded(ms: number): number {
  const step = ms >= 10_000 ? 1_000 : ms >= 1_000 ? 100 : 1;
  return Math.floor(ms / step) * step;
}
