import { inBatches } from "../base/batches.ts";
import { refuseAll, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Clock } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { AgeConfig, DatabaseConfig, ReplicaConfig } from "./config.ts";
import { isInside, type Place, placeOf, placeOfReplica, RememberedLooks } from "./place.ts";
import { expectAnswers } from "./silent_device.ts";

/** Where something is written, as the message about it shall begin: `Cannot use <this>: ...`. */
export type PlaceOfPart = (part: DatabaseConfig | ReplicaConfig | AgeConfig) => string;

interface Folder {
  readonly kind: "replica" | "state folder";
  readonly path: string;
  readonly place: Place;
  readonly part: DatabaseConfig | ReplicaConfig;
}

/** Throws `ReplicationError` "config-invalid" for all that `problemsOfDatabases` finds, "unavailable" for what hangs. */
export async function validateDatabases(
  databases: readonly DatabaseConfig[],
  tools: Pick<Platform, "files" | "clock">,
  placeOfPart: PlaceOfPart,
): Promise<void> {
  await expectAnswers(databases, tools);
  refuseAll(await problemsOfDatabases(databases, tools, placeOfPart));
}

/**
 * What of databases and replicas would destroy one another: two entries for the same file, replicas at the same or
 * nested places, a replica and a state folder within each other, one state folder for two databases. Looks at the files,
 * since two paths may lead to the same place.
 */
export async function problemsOfDatabases(
  databases: readonly DatabaseConfig[],
  tools: Pick<Platform, "files" | "clock">,
  placeOfPart: PlaceOfPart,
): Promise<ReplicationError[]> {
  const looks = new RememberedLooks(tools.files);
  const { twice, once } = sameFiles(databases, looks, placeOfPart);
  // The second entry of a file has the state folder of the first, which need not be said as well.
  const folders = await inBatches(once, limits.placesAtOnce, (database) => foldersOf(database, tools.clock, looks));
  return [...twice, ...sharedFolders(folders.flat(), placeOfPart)];
}

/** Replicas with `age` that have nobody to encrypt for: they could only be written unencrypted. */
export function problemsOfRecipients(
  databases: readonly DatabaseConfig[],
  placeOfPart: PlaceOfPart,
): ReplicationError[] {
  return databases.flatMap(({ replicas }) => replicas).flatMap(({ name, age }) => {
    if (age === undefined || age.recipients.length > 0) return [];
    const problem = `the replica "${name}" has "age" without "recipients" (name at least one, or remove "age")`;
    return [invalid(placeOfPart(age), problem)];
  });
}

function sameFiles(databases: readonly DatabaseConfig[], looks: RememberedLooks, placeOfPart: PlaceOfPart) {
  const twice: ReplicationError[] = [];
  const seen = new Map<string, DatabaseConfig>();
  for (const database of databases) {
    const { key } = placeOf(looks, database.path);
    const other = seen.get(key);
    if (other !== undefined) {
      const named = other.path === database.path
        ? `the database ${database.path} is listed twice`
        : `the database ${database.path} is the same file as ${other.path}, which is listed before`;
      twice.push(invalid(placeOfPart(database), `${named} (list each file once, with all its replicas)`));
    } else seen.set(key, database);
  }
  return { twice, once: [...seen.values()] };
}

async function foldersOf(
  database: DatabaseConfig,
  clock: Clock,
  looks: RememberedLooks,
): Promise<Folder[]> {
  const state: Folder = {
    kind: "state folder",
    path: database.statePath,
    place: placeOf(looks, database.statePath),
    part: database,
  };
  const replicas = database.replicas.map(async (replica): Promise<Folder> => {
    const { path } = replica;
    return { kind: "replica", path, place: await placeOfReplica(clock, looks, path), part: replica };
  });
  return [state, ...await Promise.all(replicas)];
}

/** Each folder is met once by its own key, and once on the way up from every folder inside it. */
function sharedFolders(folders: readonly Folder[], placeOfPart: PlaceOfPart): ReplicationError[] {
  const problems: ReplicationError[] = [];
  const byKey = new Map<string, Folder>();
  for (const folder of folders) {
    const other = byKey.get(folder.place.key);
    if (other !== undefined) problems.push(collision(folder, other, placeOfPart));
    else byKey.set(folder.place.key, folder);
  }
  for (const inner of folders) {
    for (const key of inner.place.around) {
      const outer = byKey.get(key);
      const isOther = outer !== undefined && outer !== inner && key !== inner.place.key;
      if (isOther) problems.push(collision(inner, outer, placeOfPart));
    }
  }
  return problems;
}

function collision(inner: Folder, outer: Folder, placeOfPart: PlaceOfPart): ReplicationError {
  const isSame = isInside(outer.place, inner.place);
  const relation = isSame ? "is the same place as" : "lies inside";
  return invalid(
    placeOfPart(inner.part),
    `the ${inner.kind} ${inner.path} ${relation} the ${outer.kind} ${outer.path} (each needs a folder of its own)`,
  );
}

function invalid(place: string, problem: string): ReplicationError {
  return new ReplicationError("config-invalid", `Cannot use ${place}: ${problem}`);
}
