import { limits } from "../../lib/base/limits.ts";
import { type DatabaseFacts, judgeHealth, type ReplicaFacts } from "../../lib/daemon/health.ts";
import { healthDocument } from "../../lib/daemon/health_document.ts";
import { metricsPage } from "../../lib/daemon/metrics_page.ts";
import type { KeptRun, ProofMemory } from "../../lib/verify/proof_memory.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { databaseFacts, replicaFacts } from "../support/health_facts.ts";

const { pulse: PULSE, look: LOOK } = replicaFacts();
const RUN = { rungs: {}, isAgainstLive: false, values: {} };
const PASSED: KeptRun = { ...RUN, atMs: 1_700_000_000_000, outcome: "pass", reached: "structure" };
const FAILED: KeptRun = { ...RUN, atMs: 1_700_000_100_000, outcome: "fail", reached: "chain", problem: "a bit" };
const FAILING = { last: FAILED, success: PASSED, failures: [FAILED] };

/** Condition and problem of the database, then of its replica. */
function judged(facts: DatabaseFacts): (string | undefined)[] {
  const { isHealthy, databases: [one] } = judgeHealth([facts]);
  const [two] = one?.replicas ?? [];
  assertEquals(isHealthy, one?.condition !== "trouble" && two?.condition !== "trouble");
  return [one?.condition, one?.problem, two?.condition, two?.problem];
}

const STILL = limits.replicaStillMaxMs + 1_000;

Deno.test("judgeHealth(): a database that is followed, and a replica that holds everything or is on the way, are well", () => {
  assertEquals(judged(databaseFacts()), ["well", undefined, "well", undefined]);
  const behind = { ...PULSE, behindMs: 10 * STILL, stillMs: STILL };
  assertEquals(judged(databaseFacts({ replicas: [replicaFacts({ pulse: behind })] })), [
    "well",
    undefined,
    "well",
    undefined,
  ]);
  const idle = { ...PULSE, stillMs: 1e9 };
  assertEquals(judged(databaseFacts({ replicas: [replicaFacts({ pulse: idle })] })), [
    "well",
    undefined,
    "well",
    undefined,
  ]);
});

Deno.test("judgeHealth(): what is behind and does not move for too long is in trouble", () => {
  const stuck = { ...PULSE, behindMs: STILL + 1, stillMs: STILL + 1 };
  const trouble = ["well", undefined, "trouble", "it is behind, and nothing has moved for 1m1s"];
  assertEquals(judged(databaseFacts({ replicas: [replicaFacts({ pulse: stuck })] })), trouble);
  assertEquals(judged(databaseFacts({ replicas: [replicaFacts({ pulse: stuck, isSnapshotting: true })] })), trouble);
  const never = { ...stuck, behindMs: undefined, currentAtMs: undefined };
  assertEquals(judged(databaseFacts({ replicas: [replicaFacts({ pulse: never, position: undefined })] })), trouble);
  // An idle replica that is behind since a moment ago has not had the time to move.
  const fresh = { ...PULSE, behindMs: 5, stillMs: 1e9 };
  assertEquals(judged(databaseFacts({ replicas: [replicaFacts({ pulse: fresh })] })), [
    "well",
    undefined,
    "well",
    undefined,
  ]);
});

Deno.test("judgeHealth(): each trouble is told where it is", () => {
  const refused = ["well", undefined, "trouble", "Cannot write: no space"];
  assertEquals(judged(databaseFacts({ replicas: [replicaFacts({ trouble: "Cannot write: no space" })] })), refused);
  assertEquals(
    judged(databaseFacts({ replicas: [replicaFacts({ upkeepTrouble: "Cannot write: no space" })] })),
    refused,
  );
  for (const [advice, facts] of [["mkdir x", { advice: "mkdir x" }], [undefined, {}]] as const) {
    const { databases } = judgeHealth([databaseFacts({ replicas: [replicaFacts({ trouble: "no", ...facts })] })]);
    assertEquals(databases[0]?.replicas[0]?.advice, advice);
  }
  const gone = judged(databaseFacts({ trouble: "the database is no longer there" }));
  assertEquals(gone.slice(0, 2), ["trouble", "the database is no longer there"]);
  const unseen = judged(databaseFacts({ unseenMs: limits.databaseUnseenMaxMs + 1_001 }));
  assertEquals(unseen.slice(0, 2), ["trouble", "it was not looked at for 5m1s"]);
});

