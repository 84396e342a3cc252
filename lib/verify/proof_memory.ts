/**
 * What is known of a replica by the runs of `verify`, kept in the state folder of its database as `proof-<crc of place>`, a
 * JSON object: the place, and a `ProofMemory`. `rememberRun()` alone makes the next memory of the one before; whoever wants to
 * know whether the replica is proven asks `newestSuccess()` and `standingFailure()`, never a single run. Runs may go on side
 * by side: each says what stood when it began, and one at a time, by a lock on `proofs.lock`, makes a next memory.
 */
import { checksumName } from "../base/crc32c.ts";
import { ExitCode, ReplicationError, worstExitCode } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { replaceFile } from "../platform/atomic_write.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileLock, FileSystem } from "../platform/file_system.ts";
import { withOwner } from "../platform/owned_files.ts";
import type { Platform } from "../platform/platform.ts";
import { formatPosition, parsePosition, type Position } from "../position/position.ts";
import type { CheckValues } from "./check.ts";
import { exitCodeFor, outcomeOf } from "./judgement.ts";
import {
  type Outcome,
  OUTCOMES,
  type ReplicaReport,
  type Rung,
  RUNG_OUTCOMES,
  type RungOutcome,
  RUNGS,
} from "./report.ts";

/** Of the document: one of another version is taken for none, and the replica for never verified. */
const VERSION = 2;
const LOCK_AGAIN_MS = 10;

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
 * The memory after a run that began when `known` stood. A failure goes when a run that is as deep tells anew: it passes, or it
 * is the failure that stands from then on. What was found while it ran, it may have read before it broke. A run that told
 * nothing changes nothing. PURE.
 */
export function rememberRun(
  memory: ProofMemory | undefined,
  run: KeptRun,
  known: readonly KeptRun[] = memory?.failures ?? [],
): ProofMemory | undefined {
  if (run.outcome === "inconclusive") return memory;
  const failures = memory?.failures ?? [];
  const before = new Set(known.map((failure) => JSON.stringify(failure)));
  const standing = failures.filter((failure) => !before.has(JSON.stringify(failure)) || !isAsDeep(run, failure));
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
    const path = pathOf(statePath, place);
    const file = files.linkStatus(path);
    if (file?.kind !== "file" || file.size > limits.proofMaxBytes) return undefined; // Whose end may never come.
    const kept = JSON.parse(files.readText(path) ?? "null");
    return kept?.version === VERSION && kept.place === place && isMemory(kept.memory) ? kept.memory : undefined;
  } catch {
    return undefined;
  }
}

export interface ProofHome {
  readonly statePath: string;
  readonly place: string;
  readonly userId: number | undefined;
}

/**
 * Does nothing where there is no state folder: only the daemon makes one. As root, what is made is the folder's owner's.
 * `known`: the failures that stood when the run began.
 */
export async function rememberProof(
  { files, clock }: Pick<Platform, "files" | "clock">,
  { statePath, place, userId }: ProofHome,
  run: KeptRun,
  known: readonly KeptRun[],
): Promise<void> {
  const folder = files.linkStatus(statePath);
  if (folder?.kind !== "folder") return;
  const own = userId === 0 ? withOwner(files, folder.owner, folder.group) : files;
  const lock = await takeLock(own, clock, `${statePath}/proofs.lock`);
  try {
    const memory = rememberRun(recallProof(files, statePath, place), run, known);
    if (memory === undefined) return;
    const text = `${JSON.stringify({ version: VERSION, place, memory })}\n`;
    await replaceFile(own, pathOf(statePath, place), new TextEncoder().encode(text));
  } finally {
    lock.release();
  }
}

/** Another run has it for as long as it takes to write a small file, unless it is stopped. */
async function takeLock(files: FileSystem, clock: Clock, path: string): Promise<FileLock> {
  for (const start = clock.monotonicMs(); clock.monotonicMs() - start < limits.daemonAnswerMs;) {
    const lock = files.tryLock(path);
    if (lock !== undefined) return lock;
    await clock.sleep(LOCK_AGAIN_MS);
  }
  throw new ReplicationError("busy", `Cannot lock ${path}: another process has it (does a verification hang?)`);
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
  const isAbsentOrSuccess = (run: unknown) => run === undefined || (isRun(run) && hasRestoredAndCompared(run));
  return isRun(memory?.last) && isAbsentOrSuccess(memory.success) && isAbsentOrSuccess(memory.inside) &&
    Array.isArray(memory.failures) && memory.failures.every((run) => isRun(run) && run.outcome === "fail");
}

function isRun(value: unknown): value is KeptRun {
  const run = value as Partial<KeptRun> | null | undefined;
  if (run === undefined || run === null) return false;
  const isTextOrAbsent = (text: unknown) => text === undefined || typeof text === "string";
  return isTime(run.atMs) && OUTCOMES.includes(run.outcome as Outcome) &&
    (run.reached === undefined || RUNGS.includes(run.reached)) &&
    isRecord(
      run.rungs,
      (outcome, rung) => RUNGS.includes(rung as Rung) && RUNG_OUTCOMES.includes(outcome as Outcome),
    ) &&
    isTextOrAbsent(run.slice) && typeof run.isAgainstLive === "boolean" &&
    (run.proven === undefined || isPoint(run.proven)) &&
    (run.failedPoints === undefined || (Array.isArray(run.failedPoints) && run.failedPoints.every(isPosition))) &&
    isTextOrAbsent(run.schema) && isRecord(run.values, Number.isFinite) && isTextOrAbsent(run.problem);
}

function isPoint(value: Partial<KeptRun["proven"]> | null): boolean {
  return isPosition(value?.position) && isTime(value?.capturedAtMs);
}

function isPosition(value: unknown): boolean {
  return typeof value === "string" && parsePosition(value) !== undefined;
}

/** One that a calendar has. */
function isTime(value: unknown): boolean {
  return typeof value === "number" && !Number.isNaN(new Date(value).getTime());
}

function isRecord(value: unknown, isMember: (value: unknown, name: string) => boolean): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.entries(value).every(([name, member]) => isMember(member, name));
}

function pathOf(statePath: string, place: string): string {
  return `${statePath}/proof-${checksumName(place)}`;
}
