import { addAll } from "../base/many.ts";
import { ReplicationError } from "../base/errors.ts";
import type { ReplicaConfig } from "../config/config.ts";

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
      addAll(found, await look(replica));
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      errors.push({ replica, error });
    }
  }
  return { found, errors };
}
