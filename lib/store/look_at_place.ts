/** Lists as much of a replica's folder as `judgePlace` asks about, and tells how new what Litestream 0.5 wrote there is. */
import { viewOf } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { ObjectEntry, ReplicaClient } from "../clients/client.ts";
import { GENERATIONS_FOLDER } from "../position/keys.ts";
import { isForeignFolder, isForeignLevel, isTelling, parseForeignName, type PlaceListing } from "./place.ts";

/** The head of an object of Litestream 0.5. */
const MAGIC = [0x4c, 0x54, 0x58, 0x31]; // "LTX1"
const TIMESTAMP_AT = 32;
const HEAD_BYTES = 40;

export async function lookAtPlace(client: ReplicaClient): Promise<PlaceListing> {
  if (await client.status("") === undefined) return { isThere: false, entries: [], below: new Map(), levels: [] };
  const entries = await client.list("");
  const below = new Map<string, readonly ObjectEntry[]>();
  for (const name of namesToLookInto(entries)) below.set(name, await listBelow(client, name));
  const candidates = [...below].flatMap(([name, inside]) =>
    isForeignFolder(name)
      ? inside.filter((entry) => isForeignLevel(name, entry.name)).map((entry) => `${name}/${entry.name}`)
      : isForeignLevel("", name)
      ? [name]
      : []
  );
  const levels: string[] = [];
  for (const key of candidates) if (newestIn(await listBelow(client, key)) !== undefined) levels.push(key);
  return { isThere: true, entries, below, levels };
}

/**
 * When the newest object of Litestream 0.5 was made, by the heads of the newest of each level: the times of files change
 * when a replica is copied. Infinity when that cannot be told: then it may be newer than anything.
 */
export async function newestForeignMs(client: ReplicaClient, levels: readonly string[]): Promise<number> {
  let newestMs = -Infinity;
  for (const level of levels) {
    const name = newestIn(await client.list(level));
    if (name !== undefined) newestMs = Math.max(newestMs, await madeAtMs(client, `${level}/${name}`));
  }
  return newestMs;
}

async function madeAtMs(client: ReplicaClient, key: string): Promise<number> {
  const head = new Uint8Array(HEAD_BYTES);
  const got = await client.read(key, 0, head);
  if (got < head.length || MAGIC.some((byte, at) => head[at] !== byte)) return Infinity;
  const ms = Number(viewOf(head).getBigInt64(TIMESTAMP_AT));
  return Math.abs(ms) <= limits.latestMs ? ms : Infinity;
}

function newestIn(entries: readonly ObjectEntry[]): string | undefined {
  const objects = entries.filter(({ kind, name }) => kind === "object" && parseForeignName(name) !== undefined);
  return objects.map(({ name }) => name).sort((a, b) => endOf(a) < endOf(b) ? -1 : 1).at(-1);
}

function endOf(name: string): string {
  return parseForeignName(name) ?? "";
}

/** Where there are generations, the others say nothing more. */
function namesToLookInto(entries: readonly ObjectEntry[]): string[] {
  const telling = entries.filter(isTelling).map(({ name }) => name);
  const own = telling.filter((name) => isOwnOrForeign(name));
  if (own.includes(GENERATIONS_FOLDER)) return own;
  return [...own, ...telling.filter((name) => !isOwnOrForeign(name)).slice(0, limits.foldersLookedInto)];
}

function isOwnOrForeign(name: string): boolean {
  return name === GENERATIONS_FOLDER || isForeignFolder(name) || isForeignLevel("", name);
}

/** What may be a replica's must be readable; of another folder, which may be a link, it is enough that it is there. */
async function listBelow(client: ReplicaClient, folder: string): Promise<readonly ObjectEntry[]> {
  try {
    return await client.list(folder);
  } catch (error) {
    const isDenied = error instanceof ReplicationError && error.code === "denied";
    if (isDenied && !folder.includes("/") && !isOwnOrForeign(folder)) return [];
    throw error;
  }
}
