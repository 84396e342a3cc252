/** The store of a configured replica: its device, its layout, its keys. */
import { ReplicationError } from "../base/errors.ts";
import { FileReplicaClient } from "../clients/file/client.ts";
import type { ReplicaConfig } from "../config/config.ts";
import { layoutOf } from "../config/layout.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { createEncryption } from "../age/encryption.ts";
import type { ReplicaMemory } from "../store/replica_memory.ts";
import { type HeldLayout, ReplicaStore } from "../store/replica_store.ts";

export interface OpenReplicaOptions {
  readonly readsAtOnce?: number | undefined;
  /** For one that is written, and that this host may not be able to read. */
  readonly memory?: ReplicaMemory;
}

export function openReplica(
  files: FileSystem,
  replica: ReplicaConfig,
  { readsAtOnce, memory }: OpenReplicaOptions = {},
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
  });
}
