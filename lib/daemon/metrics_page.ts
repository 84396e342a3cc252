import { type Family, formatExposition, type Sample, sample } from "../base/exposition.ts";
import { product } from "../base/product.ts";
import { newestSuccess, standingFailure } from "../verify/proof_memory.ts";
import type { DatabaseFacts, Health, ReplicaFacts } from "./health.ts";

/** What the page says of each database and replica at this moment; a value that is not known has no sample. */
export function metricsPage(health: Health): string {
  const ofDatabases = (valueOf: (facts: DatabaseFacts, isWell: boolean) => number | undefined): Sample[] =>
    health.databases.flatMap(({ facts, condition }) =>
      sample({ database: facts.path }, valueOf(facts, condition !== "trouble"))
    );
  const ofReplicas = (valueOf: (facts: ReplicaFacts, isWell: boolean) => number | undefined): Sample[] =>
    health.databases.flatMap(({ facts: { path }, replicas }) =>
      replicas.flatMap(({ facts, condition }) =>
        sample({ database: path, replica: facts.name }, valueOf(facts, condition !== "trouble"))
      )
    );
  const gauge = (name: string, help: string, samples: readonly Sample[]): Family => {
    return { name: `${product.name}_${name}`, help, type: "gauge", samples };
  };
  const counter = (name: string, help: string, samples: readonly Sample[]): Family => {
    return { name: `${product.name}_${name}_total`, help, type: "counter", samples };
  };
  return formatExposition([
    gauge("build_info", "1, with the version of the program", sample({ version: product.version }, 1)),
    gauge("healthy", "1 while nothing is in trouble, as /health has it", sample({}, Number(health.isHealthy))),
    gauge(
      "database_well",
      "0 while the database is in trouble and nothing of it is captured",
      ofDatabases((_facts, isWell) => Number(isWell)),
    ),
    gauge("database_size_bytes", "Size of the database file", ofDatabases(({ databaseBytes }) => databaseBytes)),
    gauge("database_wal_size_bytes", "Size of its WAL file", ofDatabases(({ walBytes }) => walBytes)),
    gauge(
      "replica_well",
      "0 while the replica is in trouble",
      ofReplicas((_facts, isWell) => Number(isWell)),
    ),
    gauge(
      "replica_lag_seconds",
      "For so long the replica has not held all that is captured; 0 while it does",
      ofReplicas(({ pulse: { behindMs } }) => behindMs === undefined ? undefined : behindMs / 1_000),
    ),
    gauge(
      "replica_last_current_timestamp_seconds",
      "When the replica last held all that was captured: now, while it does; 0: never since the start",
      ofReplicas(({ pulse: { currentAtMs = 0 } }) => currentAtMs / 1_000),
    ),
    gauge(
      "replica_restorable",
      "0 while a restore does not get to the end of what was written, as looks find it; nothing before the first look",
      ofReplicas(({ look: { brokenBecause, lookedAtMs } }) =>
        brokenBecause !== undefined ? 0 : lookedAtMs === undefined ? undefined : 1
      ),
    ),
    gauge(
      "replica_last_look_timestamp_seconds",
      "When the daemon last looked at what the replica holds; 0: never since the start",
      ofReplicas(({ look: { lookedAtMs = 0 } }) => lookedAtMs / 1_000),
    ),
    counter("replica_failures", "Tries that failed since the start", ofReplicas(({ pulse }) => pulse.failures)),
    counter("replica_wal_bytes", "WAL written since the start", ofReplicas(({ pulse }) => pulse.walBytes)),
    gauge(
      "verify_last_run_timestamp_seconds",
      "When the last run began that told something; 0: never",
      ofReplicas(({ proof }) => (proof?.last.atMs ?? 0) / 1_000),
    ),
    gauge(
      "verify_last_success_timestamp_seconds",
      "When the last run began that restored and compared, and found all well; 0: never",
      ofReplicas(({ proof }) => (newestSuccess(proof)?.atMs ?? 0) / 1_000),
    ),
    gauge(
      "verify_outcome",
      "0 while a failure stands that no run as deep has disproven, else 1; nothing before the first run",
      ofReplicas(({ proof }) => proof === undefined ? undefined : Number(standingFailure(proof) === undefined)),
    ),
  ]);
}
