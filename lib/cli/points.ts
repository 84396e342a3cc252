import type { Generation } from "../position/generation.ts";
import { expectReadable, factsOf, gatherRecords, withMoments } from "../restore/gather.ts";
import { formatIndex, formatPosition } from "../position/position.ts";
import { type GenerationFacts, wholeSnapshots } from "../restore/history.ts";
import { type Loss, type LossEnd, lossesOf, sparedSnapshots } from "../restore/losses.ts";
import { eachPoint, type Range, rangesOf, type RestorablePoint } from "../restore/ranges.ts";
import { formatAmount } from "./amounts.ts";
import type { CommandContext } from "./command.ts";
import { type Listing, pointMember, runListing, timeCell, wantedGeneration } from "./listing.ts";
import { momentFrom } from "./restore_target.ts";

interface Row {
  readonly replica: string;
  readonly generation: Generation;
  /** `gap`: nothing between these two points can be restored. `lost` and `unusable`: nor can this WAL, or this snapshot. */
  readonly kind: "range" | "gap" | "before" | "after" | Loss["kind"];
  readonly first: RestorablePoint;
  readonly last: RestorablePoint;
  readonly points: number;
  readonly late: readonly RestorablePoint[];
  readonly snapshots: number;
  readonly longestBytes: number;
  /** Of what cannot be restored. */
  readonly lostBytes?: number;
  /** Of a range: what is damaged and takes no point away. */
  readonly problem?: string;
  readonly mayBeLeft?: boolean;
}

const COLUMNS: Pick<
  Listing<Row>,
  "schemaVersion" | "member" | "columns" | "cellsOf" | "documentOf" | "damageOf" | "noteOf"
> = {
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
    { title: "lost", align: "right" },
    { title: "last position" },
  ],
  cellsOf: ({ replica, generation, kind, first, last, points, late, snapshots, longestBytes, lostBytes }) => [
    replica,
    generation,
    kind,
    timeCell(first.capturedAtMs),
    timeCell(last.capturedAtMs),
    String(points),
    String(late.length),
    String(snapshots),
    kind === "range" ? formatAmount(longestBytes) : "",
    lostBytes === undefined ? "" : formatAmount(lostBytes),
    formatPosition({ generation, ...last }),
  ],
  documentOf: ({ replica, generation, kind, first, last, points, late, snapshots, longestBytes, ...loss }) => ({
    replica,
    generation,
    kind,
    from: pointMember({ generation, ...first }, first.capturedAtMs),
    to: pointMember({ generation, ...last }, last.capturedAtMs),
    points,
    late: late.map((point) => pointMember({ generation, ...point }, point.capturedAtMs)),
    snapshots,
    longest_restore_bytes: longestBytes,
    lost_bytes: loss.lostBytes ?? 0,
    problem: loss.problem ?? null,
  }),
  damageOf: (row, rows) => {
    const { replica, generation, kind, problem, first, last, mayBeLeft } = row;
    if (kind === "range") return undefined;
    if (kind === "gap") {
      return `nothing between ${timeCell(first.capturedAtMs)} and ${timeCell(last.capturedAtMs)} can be restored`;
    }
    const others = rows.filter((other) => other.replica === replica);
    // Nothing of it can be restored, and of a newer one something can: a removal that was cut short leaves just that.
    const isOver = mayBeLeft === true &&
      !others.some((other) => other.generation === generation && other.kind === "range") &&
      others.some((other) => other.kind === "range" && other.last.capturedAtMs > last.capturedAtMs);
    return isOver ? undefined : problem;
  },
  noteOf: ({ kind, problem }) => kind === "range" ? problem : undefined,
};

export function run(context: CommandContext): Promise<number> {
  const atMs = momentOf(context);
  const listing: Listing<Row> = {
    ...COLUMNS,
    rowsOf: async ({ name }, catalog, _database, store) => {
      const { generation } = catalog;
      expectReadable("list the points of", [{ catalog }], store.description);
      const facts = await withMoments(store, await factsOf(store, catalog, { kind: "latest" }));
      const records = await gatherRecords(store, catalog);
      const ranges = rangesOf(facts, records);
      if (atMs !== undefined && ranges.length > 0) return rowsAround(name, generation, eachPoint(facts, records), atMs);
      const losses = lossesOf(facts, records, ranges).map((loss) => lossRow(name, generation, loss));
      return [...rowsOf(name, facts, ranges), ...losses];
    },
    withoutRows: (generation) => `generation ${generation} has no complete snapshot yet and cannot be restored`,
  };
  return runListing(context, listing, wantedGeneration(context));
}

function rowsOf(replica: string, facts: GenerationFacts, ranges: readonly Range[]): Row[] {
  const { generation } = facts.catalog;
  return ranges.flatMap((range, slot): Row[] => {
    const { first, last, points, late, snapshots, longestBytes } = range;
    const row = { replica, generation, first, last, points, late, snapshots, longestBytes };
    const before = ranges[slot - 1]?.last;
    const problem = sparedProblem(facts, range);
    return [
      ...(before === undefined ? [] : [gap(replica, generation, before, first)]),
      { ...row, kind: "range", ...(problem === undefined ? {} : { problem }) },
    ];
  });
}

function sparedProblem(facts: GenerationFacts, range: Range): string | undefined {
  const spared = sparedSnapshots(facts, range).map(({ problem, name }) => {
    const serving = wholeSnapshots(facts.catalog).findLast((whole) => whole.name < name);
    return serving === undefined ? problem : `${problem}; the snapshot of index ${formatIndex(serving.name)} serves`;
  });
  return spared.length === 0 ? undefined : spared.join(", and ");
}

function lossRow(replica: string, generation: Generation, loss: Loss): Row {
  const { kind, first, last, bytes, problem, mayBeLeft } = loss;
  const point = (end: LossEnd): RestorablePoint => ({ ...end, isLate: false, isBoundary: false });
  return { ...gap(replica, generation, point(first), point(last)), kind, lostBytes: bytes, problem, mayBeLeft };
}

function gap(replica: string, generation: Generation, first: RestorablePoint, last: RestorablePoint): Row {
  return { replica, generation, kind: "gap", first, last, points: 0, late: [], snapshots: 0, longestBytes: 0 };
}

/** The last point that is not later, and the first one that is. */
function rowsAround(
  replica: string,
  generation: Generation,
  points: Iterable<RestorablePoint>,
  atMs: number,
): Row[] {
  let [before, after]: (RestorablePoint | undefined)[] = [];
  for (const point of points) {
    if (point.capturedAtMs <= atMs) before = point;
    else after ??= point;
  }
  const found = [["before", before], ["after", after]] as const;
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
