/**
 * A verification as metrics for a textfile collector. Of a replica that was not proven this time the last success of before
 * stays: it is read from the file that is replaced.
 */
import { type Family, formatExposition, formatSeries, type Sample, sample } from "../base/exposition.ts";
import { hasRestoredAndCompared } from "../verify/proof_memory.ts";
import { askedFor, type ReplicaReport, type RungOutcome, RUNGS, type VerifyReport } from "../verify/report.ts";

const PREFIX = "tailrace_verify";
const LAST_SUCCESS = `${PREFIX}_last_success_timestamp_seconds`;
const VALUES: Readonly<Record<RungOutcome, number>> = {
  pass: 1,
  fail: 0,
  inconclusive: -1,
  "not-available": -2,
  "not-run": -3,
};

/** `before`: what the file holds now. */
export function metricsText(report: VerifyReport, before: string): string {
  const ranAt = seconds(report.startedAtMs);
  /** One for each replica that has such a value. */
  const gauge = (name: string, help: string, valueOf: (replica: ReplicaReport) => number | undefined): Family => ({
    name,
    help,
    type: "gauge",
    samples: report.replicas.flatMap((replica) => sample(labelsOf(replica), valueOf(replica))),
  });
  return formatExposition([
    gauge(`${PREFIX}_last_run_timestamp_seconds`, "When the last run began", () => ranAt),
    gauge(
      LAST_SUCCESS,
      "When the last run began that restored and compared, and found all well; 0: never",
      (replica) => isSuccess(replica) ? ranAt : valueIn(before, formatSeries(LAST_SUCCESS, labelsOf(replica))) ?? 0,
    ),
    gauge(`${PREFIX}_duration_seconds`, "How long the replica took", ({ durationMs }) => seconds(durationMs)),
    gauge(
      `${PREFIX}_restore_seconds`,
      "How long the restore of the newest state took",
      ({ recoveryTimeMs }) => recoveryTimeMs === undefined ? undefined : seconds(recoveryTimeMs),
    ),
    gauge(`${PREFIX}_restored_bytes`, "Size of the restored database", ({ proofs }) => askedFor(proofs)?.bytes),
    gauge(
      `${PREFIX}_behind_seconds`,
      "By how much the database is newer than the newest state",
      ({ recoveryPointMs }) => recoveryPointMs === undefined ? undefined : seconds(recoveryPointMs),
    ),
    {
      name: `${PREFIX}_rung`,
      help: "1 pass, 0 fail, -1 inconclusive, -2 not available, -3 not run",
      type: "gauge",
      samples: report.replicas.flatMap(rungSamples),
    },
  ]);
}

/** A run that goes less far, or looks at another state than the newest one, proves no less and no more than before. */
function isSuccess(replica: ReplicaReport): boolean {
  const rungs = Object.fromEntries(replica.rungs.map(({ rung, outcome }) => [rung, outcome]));
  return replica.about === "newest state" && hasRestoredAndCompared({ outcome: replica.outcome, rungs });
}

function rungSamples(replica: ReplicaReport): Sample[] {
  return RUNGS.flatMap((rung) => {
    const found = replica.rungs.find((one) => one.rung === rung);
    return sample({ ...labelsOf(replica), rung }, found && VALUES[found.outcome]);
  });
}

function labelsOf({ database, replica, url }: ReplicaReport): Sample["labels"] {
  return { database: database ?? url, replica };
}

function valueIn(text: string, series: string): number | undefined {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  const value = Number(line?.slice(series.length + 1));
  return Number.isFinite(value) && line !== undefined ? value : undefined;
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
