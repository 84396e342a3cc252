/** What a verification says: for people, and as the document of `--format json` and `--report`. */
import { formatPosition } from "../position/position.ts";
import {
  askedFor,
  type Finding,
  type Outcome,
  type Proof,
  type ReplicaReport,
  type ReportedPoint,
  type VerifyReport,
} from "../verify/report.ts";
import { worstFinding } from "../verify/judgement.ts";
import { adviceLine } from "./advice.ts";
import { formatAge, formatAmount, formatTime } from "./amounts.ts";
import { placeMember, pointMember } from "./listing.ts";

/** What is wrong stands first. */
export function verifyLines(report: VerifyReport, nowMs: number, invocation: readonly string[]): string[] {
  const order: readonly Outcome[] = ["fail", "inconclusive", "pass"];
  const replicas = report.replicas.toSorted((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
  const lines = replicas.flatMap((replica) => replicaLines(replica, nowMs, invocation));
  if (report.seed !== undefined) lines.push(`Past points were chosen by --seed ${report.seed}`);
  return lines;
}

function replicaLines(report: ReplicaReport, nowMs: number, invocation: readonly string[]): string[] {
  const { outcome, newest, proven, rungs, findings, suspicions, proofs } = report;
  const worst = worstFinding(findings);
  const advice = worst?.advice ?? findings.find((finding) => finding.advice !== undefined)?.advice;
  const known = new Set(rungs.map(({ says }) => says));
  return [
    titleOf(report, worst),
    ...rungs.map((rung) => `  ${rung.rung.padEnd(9)} ${rung.outcome.padEnd(13)} ${rung.says}`),
    ...findings.filter(({ problem }) => !known.has(problem)).map((finding) => `  also: ${finding.problem}`),
    ...proofs.filter(({ why }) => why === "sample").map((proof) =>
      `  sample    ${proof.outcome.padEnd(13)} ${pointText(proof, nowMs)}`
    ),
    ...suspicions.map((suspicion) => `  note: ${suspicion}`),
    ...(outcome === "pass" ? [] : [
      `  ${upTo(report)}`,
      `  newest state: ${newest === undefined ? "unknown" : pointText(newest, nowMs)}`,
      `  newest state that was proven good: ${proven === undefined ? "none" : pointText(proven, nowMs)}`,
    ]),
    ...(advice === undefined ? [] : [`  ${adviceLine(advice, invocation)}`]),
    ...(worst === undefined || worst.code === "stale" ? recoveryLines(report) : []),
  ];
}

/** What is wrong, where anything is: nothing stands above it that could be taken for its opposite. */
function titleOf(report: ReplicaReport, worst: Finding | undefined): string {
  const { outcome, database, url, replica, rungs } = report;
  const whose = database === undefined ? url : `${database}, replica ${replica} (${url})`;
  if (worst !== undefined) {
    const title = worst.code === "stale" ? "STALE" : outcome === "fail" ? "FAILED" : "INCONCLUSIVE";
    return `${title}  ${whose}: ${worst.problem}`;
  }
  const isRestored = rungs.some(({ rung, outcome }) => rung === "restore" && outcome === "pass");
  return isRestored
    ? `PROVEN  ${whose}: ${upTo(report)}`
    : `PASSED  ${whose}: ${upTo(report)}, and nothing was restored`;
}

function upTo({ reached, about }: ReplicaReport): string {
  const of = about === "chosen state" ? ", of a chosen state" : "";
  return (reached === undefined ? "nothing was proven" : `proven up to "${reached}"`) + of;
}

function recoveryLines({ recoveryTimeMs, recoveryPointMs, proofs }: ReplicaReport): string[] {
  if (recoveryTimeMs === undefined) return [];
  const bytes = askedFor(proofs)?.bytes;
  const what = bytes === undefined ? "" : `${formatAmount(bytes)} `;
  const lost = recoveryPointMs === undefined ? "" : `, would have lost ${(recoveryPointMs / 1_000).toFixed(1)} s`;
  return [`  ${what}restored in ${(recoveryTimeMs / 1_000).toFixed(1)} s${lost}`];
}

function pointText({ position, capturedAtMs }: ReportedPoint, nowMs: number): string {
  return `${formatPosition(position)} of ${formatTime(capturedAtMs)} (${formatAge(nowMs - capturedAtMs)} ago)`;
}

export function verifyDocument(report: VerifyReport): Record<string, unknown> {
  return {
    started_at: formatTime(report.startedAtMs),
    duration_ms: Math.round(report.durationMs),
    level: report.level,
    outcome: report.outcome,
    seed: report.seed ?? null,
    replicas: report.replicas.map(replicaDocument),
  };
}

function replicaDocument(report: ReplicaReport): Record<string, unknown> {
  return {
    database: report.database ?? null,
    replica: report.replica,
    url: report.url,
    outcome: report.outcome,
    about: report.about,
    reached: report.reached ?? null,
    rungs: report.rungs.map(({ rung, outcome, says, durationMs }) => ({
      rung,
      outcome,
      says,
      duration_ms: Math.round(durationMs),
    })),
    findings: report.findings.map(findingDocument),
    suspicions: report.suspicions,
    newest: pointDocument(report.newest),
    proven: pointDocument(report.proven),
    proofs: report.proofs.map(proofDocument),
    schema: report.schema ?? null,
    values: report.values,
    recovery_time_ms: report.recoveryTimeMs === undefined ? null : Math.round(report.recoveryTimeMs),
    recovery_point_ms: report.recoveryPointMs === undefined ? null : Math.round(report.recoveryPointMs),
    duration_ms: Math.round(report.durationMs),
  };
}

function findingDocument({ rung, code, problem, advice, pages }: Finding): Record<string, unknown> {
  return { rung, code, problem, advice: advice ?? null, pages: pages ?? [] };
}

function pointDocument(point: ReportedPoint | undefined) {
  return point === undefined ? null : pointMember(point.position, point.capturedAtMs);
}

function proofDocument(proof: Proof): Record<string, unknown> {
  const { why, outcome, says, bytes, durationMs, isCompared, confirmedAt } = proof;
  return {
    ...pointDocument(proof),
    why,
    outcome,
    says,
    bytes: bytes ?? null,
    duration_ms: durationMs === undefined ? null : Math.round(durationMs),
    compared: isCompared,
    confirmed: placeMember(confirmedAt),
  };
}
