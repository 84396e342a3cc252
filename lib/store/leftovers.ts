/** What is left of a generation beside its objects: drafts that a crash or a writer of this moment has there, and folders. */
import { largestOf } from "../base/many.ts";
import type { ObjectEntry, ReplicaClient } from "../clients/client.ts";
import type { Generation } from "../position/generation.ts";
import { formatGenerationKey } from "../position/keys.ts";
import { segmentsFolder, snapshotsFolder } from "../position/litestream_names.ts";
import { isDraftName } from "../position/object_names.ts";
import type { GenerationCatalog } from "./generation_store.ts";

export function draftsIn<Entry extends ObjectEntry>(entries: readonly Entry[]): Entry[] {
  return entries.filter(({ name, kind, oddity }) => kind === "object" && oddity === undefined && isDraftName(name));
}

/** As a catalog tells it; of a generation without any object its folder has the only time. */
export async function unfinishedIn(
  client: ReplicaClient,
  generation: Generation,
  drafts: readonly ObjectEntry[],
  isEmpty: boolean,
): Promise<Pick<GenerationCatalog, "unfinishedAtMs">> {
  const folder = isEmpty ? await client.status(formatGenerationKey(generation)) : undefined;
  const times = [...drafts, ...(folder === undefined ? [] : [folder])].map(({ modifiedAtMs }) => modifiedAtMs);
  return times.length === 0 ? {} : { unfinishedAtMs: largestOf(times) };
}

/** The folders are the same in both layouts. `groups`: folders inside them that group objects. */
export async function removeEmptyFolders(
  client: ReplicaClient,
  generation: Generation,
  groups: readonly string[] = [],
): Promise<void> {
  const folders = [...groups, snapshotsFolder(generation), segmentsFolder(generation), formatGenerationKey(generation)];
  for (const folder of folders) await client.removeEmptyFolder?.(folder);
}
