/** A database that is followed, and a replica that holds everything, as the daemon's parts say it of themselves. */
import type { DatabaseFacts, ReplicaFacts } from "../../lib/daemon/health.ts";
import { parsePosition } from "../../lib/position/position.ts";

export const POSITION = parsePosition("00000000000000aa/0000000000000003:4152");

export function replicaFacts(facts: Partial<ReplicaFacts> = {}): ReplicaFacts {
  return {
    name: "near",
    url: "file:///backup/near",
    position: POSITION,
    isSnapshotting: false,
    pulse: { behindMs: 0, stillMs: 0, currentAtMs: 1_700_000_000_500, failures: 0, walBytes: 0 },
    look: { brokenBecause: undefined, lookedAtMs: 1_700_000_000_000, lookingMs: 0 },
    trouble: undefined,
    upkeepTrouble: undefined,
    advice: undefined,
    syncIntervalMs: 1_000,
    proof: undefined,
    ...facts,
  };
}

export function databaseFacts(facts: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return {
    path: "/data/app.db",
    isOpening: false,
    trouble: undefined,
    advice: undefined,
    absence: undefined,
    absentMs: 0,
    absentAfterMs: 300_000,
    unseenMs: 10,
    monitorIntervalMs: 1_000,
    position: POSITION,
    databaseBytes: 8_192,
    walBytes: undefined,
    replicas: [replicaFacts()],
    ...facts,
  };
}
