/** The store of a configured replica: its device, its layout, its keys. */
import { ReplicationError } from "../base/errors.ts";
import { FileReplicaClient } from "../clients/file/client.ts";
import type { DatabaseConfig, ReplicaConfig } from "../config/config.ts";
import { layoutOf } from "../config/layout.ts";
import type { FileSystem } from "../platform/file_system.ts";
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

/** For those who only look: what this host has written must be there, and so must a place that somebody names. */
export function openReplicaOf(
  files: FileSystem,
  replica: ReplicaConfig,
  database: DatabaseConfig | undefined,
  { otherwise = "folder", ...options }: OpenReplicaOptions & { readonly otherwise?: ExpectedAtPlace } = {},
): ReplicaStore {
  const isWritten = () =>
    database !== undefined && readReplicaPlaces(files, statePathOf(files, database)).includes(replica.path);
  return openReplica(files, replica, { ...options, expected: () => isWritten() ? "replica" : otherwise });
}

export function openReplica(
  files: FileSystem,
  replica: ReplicaConfig,
  { readsAtOnce, memory, expected }: OpenReplicaOptions = {},
): ReplicaStore {
  const chooseLayout = (held: HeldLayout) => {
    const choice = layoutOf(replica, held);
    if (choice.kind === "layout") return choice.layout;
    throw new ReplicationError("config-invalid", `Cannot use ${replica.url}: ${choice.problem}`);
  };
  const encryption = replica.age === undefined ? undefined : createEncryption(replica.age);
  return new ReplicaStore(new FileReplicaClient(files, replica.path), {
    chooseLayout,
    encryption,
    memory,
    readsAtOnce,
    expected,
  });
}
