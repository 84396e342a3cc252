/** The store of a configured replica: its device, its layout, its keys. */
import { ReplicationError } from "../base/errors.ts";
import { FileReplicaClient } from "../clients/file/client.ts";
import type { ReplicaConfig } from "../config/config.ts";
import { layoutOf } from "../config/layout.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { type HeldLayout, ReplicaStore } from "../store/replica_store.ts";

export function openReplica(files: FileSystem, replica: ReplicaConfig, readsAtOnce?: number): ReplicaStore {
  const chooseLayout = (held: HeldLayout) => {
    const choice = layoutOf(replica, held);
    if (choice.kind === "layout") return choice.layout;
    throw new ReplicationError("config-invalid", `Cannot use ${replica.url}: ${choice.problem}`);
  };
  return new ReplicaStore(new FileReplicaClient(files, replica.path), { chooseLayout, readsAtOnce });
}