Deno.test("judgeHealth(): a replica that leads to its end no more is in trouble, and so is one that no look comes back from", () => {
  const looked = (facts: Partial<ReplicaFacts>) => judged(databaseFacts({ replicas: [replicaFacts(facts)] })).slice(2);
  const look = { ...LOOK, brokenBecause: "index 1 is missing" };
  const problem = "it can no longer be restored to its end: index 1 is missing";
  assertEquals(looked({ look }), ["trouble", problem]);
  assertEquals(looked({ look, isSnapshotting: true, pulse: { ...PULSE, behindMs: 5 } }), ["trouble", problem]);
  const trouble = "Cannot write: no space";
  assertEquals(looked({ look, trouble }), ["trouble", `${problem}; mending it fails: ${trouble}`]);
  assertEquals(looked({ look: { ...LOOK, lookingMs: limits.replicaStillMaxMs } }), ["well", undefined]);
  assertEquals(looked({ look: { ...LOOK, lookingMs: 61_000 } }), [
    "trouble",
    "a look at what it holds has not ended for 1m1s",
  ]);
});

Deno.test("judgeHealth(): a verification that failed is trouble as long as that stands, whatever ran last", () => {
  const withProof = (proof: ProofMemory) => judged(databaseFacts({ replicas: [replicaFacts({ proof })] })).slice(2);
  assertEquals(withProof({ last: PASSED, success: PASSED, failures: [] }), ["well", undefined]);
  assertEquals(withProof(FAILING), ["trouble", "a verification failed: a bit"]);
  assertEquals(withProof({ ...FAILING, last: PASSED }), ["trouble", "a verification failed: a bit"]);
  assertEquals(withProof({ last: FAILED, success: PASSED, failures: [] }), ["well", undefined]);
});

Deno.test("judgeHealth(): what waits, starts, or makes its first snapshot is no trouble", () => {
  const pulse = { ...PULSE, behindMs: undefined, stillMs: 20 };
  const replicas = [replicaFacts({ pulse, position: undefined, isSnapshotting: true })];
  assertEquals(judged(databaseFacts({ replicas })), ["well", undefined, "snapshotting", undefined]);
  const started = [replicaFacts({ pulse })];
  assertEquals(judged(databaseFacts({ replicas: started })), ["well", undefined, "starting", undefined]);
  assertEquals(judged(databaseFacts({ isOpening: true, trouble: "it is not open yet", replicas })), [
    "starting",
    undefined,
    "starting",
    undefined,
  ]);
  const waiting = [replicaFacts({ pulse: { ...pulse, stillMs: 1e9 }, isSnapshotting: true })];
  const absent = { trouble: "it is empty", absence: "it is empty", absentMs: 300_000, replicas: waiting };
  assertEquals(judged(databaseFacts(absent)), [
    "waiting",
    "it is empty",
    "waiting",
    undefined,
  ]);
  // Not for ever: the path may be a wrong one.
  const long = judged(databaseFacts({ ...absent, absentMs: 301_000 }));
  assertEquals(long.slice(0, 2), ["trouble", "it is empty, for 5m1s"]);
  assertEquals(judged(databaseFacts({ ...absent, absentMs: 1e9, absentAfterMs: 0 }))[0], "waiting");
  for (const absentMs of [1_000, 301_000]) {
    const { databases: [database] } = judgeHealth([databaseFacts({ ...absent, absentMs })]);
    assertEquals(database?.advice, "see that the path is the right one");
  }
});

