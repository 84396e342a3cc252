/** Whether a daemon does what it is for, judged from what its parts say of themselves. */
import { formatDuration } from "../config/duration.ts";
import { limits } from "../base/limits.ts";
import type { Position } from "../position/position.ts";
import type { PulseFacts } from "../replica/pulse.ts";
import type { LookFacts } from "../replica/replica_look.ts";
import { type ProofMemory, standingFailure } from "../verify/proof_memory.ts";
import { SEE_PATH } from "./help.ts";

export interface DatabaseFacts {
  readonly path: string;
  readonly isOpening: boolean;
  /** Why nothing is captured; undefined while all is well. */
  readonly trouble: string | undefined;
  /** What to do about that, where it is known. */
  readonly advice: string | undefined;
  /** Why there was never anything to capture. */
  readonly absence: string | undefined;
  /** For so long it has been waited for, and from when on that is trouble; 0: never. */
  readonly absentMs: number;
  readonly absentAfterMs: number;
  readonly unseenMs: number;
  readonly monitorIntervalMs: number;
  /** The end of what is captured. */
  readonly position: Position | undefined;
  /** Undefined when there is no such file. */
  readonly databaseBytes: number | undefined;
  readonly walBytes: number | undefined;
  readonly replicas: readonly ReplicaFacts[];
}

export interface ReplicaFacts {
  readonly name: string;
  readonly url: string;
  /** The end of what is durable on it. */
  readonly position: Position | undefined;
  /** Its first snapshot is being made. */
  readonly isSnapshotting: boolean;
  readonly pulse: PulseFacts;
  readonly look: LookFacts;
  readonly trouble: string | undefined;
  readonly upkeepTrouble: string | undefined;
  /** What to do about either, where it is known. */
  readonly advice: string | undefined;
  readonly syncIntervalMs: number;
  /** What was last proven of it. */
  readonly proof: ProofMemory | undefined;
}

/** `waiting`: for a database that is not there yet; `starting` and `snapshotting`: on the way, and it goes on. */
export const CONDITIONS = ["well", "waiting", "starting", "snapshotting", "trouble"] as const;
export type Condition = typeof CONDITIONS[number];

export interface Judged<Facts> {
  readonly facts: Facts;
  readonly condition: Condition;
  /** What is wrong, or waited for. */
  readonly problem?: string;
  /** The next command, or what to do. */
  readonly advice?: string;
  /** What found the trouble of a replica: replication itself, a look at what it holds, or a verification. */
  readonly cause?: "replication" | "look" | "proof";
}

export interface Health {
  readonly isHealthy: boolean;
  readonly databases: readonly (Judged<DatabaseFacts> & { readonly replicas: readonly Judged<ReplicaFacts>[] })[];
}

export function judgeHealth(all: readonly DatabaseFacts[]): Health {
  const databases = all.map((facts) => {
    const database = judgeDatabase(facts);
    return { ...database, replicas: facts.replicas.map((replica) => judgeReplica(replica, database.condition)) };
  });
  const everything = databases.flatMap((database) => [database, ...database.replicas]);
  return { isHealthy: everything.every(({ condition }) => condition !== "trouble"), databases };
}

function judgeDatabase(facts: DatabaseFacts): Judged<DatabaseFacts> {
  const { isOpening, absence, absentMs, absentAfterMs, trouble, unseenMs, monitorIntervalMs } = facts;
  if (unseenMs > limits.databaseUnseenMaxMs + monitorIntervalMs) {
    return { facts, condition: "trouble", problem: `it was not looked at for ${span(unseenMs)}` };
  }
  if (isOpening) return { facts, condition: "starting" };
  if (absence !== undefined && absentAfterMs > 0 && absentMs > absentAfterMs) {
    return { facts, condition: "trouble", problem: `${absence}, for ${span(absentMs)}`, advice: SEE_PATH };
  }
  if (absence !== undefined) return { facts, condition: "waiting", problem: absence, advice: SEE_PATH };
  if (trouble === undefined) return { facts, condition: "well" };
  const advice = facts.advice === undefined ? {} : { advice: facts.advice };
  return { facts, condition: "trouble", problem: trouble, ...advice };
}

function judgeReplica(facts: ReplicaFacts, database: Condition): Judged<ReplicaFacts> {
  const { pulse: { behindMs, stillMs }, look, proof, syncIntervalMs, isSnapshotting } = facts;
  const wrong = facts.trouble ?? facts.upkeepTrouble;
  if (look.brokenBecause !== undefined) {
    const mending = wrong === undefined ? "" : `; mending it fails: ${wrong}`;
    const problem = `it can no longer be restored to its end: ${look.brokenBecause}${mending}`;
    return { facts, condition: "trouble", problem, cause: "look" };
  }
  if (wrong !== undefined) {
    const advice = facts.advice === undefined ? {} : { advice: facts.advice };
    return { facts, condition: "trouble", problem: wrong, ...advice, cause: "replication" };
  }
  const isBehind = behindMs === undefined || behindMs > 0;
  const patienceMs = limits.replicaStillMaxMs + syncIntervalMs;
  if (isBehind && database === "well" && Math.min(stillMs, behindMs ?? stillMs) > patienceMs) {
    const problem = `it is behind, and nothing has moved for ${span(stillMs)}`;
    return { facts, condition: "trouble", problem, cause: "replication" };
  }
  if (look.lookingMs > limits.replicaStillMaxMs) {
    const problem = `a look at what it holds has not ended for ${span(look.lookingMs)}`;
    return { facts, condition: "trouble", problem, cause: "replication" };
  }
  const failure = standingFailure(proof);
  if (failure !== undefined) {
    const problem = `a verification failed: ${failure.problem ?? "no reason is kept"}`;
    return { facts, condition: "trouble", problem, cause: "proof" };
  }
  if (database === "waiting" || database === "starting") return { facts, condition: database };
  if (isBehind && isSnapshotting) return { facts, condition: "snapshotting" };
  return { facts, condition: behindMs === undefined ? "starting" : "well" };
}

function span(ms: number): string {
  return formatDuration(Math.round(ms / 1_000) * 1_000);
}
