import { ReplicationError } from "../base/errors.ts";
import { resolve } from "../base/path.ts";
import { withoutUserInfo } from "../base/secret.ts";
import type { DatabaseConfig, ReplicaConfig } from "./config.ts";
import { defaults, defaultStatePath, replicaDefaults } from "./defaults.ts";
import { FILE_REPLICA, formatReplicaUrl, isReplicaUrl, parseReplicaUrl } from "./replica_url.ts";

/** The config of `DB URL [URL...]`. Throws `ReplicationError` "usage". */
export function databaseConfigFromArguments(
  database: string,
  urls: readonly string[],
  currentFolder: string,
): DatabaseConfig {
  const path = databasePathFromArgument(database, currentFolder);
  return {
    ...defaults,
    path,
    statePath: defaultStatePath(path),
    replicas: urls.map((url, i) => replicaConfigFromArgument(url, i === 0 ? FILE_REPLICA : `${FILE_REPLICA}-${i + 1}`)),
  };
}

/** The config of a replica that is given by its URL alone. Throws `ReplicationError` "usage". */
export function replicaConfigFromArgument(url: string, name: string = FILE_REPLICA): ReplicaConfig {
  const parsed = parseReplicaUrl(url);
  if (parsed.kind === "refused") throw new ReplicationError("usage", `Cannot use ${parsed.shown}: ${parsed.problem}`);
  return { ...replicaDefaults, type: FILE_REPLICA, name, path: parsed.path, url: formatReplicaUrl(parsed.path) };
}

/** The absolute path of a database that is given as an argument. Throws `ReplicationError` "usage". */
export function databasePathFromArgument(database: string, currentFolder: string): string {
  if (isReplicaUrl(database)) {
    const shown = withoutUserInfo(database);
    throw new ReplicationError("usage", `Cannot use ${shown}: it is a URL (the path of a database comes first)`);
  }
  return resolve(currentFolder, database);
}
