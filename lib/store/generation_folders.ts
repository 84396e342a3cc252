/** What every layout has: a folder for each generation. */
import type { ReplicaClient } from "../clients/client.ts";
import type { Generation } from "../position/generation.ts";
import { GENERATIONS_FOLDER, parseGenerationName } from "../position/keys.ts";

export async function holdsGenerations(client: ReplicaClient): Promise<boolean> {
  return (await client.status(GENERATIONS_FOLDER))?.kind === "folder";
}

export async function listGenerations(client: ReplicaClient): Promise<readonly Generation[]> {
  const entries = await client.list(GENERATIONS_FOLDER);
  return entries.flatMap((entry) => entry.kind === "folder" ? parseGenerationName(entry.name) ?? [] : []);
}