Deno.test("metricsPage() has a line for each thing that is known, and none for what is not", () => {
  const far = replicaFacts({
    name: 'f"a\\r',
    trouble: "Cannot write: no space",
    pulse: { behindMs: 1_500, stillMs: 0, currentAtMs: undefined, failures: 3, walBytes: 4_152 },
    look: { ...LOOK, brokenBecause: "index 1 is missing" },
    proof: FAILING,
  });
  const look = { ...LOOK, lookedAtMs: undefined };
  const starting = replicaFacts({
    name: "new",
    pulse: { ...PULSE, behindMs: undefined, currentAtMs: undefined },
    look,
  });
  const page = metricsPage(judgeHealth([databaseFacts({ replicas: [replicaFacts(), far, starting] })]));
  const series = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const [near, away, fresh] = ["near", 'f\\"a\\\\r', "new"].map((name) =>
    `{database="/data/app.db",replica="${name}"}`
  );
  assertEquals(series.filter((line) => !line.startsWith("tailrace_build_info{version=")), [
    "tailrace_healthy 0",
    'tailrace_database_well{database="/data/app.db"} 1',
    'tailrace_database_size_bytes{database="/data/app.db"} 8192',
    `tailrace_replica_well${near} 1`,
    `tailrace_replica_well${away} 0`,
    `tailrace_replica_well${fresh} 1`,
    `tailrace_replica_lag_seconds${near} 0`,
    `tailrace_replica_lag_seconds${away} 1.5`,
    `tailrace_replica_last_current_timestamp_seconds${near} 1700000000.5`,
    `tailrace_replica_last_current_timestamp_seconds${away} 0`,
    `tailrace_replica_last_current_timestamp_seconds${fresh} 0`,
    `tailrace_replica_restorable${near} 1`,
    `tailrace_replica_restorable${away} 0`,
    `tailrace_replica_last_look_timestamp_seconds${near} 1700000000`,
    `tailrace_replica_last_look_timestamp_seconds${away} 1700000000`,
    `tailrace_replica_last_look_timestamp_seconds${fresh} 0`,
    `tailrace_replica_failures_total${near} 0`,
    `tailrace_replica_failures_total${away} 3`,
    `tailrace_replica_failures_total${fresh} 0`,
    `tailrace_replica_wal_bytes_total${near} 0`,
    `tailrace_replica_wal_bytes_total${away} 4152`,
    `tailrace_replica_wal_bytes_total${fresh} 0`,
    `tailrace_verify_last_run_timestamp_seconds${near} 0`,
    `tailrace_verify_last_run_timestamp_seconds${away} 1700000100`,
    `tailrace_verify_last_run_timestamp_seconds${fresh} 0`,
    `tailrace_verify_last_success_timestamp_seconds${near} 0`,
    `tailrace_verify_last_success_timestamp_seconds${away} 1700000000`,
    `tailrace_verify_last_success_timestamp_seconds${fresh} 0`,
    `tailrace_verify_outcome${away} 0`,
  ]);
  assertStringIncludes(page, "# TYPE tailrace_replica_failures_total counter\n");
  assert(page.endsWith("\n"));
});

Deno.test("healthDocument() has everything of every database and replica, null where nothing is known", () => {
  const [proof, look] = [FAILING, { ...LOOK, lookedAtMs: undefined }];
  const starting = replicaFacts({
    name: "new",
    position: undefined,
    pulse: { ...PULSE, behindMs: undefined },
    look,
    proof,
  });
  assertEquals(healthDocument(judgeHealth([databaseFacts({ replicas: [replicaFacts(), starting] })])), {
    schema_version: 1,
    healthy: false,
    databases: [{
      path: "/data/app.db",
      condition: "well",
      problem: null,
      advice: null,
      position: "00000000000000aa/0000000000000003:4152",
      replicas: [
        {
          name: "near",
          url: "file:///backup/near",
          condition: "well",
          problem: null,
          advice: null,
          cause: null,
          position: "00000000000000aa/0000000000000003:4152",
          lag_ms: 0,
          last_current_at: "2023-11-14T22:13:20.500Z",
          failures: 0,
          last_look: "2023-11-14T22:13:20.000Z",
          broken: null,
          last_proof: null,
          last_success: null,
          standing_failure: null,
        },
        {
          name: "new",
          url: "file:///backup/near",
          condition: "trouble",
          problem: "a verification failed: a bit",
          advice: null,
          cause: "proof",
          position: null,
          lag_ms: null,
          last_current_at: "2023-11-14T22:13:20.500Z",
          failures: 0,
          last_look: null,
          broken: null,
          last_proof: {
            at: "2023-11-14T22:15:00.000Z",
            outcome: "fail",
            reached: "chain",
            proven: null,
            problem: "a bit",
            exit_code: 4,
          },
          last_success: {
            at: "2023-11-14T22:13:20.000Z",
            outcome: "pass",
            reached: "structure",
            proven: null,
            problem: null,
            exit_code: 0,
          },
          standing_failure: {
            at: "2023-11-14T22:15:00.000Z",
            outcome: "fail",
            reached: "chain",
            proven: null,
            problem: "a bit",
            exit_code: 4,
          },
        },
      ],
    }],
  });
});
