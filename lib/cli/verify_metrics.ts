/**
 * A verification as metrics for a textfile collector. Of a replica that was not proven this time the last success of before
 * stays: it is read from the file that is replaced.
 */
import { type ReplicaReport, type RungOutcome, RUNGS, type VerifyReport } from "../verify/report.ts";

const PREFIX = "tailrace_verify";
const LAST_SUCCESS = `${PREFIX}_last_success_timestamp_seconds`;
const VALUES: Readonly<Record<RungOutcome, number>> = {
  pass: 1,
  fail: 0,
  inconclusive: -1,
  "not-available": -2,
  "not-run": -3,
};

interface Metric {
  readonly name: string;
  readonly help: string;
  /** Undefined: there is none. */
  readonly valueOf: (report: ReplicaReport) => number | undefined;
}

/** `before`: what the file holds now. */
export function metricsText(report: VerifyReport, before: string): string {
  const ranAt = seconds(report.startedAtMs);
  const metrics: readonly Metric[] = [
    { name: `${PREFIX}_last_run_timestamp_seconds`, help: "When the last run began", valueOf: () => ranAt },
    {
      name: LAST_SUCCESS,
      help: "When the last run began that proved the replica",
      valueOf: (replica) => replica.outcome === "pass" ? ranAt : valueIn(before, `${LAST_SUCCESS}${labelsOf(replica)}`),
    },
    {
      name: `${PREFIX}_duration_seconds`,
      help: "How long the replica took",
      valueOf: ({ durationMs }) => seconds(durationMs),
    },
    {
      name: `${PREFIX}_restore_seconds`,
      help: "How long the restore of the newest state took",
      valueOf: ({ recoveryTimeMs }) => recoveryTimeMs === undefined ? undefined : seconds(recoveryTimeMs),
    },
    {
      name: `${PREFIX}_restored_bytes`,
      help: "Size of the restored database",
      valueOf: ({ proofs }) => proofs[0]?.bytes,
    },
    {
      name: `${PREFIX}_behind_seconds`,
      help: "By how much the database is newer than the newest state",
      valueOf: ({ recoveryPointMs }) => recoveryPointMs === undefined ? undefined : seconds(recoveryPointMs),
    },
  ];
  const lines = metrics.flatMap(({ name, help, valueOf }) => {
    const values = report.replicas.flatMap((replica) => {
      const value = valueOf(replica);
      return value === undefined ? [] : [`${name}${labelsOf(replica)} ${value}`];
    });
    return values.length === 0 ? [] : [...headOf(name, help), ...values];
  });
  return `${[...lines, ...rungLines(report)].join("\n")}\n`;
}

function rungLines({ replicas }: VerifyReport): string[] {
  const name = `${PREFIX}_rung`;
  const help = "1 pass, 0 fail, -1 inconclusive, -2 not available, -3 not run";
  return [
    ...headOf(name, help),
    ...replicas.flatMap((replica) =>
      RUNGS.flatMap((rung) => {
        const found = replica.rungs.find((one) => one.rung === rung);
        return found === undefined ? [] : [`${name}${labelsOf(replica, ["rung", rung])} ${VALUES[found.outcome]}`];
      })
    ),
  ];
}

function headOf(name: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`];
}

function labelsOf({ database, replica, url }: ReplicaReport, ...more: readonly (readonly [string, string])[]): string {
  const labels = [["database", database ?? url], ["replica", replica], ...more] as const;
  const escaped = (value: string) => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `{${labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`;
}

function valueIn(text: string, metric: string): number | undefined {
  const line = text.split("\n").find((one) => one.startsWith(`${metric} `));
  const value = Number(line?.slice(metric.length + 1));
  return Number.isFinite(value) && line !== undefined ? value : undefined;
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
