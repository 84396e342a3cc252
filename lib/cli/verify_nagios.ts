/** A verification as a Nagios plugin says it: one line with performance data, and an exit code of its own. */
import { worstFinding } from "../verify/judgement.ts";
import type { Outcome, ReplicaReport, VerifyReport } from "../verify/report.ts";
import { formatPosition } from "../position/position.ts";

const STATES: Readonly<Record<Outcome, readonly [word: string, code: number]>> = {
  pass: ["OK", 0],
  fail: ["CRITICAL", 2],
  inconclusive: ["UNKNOWN", 3],
};

export function nagiosCode({ outcome }: VerifyReport): number {
  return STATES[outcome][1];
}

/** The bar separates the performance data: nothing before it may hold one. */
export function nagiosLine(report: VerifyReport): string {
  const [word] = STATES[report.outcome];
  const worst = report.replicas.find(({ outcome }) => outcome === report.outcome);
  const says = report.outcome === "pass"
    ? allProven(report)
    : worst === undefined
    ? "nothing was verified"
    : `${whatIsWrong(worst)}${others(report)}`;
  return `VERIFY ${word} - ${says.replaceAll("|", "/")} | ${report.replicas.flatMap(measurements).join(" ")}`;
}

function allProven({ replicas }: VerifyReport): string {
  const rungs = [...new Set(replicas.map(({ reached }) => reached))].join(", ");
  const isRestored = replicas.every(({ rungs }) =>
    rungs.some(({ rung, outcome }) => rung === "restore" && outcome === "pass")
  );
  const proven = isRestored ? `proven (${rungs})` : `passed (${rungs}), and not all was restored`;
  return `${replicas.length} ${replicas.length === 1 ? "replica" : "replicas"} ${proven}`;
}

/** The line has room for what is wrong with one of them. */
function others({ outcome, replicas }: VerifyReport): string {
  const like = replicas.filter((replica) => replica.outcome === outcome).length;
  return replicas.length === 1 ? "" : `; so it is with ${like} of ${replicas.length} replicas`;
}

function whatIsWrong({ database, replica, url, findings, proven }: ReplicaReport): string {
  const whose = database === undefined ? url : `${database}, replica ${replica}`;
  const good = proven === undefined ? "" : `; good at ${formatPosition(proven.position)}`;
  return `${whose}: ${worstFinding(findings)?.problem ?? "unknown"}${good}`;
}

/** Times in seconds; a replica is told apart by its database and name. */
function measurements(report: ReplicaReport): string[] {
  const { database, replica, url, durationMs, recoveryTimeMs, recoveryPointMs } = report;
  const whose = database === undefined ? url : `${database} ${replica}`;
  const measured = [["duration", durationMs], ["restore", recoveryTimeMs], ["behind", recoveryPointMs]] as const;
  return measured.flatMap(([what, ms]) =>
    ms === undefined ? [] : [`'${`${whose} ${what}`.replace(/['=|]/g, "_")}'=${(ms / 1_000).toFixed(3)}s`]
  );
}
