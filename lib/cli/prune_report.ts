/** What `prune` did or would do: as a table, and as a document of `--json`. */
import type { ReplicaConfig } from "../config/config.ts";
import type { Generation } from "../position/generation.ts";
import { formatIndex, type Index } from "../position/position.ts";
import type { DeletionOutcome } from "../replica/retention.ts";
import type { Deletion, Kept, RetentionPlan, RetentionPolicy } from "../replica/retention_plan.ts";
import { formatAmount } from "./amounts.ts";
import { indexMembers, UNKNOWN } from "./listing.ts";
import { type Column, formatTable } from "./table.ts";

export interface PrunedReplica {
  readonly replica: ReplicaConfig;
  readonly policy: RetentionPolicy;
  readonly own: Generation | undefined;
  readonly plan: RetentionPlan;
  /** Of the plan's deletions, in their order, as far as it got. */
  readonly outcomes: DeletionOutcome[];
  readonly isEmpty: boolean;
}

/** One line: an object, or a range of indexes with one fate and one reason. */
interface Row {
  readonly replica: string;
  readonly fate: "delete" | "deleted" | "skipped" | "not done" | "keep";
  readonly kind: Deletion["kind"];
  readonly generation: Generation;
  readonly first?: Index;
  readonly last?: Index;
  readonly sizeBytes: number;
  readonly reason: string;
}

const COLUMNS: readonly Column[] = [
  { title: "replica" },
  { title: "fate" },
  { title: "object" },
  { title: "generation" },
  { title: "index" },
  { title: "size", align: "right" },
  { title: "reason" },
];

/** What is kept stands in it for a dry run only. */
export function pruneTable(pruned: readonly PrunedReplica[], isDryRun: boolean): string {
  const rows = pruned.flatMap((one) => rowsOf(one, isDryRun));
  return rows.length === 0 ? "" : formatTable(COLUMNS, rows.map(cellsOf));
}

function rowsOf({ replica: { name }, plan, outcomes }: PrunedReplica, isDryRun: boolean): Row[] {
  const deletions = plan.deletions.map((deletion, slot): Row => {
    const outcome = outcomes[slot];
    const fate = isDryRun ? "delete" : outcome?.kind ?? "not done";
    const reason = outcome?.kind === "skipped" ? outcome.reason : deletion.reason;
    return { ...deletion, ...rangeOf(deletion), replica: name, fate, reason };
  });
  const kept = plan.kept.map((one): Row => ({ ...one, replica: name, fate: "keep" }));
  return [...joined(deletions), ...(isDryRun ? kept : [])];
}

function rangeOf(deletion: Deletion): { readonly first?: Index; readonly last?: Index } {
  return deletion.kind === "generation" ? {} : { first: deletion.index, last: deletion.index };
}

function joined(rows: readonly Row[]): Row[] {
  const ranges: Row[] = [];
  for (const row of rows) {
    const before = ranges.at(-1);
    if (before !== undefined && row.last !== undefined && before.last !== undefined && isAlike(before, row)) {
      ranges[ranges.length - 1] = { ...before, last: row.last, sizeBytes: before.sizeBytes + row.sizeBytes };
    } else {
      ranges.push(row);
    }
  }
  return ranges;
}

function isAlike(a: Row, b: Row): boolean {
  return a.kind === b.kind && a.generation === b.generation && a.fate === b.fate && a.reason === b.reason;
}

function cellsOf({ replica, fate, kind, generation, first, last, sizeBytes, reason }: Row): string[] {
  const index = first === undefined || last === undefined
    ? UNKNOWN
    : first === last
    ? formatIndex(first)
    : `${formatIndex(first)} to ${formatIndex(last)}`;
  return [replica, fate, kind, generation, index, formatAmount(sizeBytes), reason];
}

/** `Replica file: removed 5 objects of 6 (1.2 MB)`. */
export function summaryLine({ replica, plan, outcomes }: PrunedReplica, isDryRun: boolean): string {
  const done = isDryRun
    ? plan.deletions
    : outcomes.filter(({ kind }) => kind === "deleted").map(({ deletion }) => deletion);
  const bytes = formatAmount(done.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  if (plan.deletions.length === 0) return `Replica ${replica.name}: nothing to remove`;
  const of = done.length === plan.deletions.length ? "" : ` of ${plan.deletions.length}`;
  const objects = done.length === 1 && of === "" ? "1 object" : `${done.length}${of} objects`;
  return `Replica ${replica.name}: ${isDryRun ? "would remove" : "removed"} ${objects}, ${bytes}`;
}

export function pruneNotes({ replica: { name }, own, plan, policy, isEmpty }: PrunedReplica): string[] {
  const isOn = policy.retentionMs > 0;
  const due = plan.snapshotDue;
  return [
    ...(isOn && own === undefined && !isEmpty
      ? [`replica ${name}: no generation is known to be this host's, so only whole ones that were abandoned can go`]
      : []),
    ...(due === undefined
      ? []
      : [`replica ${name}: a new snapshot is wanted, which replication makes (${due.reason})`]),
  ];
}

export function pruneDocument(pruned: readonly PrunedReplica[], isDryRun: boolean): Record<string, unknown> {
  return {
    dry_run: isDryRun,
    replicas: pruned.map(({ replica, policy, own, plan, outcomes }) => ({
      replica: replica.name,
      url: replica.url,
      retention_ms: policy.retentionMs,
      generation: own ?? null,
      snapshot_due: plan.snapshotDue?.reason ?? null,
      deletions: plan.deletions.map((deletion, slot) => deletionMembers(deletion, outcomes[slot], isDryRun)),
      kept: plan.kept.map(keptMembers),
    })),
  };
}

function deletionMembers(deletion: Deletion, outcome: DeletionOutcome | undefined, isDryRun: boolean) {
  const { kind, generation, sizeBytes, reason } = deletion;
  return {
    kind,
    generation,
    ...(deletion.kind === "generation" ? { index: null, index_hex: null } : indexMembers(deletion.index)),
    bytes: sizeBytes,
    reason,
    outcome: isDryRun ? "planned" : outcome?.kind ?? "not-done",
    skipped: outcome?.kind === "skipped" ? outcome.reason : null,
  };
}

function keptMembers(kept: Kept) {
  const { kind, generation, sizeBytes, reason } = kept;
  const range = kept.kind === "generation"
    ? { index: null, index_hex: null, last_index: null, last_index_hex: null }
    : {
      ...indexMembers(kept.first),
      last_index: kept.last,
      last_index_hex: formatIndex(kept.last),
    };
  return { kind, generation, ...range, bytes: sizeBytes, reason };
}
