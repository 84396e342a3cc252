/** The store of a configured replica: its device, its layout, its keys. */
import { ReplicationError } from "../base/errors.ts";
import { FileReplicaClient } from "../clients/file/client.ts";
import type { DatabaseConfig, ReplicaConfig } from "../config/config.ts";
import { layoutOf } from "../config/layout.ts";
import type { ReplicaClient } from "../clients/client.ts";
import { PatientClient } from "../clients/patient_client.ts";
import { limits } from "../base/limits.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import { createEncryption } from "../age/encryption.ts";
import type { ReplicaMemory } from "../store/replica_memory.ts";
import { type ExpectedAtPlace, type HeldLayout, ReplicaStore } from "../store/replica_store.ts";
import { readReplicaPlaces } from "../database/state_folder.ts";
import { statePathOf } from "./status.ts";

export interface OpenReplicaOptions {
  readonly readsAtOnce?: number | undefined;
  /** For one that is written, and that this host may not be able to read. */
  readonly memory?: ReplicaMemory;
  readonly expected?: () => ExpectedAtPlace;
}

export interface LookOptions {
  readonly readsAtOnce?: number | undefined;
  readonly otherwise?: ExpectedAtPlace;
  /** So long its device may take for one answer. */
  readonly patienceMs?: number;
  /** Aborted when nobody waits for its answers any more. */
  readonly until?: AbortSignal;
}

/**
 * For those who only look: what this host has written must be there, and so must a place that somebody names; and a device
 * that hangs is an error.
 */
export function openReplicaOf(
  { files, clock }: Pick<Platform, "files" | "clock">,
  replica: ReplicaConfig,
  database: DatabaseConfig | undefined,
  { otherwise = "folder", patienceMs = limits.deviceAnswerMaxMs, readsAtOnce, until }: LookOptions = {},
): ReplicaStore {
  const isWritten = () => database !== undefined && mayBeWritten(files, database, replica);
  const client = new PatientClient(new FileReplicaClient(files, replica.path), clock, patienceMs, until);
  return openStore(client, replica, { readsAtOnce, expected: () => isWritten() ? "replica" : otherwise });
}

/** A list that is damaged names nothing: then any place may have been written to, and is missed when it is not there. */
function mayBeWritten(files: FileSystem, database: DatabaseConfig, replica: ReplicaConfig): boolean {
  try {
    return readReplicaPlaces(files, statePathOf(files, database)).includes(replica.path);
  } catch (error) {
    if (error instanceof ReplicationError && error.code === "corrupt") return true;
    throw error;
  }
}

export function openReplica(
  files: FileSystem,
  replica: ReplicaConfig,
  options: OpenReplicaOptions = {},
): ReplicaStore {
  return openStore(new FileReplicaClient(files, replica.path), replica, options);
}

function openStore(
  client: ReplicaClient,
  replica: ReplicaConfig,
  { readsAtOnce, memory, expected }: OpenReplicaOptions,
): ReplicaStore {
  const chooseLayout = (held: HeldLayout) => {
    const choice = layoutOf(replica, held);
    if (choice.kind === "layout") return choice.layout;
    throw new ReplicationError("config-invalid", `Cannot use ${replica.url}: ${choice.problem}`);
  };
  const encryption = replica.age === undefined ? undefined : createEncryption(replica.age);
  return new ReplicaStore(client, {
    chooseLayout,
    encryption,
    memory,
    readsAtOnce,
    expected,
  });
}
