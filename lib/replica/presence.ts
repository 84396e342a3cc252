import { ReplicationError } from "../base/errors.ts";
import type { DatabaseSource } from "../database/source.ts";
import type { GenerationStore } from "../store/generation_store.ts";

/** The replica's root is made on first use only; later on a missing one is an error, never made again in silence. */
export async function expectReplica(
  source: Pick<DatabaseSource, "wasReplicatedTo">,
  store: Pick<GenerationStore, "exists" | "description">,
  place: string,
): Promise<void> {
  if (!source.wasReplicatedTo(place) || await store.exists()) return;
  throw new ReplicationError(
    "unavailable",
    `Cannot replicate to ${store.description}: nothing is there, though it was written before (is it mounted?)`,
    { advice: `mount it; to begin anew on purpose: mkdir -p ${store.description}/generations` },
  );
}
