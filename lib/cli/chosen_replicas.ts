import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { ownCommandLine } from "../base/command_line.ts";
import type { Config, DatabaseConfig, ReplicaConfig } from "../config/config.ts";
import { databasePathFromArgument, replicaConfigFromArgument } from "../config/from_arguments.ts";
import { formatReplicaUrl, isReplicaUrl } from "../config/replica_url.ts";
import { unlessLate } from "../platform/clock.ts";
import { isReplicaFolder } from "../store/place.ts";
import type { CommandContext } from "./command.ts";
import { loadConfigFor } from "./load_config.ts";

/** What the argument `DB | URL` of a command speaks of. */
export interface ChosenReplicas {
  /** Absent when a URL was given. */
  readonly database?: DatabaseConfig;
  /** At least one; in the config's order. */
  readonly replicas: readonly ReplicaConfig[];
}

/** By `DB` or `URL`, `--config` and `--replica`. Throws `ReplicationError` "usage" or "config-invalid". */
export async function chooseReplicas(context: CommandContext): Promise<ChosenReplicas> {
  const argument = context.arguments.positionals[0] ?? "";
  if (isReplicaUrl(argument)) return { replicas: [replicaConfigFromArgument(argument)] };
  const path = databasePathFromArgument(argument, context.currentFolder());
  const isOfConfig = ["config", "replica", "no-expand-env"].some((flag) => context.arguments.text(flag) !== undefined);
  if (!isOfConfig && await isPlaceOfReplicas(context, path)) {
    return { replicas: [replicaConfigFromArgument(formatReplicaUrl(path))] };
  }
  const config = await loadConfigFor(context);
  const { findDatabase } = await import("../config/load.ts");
  const database = findDatabase(config, context.platform.files, path);
  if (database === undefined) throw unknownDatabase(path, config);
  return { database, replicas: chooseByName(database, context.arguments.text("replica")) };
}

/** A folder is no database; one that holds what replicas hold is meant as one, though no URL was written. */
async function isPlaceOfReplicas({ platform: { files, clock } }: CommandContext, path: string): Promise<boolean> {
  const look = async () =>
    (await files.statusLater(path))?.kind === "folder" && (await files.listLater(path)).some(isReplicaFolder);
  const answer = await unlessLate(clock, limits.deviceAnswerMaxMs, look());
  if (answer !== undefined) return answer.value;
  const seconds = limits.deviceAnswerMaxMs / 1_000;
  throw new ReplicationError("unavailable", `Cannot look at ${path}: its device has not answered for ${seconds} s`);
}

export function chooseByName(database: DatabaseConfig, name: string | undefined): readonly ReplicaConfig[] {
  if (name === undefined) return database.replicas;
  const replicas = database.replicas.filter((replica) => replica.name === name);
  if (replicas.length > 0) return replicas;
  throw noSuchReplica(name, [database]);
}

export function noSuchReplica(name: string, databases: readonly DatabaseConfig[]): ReplicationError {
  const names = [...new Set(databases.flatMap(({ replicas }) => replicas.map((replica) => replica.name)))].join(", ");
  const where = databases.map(({ path }) => path).join(", ");
  return new ReplicationError(
    "usage",
    `Cannot use the replica ${JSON.stringify(name)}: ${where} has none of this name (it has ${names})`,
  );
}

export function unknownDatabase(path: string, config: Config): ReplicationError {
  return new ReplicationError(
    "usage",
    `Cannot use the database ${path}: the config ${config.source} does not list it ` +
      "(it should be one of its databases, or a replica URL)",
    { advice: ownCommandLine(["databases", "--config", config.source]) },
  );
}
