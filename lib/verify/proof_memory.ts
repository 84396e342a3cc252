/**
 * What `verify` found of a replica, kept in the state folder of its database as `proof-<crc of place>`, a JSON object: the
 * place, the last run, and the last one that proved the replica.
 */
import { checksumName } from "../base/crc32c.ts";
import { replaceFile } from "../platform/atomic_write.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { withOwner } from "../platform/owned_files.ts";
import { formatPosition } from "../position/position.ts";
import type { CheckValues } from "./check.ts";
import { type Outcome, OUTCOMES, type ReplicaReport, type Rung, RUNGS } from "./report.ts";

export interface KeptRun {
  readonly atMs: number;
  readonly outcome: Outcome;
  /** The highest rung that was reached; absent when none was. */
  readonly reached?: Rung;
  /** The newest point that was proven, as text, and when it was captured; absent when none was. */
  readonly proven?: { readonly position: string; readonly capturedAtMs: number };
  /** Of the restored database; absent when nobody looked into it. */
  readonly schema?: string;
  /** The numbers that checks gave. */
  readonly values: CheckValues;
  /** What was wrong first; absent when nothing was. */
  readonly problem?: string;
}

export interface ProofMemory {
  readonly last: KeptRun;
  readonly lastPass?: KeptRun;
}

/** Undefined when the replica at that place was never verified, or what is kept is none of ours. */
export function recallProof(files: FileSystem, statePath: string, place: string): ProofMemory | undefined {
  try {
    const kept = JSON.parse(files.readText(pathOf(statePath, place)) ?? "null");
    if (kept?.place !== place || !isRun(kept.last)) return undefined;
    return isRun(kept.lastPass) ? { last: kept.last, lastPass: kept.lastPass } : { last: kept.last };
  } catch {
    return undefined;
  }
}

/** Does nothing where there is no state folder: only the daemon makes one. As root, what is made is the folder's owner's. */
export async function rememberProof(
  files: FileSystem,
  statePath: string,
  place: string,
  run: KeptRun,
  userId: number | undefined,
): Promise<void> {
  const folder = files.linkStatus(statePath);
  if (folder?.kind !== "folder") return;
  const lastPass = run.outcome === "pass" ? run : recallProof(files, statePath, place)?.lastPass;
  const text = `${JSON.stringify({ place, last: run, lastPass })}\n`;
  const own = userId === 0 ? withOwner(files, folder.owner, folder.group) : files;
  await replaceFile(own, pathOf(statePath, place), new TextEncoder().encode(text));
}

export function keptRunOf(report: ReplicaReport, atMs: number): KeptRun {
  const { outcome, reached, proven, schema, values, findings } = report;
  const problem = findings[0]?.problem;
  return {
    atMs,
    outcome,
    ...(reached === undefined ? {} : { reached }),
    ...(proven === undefined
      ? {}
      : { proven: { position: formatPosition(proven.position), capturedAtMs: proven.capturedAtMs } }),
    ...(schema === undefined ? {} : { schema }),
    values,
    ...(problem === undefined ? {} : { problem }),
  };
}

function isRun(value: unknown): value is KeptRun {
  const run = value as Partial<KeptRun> | null | undefined;
  return Number.isFinite(run?.atMs) && OUTCOMES.includes(run?.outcome as Outcome) &&
    (run?.reached === undefined || RUNGS.includes(run.reached)) &&
    typeof run?.values === "object" && run.values !== null;
}

function pathOf(statePath: string, place: string): string {
  return `${statePath}/proof-${checksumName(place)}`;
}
