import type { Generation } from "../position/generation.ts";
import { formatPosition } from "../position/position.ts";
import { factsOf, gatherRecords } from "../restore/gather.ts";
import { type Range, rangesOf, type RestorablePoint } from "../restore/ranges.ts";
import type { GenerationCatalog, GenerationStore } from "../store/generation_store.ts";
import { formatAmount } from "./amounts.ts";
import type { CommandContext } from "./command.ts";
import { type Listing, pointMember, runListing, timeCell, wantedGeneration } from "./listing.ts";
import { momentFrom } from "./restore_target.ts";

interface Row {
  readonly replica: string;
  readonly generation: Generation;
  /** `gap`: nothing between these two points can be restored. */
  readonly kind: "range" | "gap" | "before" | "after";
  readonly first: RestorablePoint;
  readonly last: RestorablePoint;
  readonly points: number;
  readonly late: readonly RestorablePoint[];
  readonly snapshots: number;
  readonly longestBytes: number;
}

const COLUMNS: Pick<Listing<Row>, "schemaVersion" | "member" | "columns" | "cellsOf" | "documentOf"> = {
  member: "points",
  schemaVersion: 1,
  columns: [
    { title: "replica" },
    { title: "generation" },
    { title: "kind" },
    { title: "from" },
    { title: "to" },
    { title: "points", align: "right" },
    { title: "late", align: "right" },
    { title: "snapshots", align: "right" },
    { title: "longest restore", align: "right" },
    { title: "last position" },
  ],
  cellsOf: ({ replica, generation, kind, first, last, points, late, snapshots, longestBytes }) => [
    replica,
    generation,
    kind,
    timeCell(first.capturedAtMs),
    timeCell(last.capturedAtMs),
    String(points),
    String(late.length),
    String(snapshots),
    kind === "range" ? formatAmount(longestBytes) : "",
    formatPosition({ generation, ...last }),
  ],
  documentOf: ({ replica, generation, kind, first, last, points, late, snapshots, longestBytes }) => ({
    replica,
    generation,
    kind,
    from: pointMember({ generation, ...first }, first.capturedAtMs),
    to: pointMember({ generation, ...last }, last.capturedAtMs),
    points,
    late: late.map((point) => pointMember({ generation, ...point }, point.capturedAtMs)),
    snapshots,
    longest_restore_bytes: longestBytes,
  }),
};

export function run(context: CommandContext): Promise<number> {
  const atMs = momentOf(context);
  const listing: Listing<Row> = {
    ...COLUMNS,
    rowsOf: async ({ name }, catalog, _database, store) => {
      const { generation } = catalog;
      const ranges = await rangesIn(catalog, store);
      return atMs === undefined ? rowsOf(name, generation, ranges) : rowsAround(name, generation, ranges, atMs);
    },
  };
  return runListing(context, listing, wantedGeneration(context));
}

async function rangesIn(catalog: GenerationCatalog, store: GenerationStore): Promise<Range[]> {
  return rangesOf(await factsOf(store, catalog, { kind: "latest" }), await gatherRecords(store, catalog));
}

function rowsOf(replica: string, generation: Generation, ranges: readonly Range[]): Row[] {
  return ranges.flatMap((range, slot): Row[] => {
    const { first, last, points, snapshots, longestBytes } = range;
    const late = points.filter(({ isLate }) => isLate);
    const row = { replica, generation, first, last, points: points.length, late, snapshots, longestBytes };
    const before = ranges[slot - 1]?.last;
    return [...(before === undefined ? [] : [gap(replica, generation, before, first)]), { ...row, kind: "range" }];
  });
}

function gap(replica: string, generation: Generation, first: RestorablePoint, last: RestorablePoint): Row {
  return { replica, generation, kind: "gap", first, last, points: 0, late: [], snapshots: 0, longestBytes: 0 };
}

/** The last point that is not later, and the first one that is. */
function rowsAround(replica: string, generation: Generation, ranges: readonly Range[], atMs: number): Row[] {
  const points = ranges.flatMap((range) => range.points);
  const found = [
    ["before", points.findLast(({ capturedAtMs }) => capturedAtMs <= atMs)],
    ["after", points.find(({ capturedAtMs }) => capturedAtMs > atMs)],
  ] as const;
  return found.flatMap(([kind, point]) => {
    if (point === undefined) return [];
    const late = point.isLate ? [point] : [];
    return [{ ...gap(replica, generation, point, point), kind, points: 1, late }];
  });
}

function momentOf({ arguments: arguments_, platform: { clock } }: CommandContext): number | undefined {
  const typed = arguments_.text("at");
  return typed === undefined ? undefined : momentFrom(typed, clock.now().getTime());
}
