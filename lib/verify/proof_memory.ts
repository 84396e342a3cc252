/**
 * What is known of a replica by the runs of `verify`, kept in the state folder of its database as `proof-<crc of place>`, a
 * JSON object: the place, and a `ProofMemory`. `rememberRun()` alone makes the next memory of the one before; whoever wants to
 * know whether the replica is proven asks `newestSuccess()` and `standingFailure()`, never a single run.
 */
import { checksumName } from "../base/crc32c.ts";
import { ExitCode, worstExitCode } from "../base/errors.ts";
import { replaceFile } from "../platform/atomic_write.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { withOwner } from "../platform/owned_files.ts";
import { formatPosition, parsePosition, type Position } from "../position/position.ts";
import type { CheckValues } from "./check.ts";
import { exitCodeFor, outcomeOf } from "./judgement.ts";
import { type Outcome, OUTCOMES, type ReplicaReport, type Rung, type RungOutcome, RUNGS } from "./report.ts";

/** Of the document: one of another version is taken for none, and the replica for never verified. */
const VERSION = 2;

export interface KeptRun {
  readonly atMs: number;
  readonly outcome: Outcome;
  /** The highest rung that was reached; absent when none was. */
  readonly reached?: Rung;
  /** What came of each rung, as far as the run went. */
  readonly rungs: Readonly<Partial<Record<Rung, RungOutcome>>>;
  /** The part of all objects that was read whole, as it was asked for; absent: all of them. */
  readonly slice?: string;
  /** Whether the live database was compared with. */
  readonly isAgainstLive: boolean;
  /** The newest point that was proven, as text, and when it was captured; absent when none was. */
  readonly proven?: { readonly position: string; readonly capturedAtMs: number };
  /** Past points, as text, that could not be restored or were not equal. */
  readonly failedPoints?: readonly string[];
  /** Of the restored database; absent when nobody looked into it. */
  readonly schema?: string;
  /** The numbers that checks gave. */
  readonly values: CheckValues;
  /** What was wrong first; absent when nothing was. */
  readonly problem?: string;
  /** The exit code for all that was wrong; absent when nothing was, and of runs of a version that kept none. */
  readonly exitCode?: number;
}

export interface ProofMemory {
  /** The last run that told something, whatever it was. */
  readonly last: KeptRun;
  /** The last run that restored and compared. */
  readonly success?: KeptRun;
  /** The last success that also looked into the database: schema and numbers, for the next one to compare with. */
  readonly inside?: KeptRun;
  /** The failures that nothing has disproven yet, oldest first. */
  readonly failures: readonly KeptRun[];
}

/** When the replica was last restored and compared, and all was well; undefined: never. PURE. */
export function newestSuccess(memory: ProofMemory | undefined): KeptRun | undefined {
  return memory?.success;
}

/** Of the failures after which no run that is at least as deep has passed the worst, of several the newest. PURE. */
export function standingFailure(memory: ProofMemory | undefined): KeptRun | undefined {
  const failures = memory?.failures ?? [];
  const worst = worstExitCode(failures.map(exitCodeOfFailure));
  return failures.findLast((failure) => exitCodeOfFailure(failure) === worst);
}

const FAILURE_CODES: readonly number[] = [ExitCode.failed, ExitCode.nothingThere, ExitCode.stale];

/** Where none is kept, or none that a failure has, the worst. PURE. */
export function exitCodeOfFailure({ exitCode }: Pick<KeptRun, "exitCode">): number {
  return exitCode !== undefined && FAILURE_CODES.includes(exitCode) ? exitCode : ExitCode.corrupt;
}

/** Past points that failed, which the next run tries again as long as the replica has them. PURE. */
export function pointsToTryAgain(memory: ProofMemory | undefined): Position[] {
  const texts = new Set(memory?.failures.flatMap(({ failedPoints }) => failedPoints ?? []));
  return [...texts].flatMap((text) => parsePosition(text) ?? []);
}

/**
 * The memory after a run. A failure goes when a run that is as deep tells anew: it passes, or it is the failure that stands
 * from then on. A run that told nothing changes nothing. PURE.
 */
export function rememberRun(memory: ProofMemory | undefined, run: KeptRun): ProofMemory | undefined {
  if (run.outcome === "inconclusive") return memory;
  const failures = memory?.failures ?? [];
  const standing = failures.filter((failure) => !isAsDeep(run, failure));
  const isSuccess = hasRestoredAndCompared(run);
  const success = isSuccess ? run : memory?.success;
  const inside = isSuccess && run.schema !== undefined ? run : memory?.inside;
  return {
    last: run,
    ...(success === undefined ? {} : { success }),
    ...(inside === undefined ? {} : { inside }),
    failures: run.outcome === "fail" ? [...standing, withPointsOf(run, failures)] : standing,
  };
}

