import { ReplicationError } from "../base/errors.ts";
import { FileReplicaClient } from "../clients/file/client.ts";
import type { ReplicaConfig } from "../config/config.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import { RawStore } from "../store/raw_store.ts";

export function openStore(files: FileSystem, replica: ReplicaConfig, readsAtOnce?: number): GenerationStore {
  return new RawStore(new FileReplicaClient(files, replica.path), readsAtOnce);
}

/** Replicas that were looked at one by one: what each gave, or the error that kept it from that. */
export interface LookedAt<T> {
  readonly found: readonly T[];
  readonly errors: readonly { readonly replica: ReplicaConfig; readonly error: ReplicationError }[];
}

/** One replica that cannot be read does not keep the others from being shown. */
export async function lookAtEach<T>(
  replicas: readonly ReplicaConfig[],
  look: (replica: ReplicaConfig) => Promise<readonly T[]>,
): Promise<LookedAt<T>> {
  const found: T[] = [];
  const errors: { replica: ReplicaConfig; error: ReplicationError }[] = [];
  for (const replica of replicas) {
    try {
      found.push(...await look(replica));
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      errors.push({ replica, error });
    }
  }
  return { found, errors };
}
