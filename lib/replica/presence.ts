import { commandLine } from "../base/command_line.ts";
import { ReplicationError } from "../base/errors.ts";
import type { DatabaseSource } from "../database/source.ts";
import type { GenerationStore } from "../store/generation_store.ts";

/**
 * The replica's root is made on first use only; later on a missing one is an error, never made again in silence. Nothing is
 * begun or continued beside what is not understood: the store says so.
 */
export async function expectReplica(
  source: Pick<DatabaseSource, "wasReplicatedTo">,
  store: Pick<GenerationStore, "exists" | "description">,
  place: string,
): Promise<void> {
  if (!source.wasReplicatedTo(place)) return void await store.exists();
  if (await isThere(store)) return;
  throw new ReplicationError(
    "unavailable",
    `Cannot replicate to ${store.description}: nothing is there, though it was written before (is it mounted?)`,
    {
      advice: `mount it; to begin anew on purpose: ${commandLine(["mkdir", "-p", `${store.description}/generations`])}`,
    },
  );
}

/** What stands where a replica was says as little as nothing: its device may be away. */
async function isThere(store: Pick<GenerationStore, "exists">): Promise<boolean> {
  try {
    return await store.exists();
  } catch (error) {
    if (error instanceof ReplicationError && error.code === "config-invalid") return false;
    throw error;
  }
}