/** With nothing else to compare with, a restore of every byte is all that there can be. PURE. */
export function hasRestoredAndCompared({ outcome, rungs }: Pick<KeptRun, "outcome" | "rungs">): boolean {
  return outcome === "pass" && rungs.restore === "pass" && (rungs.equal === "pass" || rungs.equal === "not-available");
}

/** Whether the run went as far as the failure did: what that one left open passes now, or is open again. */
function isAsDeep(run: KeptRun, failure: KeptRun): boolean {
  const asked = RUNGS.filter((rung) => failure.rungs[rung] !== undefined);
  const open = asked.filter((rung) => isOpen(failure.rungs[rung]));
  return (open.length === 0 ? asked : open).every((rung) => {
    const now = run.rungs[rung];
    if (now === undefined) return false;
    if (rung === "intact") return run.slice === undefined || run.slice === failure.slice;
    if (rung !== "equal" || failure.rungs.equal !== "fail") return true;
    return now !== "not-available" && (run.isAgainstLive || !failure.isAgainstLive);
  });
}

/** Points that this run could not try again are still to be tried. */
function withPointsOf(run: KeptRun, failures: readonly KeptRun[]): KeptRun {
  if (run.rungs.restore === "pass" || run.rungs.restore === "fail") return run;
  const points = [...new Set([run, ...failures].flatMap(({ failedPoints }) => failedPoints ?? []))];
  return points.length === 0 ? run : { ...run, failedPoints: points };
}

function isOpen(outcome: RungOutcome | undefined): boolean {
  return outcome !== undefined && outcome !== "pass" && outcome !== "not-available";
}

/** Undefined when the replica at that place was never verified, or what is kept is none of ours. */
export function recallProof(files: FileSystem, statePath: string, place: string): ProofMemory | undefined {
  try {
    const kept = JSON.parse(files.readText(pathOf(statePath, place)) ?? "null");
    return kept?.version === VERSION && kept.place === place && isMemory(kept.memory) ? kept.memory : undefined;
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
  const memory = rememberRun(recallProof(files, statePath, place), run);
  if (memory === undefined) return;
  const text = `${JSON.stringify({ version: VERSION, place, memory })}\n`;
  const own = userId === 0 ? withOwner(files, folder.owner, folder.group) : files;
  await replaceFile(own, pathOf(statePath, place), new TextEncoder().encode(text));
}

/**
 * The run as it is kept; undefined when it says nothing of the replica: it was about a state that somebody chose, nothing
 * could be told, or a comparison was asked for that no run can make. PURE.
 */
export function keptRunOf(report: ReplicaReport, atMs: number): KeptRun | undefined {
  const { outcome, reached, rungs, proven, proofs, schema, values, findings, slice } = report;
  const faults = findings.filter((finding) => outcomeOf(finding) === "fail" && finding.code !== "no-checksum");
  if (report.about === "chosen state" || (outcome !== "pass" && faults.length === 0)) return undefined;
  const failedPoints = proofs.filter((proof) => proof.outcome === "fail").map(({ position }) =>
    formatPosition(position)
  );
  const [fault] = faults;
  return {
    atMs,
    outcome,
    ...(reached === undefined ? {} : { reached }),
    rungs: Object.fromEntries(rungs.map(({ rung, outcome }) => [rung, outcome])),
    ...(slice === undefined ? {} : { slice }),
    isAgainstLive: report.isAgainstLive,
    ...(proven === undefined
      ? {}
      : { proven: { position: formatPosition(proven.position), capturedAtMs: proven.capturedAtMs } }),
    ...(failedPoints.length === 0 ? {} : { failedPoints }),
    ...(schema === undefined ? {} : { schema }),
    values,
    ...(fault === undefined ? {} : { problem: fault.problem, exitCode: exitCodeFor(faults) }),
  };
}

function isMemory(value: unknown): value is ProofMemory {
  const memory = value as Partial<ProofMemory> | null | undefined;
  const isAbsentOrRun = (run: unknown) => run === undefined || isRun(run);
  return isRun(memory?.last) && isAbsentOrRun(memory.success) && isAbsentOrRun(memory.inside) &&
    Array.isArray(memory.failures) && memory.failures.every(isRun);
}

function isRun(value: unknown): value is KeptRun {
  const run = value as Partial<KeptRun> | null | undefined;
  if (run === undefined || run === null) return false;
  return Number.isFinite(run.atMs) && OUTCOMES.includes(run.outcome as Outcome) &&
    (run.reached === undefined || RUNGS.includes(run.reached)) && isObject(run.rungs) && isObject(run.values) &&
    (run.failedPoints === undefined || Array.isArray(run.failedPoints));
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function pathOf(statePath: string, place: string): string {
  return `${statePath}/proof-${checksumName(place)}`;
}
