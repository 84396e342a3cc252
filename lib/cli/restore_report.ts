/** What a restore says when it is done, or would do: for people and as documents of `--json`. */
import { formatIndex, formatPosition } from "../position/position.ts";
import type { Candidate } from "../restore/choose.ts";
import type { RestoreResult } from "../restore/restore.ts";
import { formatAge, formatAmount, formatTime } from "./amounts.ts";

export function resultLine(result: RestoreResult, nowMs: number): string {
  const { plan, replica, output, durationMs } = result;
  const took = `${formatAmount(plan.databaseBytes)} in ${(durationMs / 1_000).toFixed(1)} s`;
  const proof = result.checksum === "equal"
    ? "checksum equal to the source's"
    : "no checksum to compare with: the writer of the replica kept none of this state";
  return `Restored ${output} from replica ${replica.name}: ${describeEnd({ plan, replica }, nowMs)}, ${took}, ${proof}`;
}

export function planLines(candidate: Candidate, output: string, nowMs: number): string[] {
  const { plan, replica } = candidate;
  const { snapshot, steps } = plan;
  return [
    `Plan for ${output} from replica ${replica.name}: ${describeEnd(candidate, nowMs)}`,
    `  snapshot ${formatIndex(snapshot.index)}:${snapshot.offset}  ${formatAmount(snapshot.sizeBytes)}`,
    ...steps.map(({ index, from, to }) => `  wal      ${formatIndex(index)}  from ${from} to ${to}`),
    `  reads ${formatAmount(plan.plannedBytes)}, makes a database of ${formatAmount(plan.databaseBytes)}`,
    "  Only names and records were read: whether these bytes are whole shows when they are, as verify does.",
  ];
}

/** `<position>, the state of <time> (<age> ago)`. */
function describeEnd({ plan }: Candidate, nowMs: number): string {
  const { generation, end } = plan;
  const age = formatAge(nowMs - end.capturedAtMs);
  return `${formatPosition({ generation, ...end })}, the state of ${formatTime(end.capturedAtMs)} (${age} ago)`;
}

export function planDocument({ plan, replica }: Candidate, output: string): Record<string, unknown> {
  const { generation, end, snapshot, steps } = plan;
  return {
    output,
    replica: replica.name,
    generation,
    index: end.index,
    index_hex: formatIndex(end.index),
    offset: end.offset,
    position: formatPosition({ generation, ...end }),
    captured_at: formatTime(end.capturedAtMs),
    page_size: plan.pageSize,
    bytes: plan.databaseBytes,
    read_bytes: plan.plannedBytes,
    snapshot: {
      index: snapshot.index,
      index_hex: formatIndex(snapshot.index),
      offset: snapshot.offset,
      bytes: snapshot.sizeBytes,
    },
    wal: steps.map(({ index, from, to }) => ({ index, index_hex: formatIndex(index), from, to })),
    notices: plan.notices,
  };
}

export function resultDocument(result: RestoreResult): Record<string, unknown> {
  return {
    restored: true,
    ...planDocument(result, result.output),
    checksum: result.checksum,
    duration_ms: Math.round(result.durationMs),
    kept_as: result.keptAs ?? null,
  };
}
