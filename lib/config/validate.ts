import { ReplicationError } from "../base/errors.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { AgeConfig, DatabaseConfig, ReplicaConfig } from "./config.ts";
import { isInside, type Place, placeOf } from "./place.ts";

/** Where something is written, as the message about it shall begin: `Cannot use <this>: ...`. */
export type PlaceOfPart = (part: DatabaseConfig | ReplicaConfig | AgeConfig) => string;

interface Folder {
  readonly kind: "replica" | "state folder";
  readonly path: string;
  readonly place: Place;
  readonly part: DatabaseConfig | ReplicaConfig;
}

/**
 * Refuses databases and replicas that would destroy one another: two entries for the same file, replicas at the same or
 * nested places, a replica and a state folder within each other, one state folder for two databases. Looks at the files,
 * since two paths may lead to the same place. Throws `ReplicationError` "config-invalid".
 */
export function validateDatabases(
  databases: readonly DatabaseConfig[],
  files: FileSystem,
  placeOfPart: PlaceOfPart,
): void {
  refuseSameFile(databases, files, placeOfPart);
  const folders = databases.flatMap((database) => foldersOf(database, files));
  refuseSharedFolders(folders, placeOfPart);
}

/**
 * Refuses a replica with `age` that has nobody to encrypt for: it could only be written unencrypted. Throws
 * `ReplicationError` "config-invalid".
 */
export function validateRecipients(databases: readonly DatabaseConfig[], placeOfPart: PlaceOfPart): void {
  for (const replica of databases.flatMap(({ replicas }) => replicas)) {
    if (replica.age === undefined || replica.age.recipients.length > 0) continue;
    throw invalid(
      placeOfPart(replica.age),
      `the replica "${replica.name}" has "age" without "recipients" (name at least one, or remove "age")`,
    );
  }
}

function refuseSameFile(databases: readonly DatabaseConfig[], files: FileSystem, placeOfPart: PlaceOfPart): void {
  const seen = new Map<string, DatabaseConfig>();
  for (const database of databases) {
    const { key } = placeOf(files, database.path);
    const other = seen.get(key);
    if (other !== undefined) {
      const named = other.path === database.path
        ? `the database ${database.path} is listed twice`
        : `the database ${database.path} is the same file as ${other.path}, which is listed before`;
      throw invalid(placeOfPart(database), `${named} (list each file once, with all its replicas)`);
    }
    seen.set(key, database);
  }
}

function foldersOf(database: DatabaseConfig, files: FileSystem): Folder[] {
  const state: Folder = {
    kind: "state folder",
    path: database.statePath,
    place: placeOf(files, database.statePath),
    part: database,
  };
  return [
    state,
    ...database.replicas.map((replica): Folder => ({
      kind: "replica",
      path: replica.path,
      place: placeOf(files, replica.path),
      part: replica,
    })),
  ];
}

/** Each folder is met once by its own key, and once on the way up from every folder inside it. */
function refuseSharedFolders(folders: readonly Folder[], placeOfPart: PlaceOfPart): void {
  const byKey = new Map<string, Folder>();
  for (const folder of folders) {
    const other = byKey.get(folder.place.key);
    if (other !== undefined) throw collision(folder, other, placeOfPart);
    byKey.set(folder.place.key, folder);
  }
  for (const inner of folders) {
    for (const key of inner.place.around) {
      const outer = byKey.get(key);
      if (outer !== undefined && outer !== inner) throw collision(inner, outer, placeOfPart);
    }
  }
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
