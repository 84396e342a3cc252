import { messageOf, refuseAll, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import type { Config, DatabaseConfig } from "./config.ts";
import { chooseConfig, CONFIG_VARIABLES, type ConfigChoice, isLitestreamConfig } from "./find_config.ts";
import { readConfig } from "./parse.ts";
import { placeOf } from "./place.ts";
import { formatSize } from "./size.ts";
import { type PlaceOfPart, problemsOfDatabases, problemsOfRecipients } from "./validate.ts";
import type { Surroundings } from "./value.ts";

export interface ConfigSource extends Surroundings {
  /** The value of `--config`. */
  readonly flag: string | undefined;
  /** Whether replicas will be written: keys that only writing needs must then be there. */
  readonly forWriting?: boolean;
}

/** The smallest that there is. */
const EXAMPLE = "dbs: [{path: /data/app.db, replicas: [{path: /backup/app}]}]";

/** Finds, reads and checks the config. Throws `ReplicationError` "config-invalid" for everything that is wrong with it. */
export async function loadConfig(tools: Pick<Platform, "files" | "clock">, source: ConfigSource): Promise<Config> {
  try {
    return await findAndRead(tools, source);
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.advice !== undefined) throw error;
    const advice = `put that right; docs/config.md has every key, and the smallest config is ${EXAMPLE}`;
    throw new ReplicationError(error.code, error.message, { cause: error, others: error.others, advice });
  }
}

async function findAndRead(tools: Pick<Platform, "files" | "clock">, source: ConfigSource): Promise<Config> {
  const { files } = tools;
  const choice = chooseConfig(source.flag, source);
  const path = existingConfig(files, choice);
  const { config, placeOf, problems } = readConfig(readText(files, path), path, {
    ...source,
    fromLitestreamConfig: isLitestreamConfig(choice, path),
  });
  const placeOfPart: PlaceOfPart = (part) => `config ${placeOf(part)}`;
  refuseAll([
    ...problems,
    ...(source.forWriting ? problemsOfRecipients(config.databases, placeOfPart) : []),
    ...await problemsOfDatabases(config.databases, tools, placeOfPart),
  ]);
  return { ...config, warnings: [...warningsOf(choice), ...config.warnings] };
}

function warningsOf(choice: ConfigChoice): string[] {
  if (choice.kind !== "named" || choice.removed === undefined) return [];
  return [`${choice.by} is taken without ${choice.removed}`];
}

/** The entry of a database in a config, by any path that leads to its file; undefined when it has none. */
export function findDatabase(config: Config, files: FileSystem, path: string): DatabaseConfig | undefined {
  const byName = config.databases.find((database) => database.path === path);
  if (byName !== undefined) return byName;
  const { key } = placeOf(files, path);
  return config.databases.find((database) => placeOf(files, database.path).key === key);
}

function existingConfig(files: FileSystem, choice: ConfigChoice): string {
  switch (choice.kind) {
    case "named":
      if (statusOf(files, choice.path) !== undefined) return choice.path;
      throw invalid(
        `config ${choice.path}: there is no such file (named by ${choice.by})`,
        `write it, or name another one; the smallest is ${EXAMPLE}`,
      );
    case "default": {
      const found = choice.paths.find((path) => statusOf(files, path) !== undefined);
      if (found !== undefined) return found;
      const variables = CONFIG_VARIABLES.map((name) => `$${name}`).join(" nor ");
      throw invalid(
        `a config: there is none (neither --config nor ${variables} is set, and there is no ${
          choice.paths.join(" or ")
        })`,
        `write ${choice.paths[0]}, or name one with --config; the smallest is ${EXAMPLE}`,
      );
    }
  }
}

function readText(files: FileSystem, path: string): string {
  const status = statusOf(files, path);
  if (status?.kind === "folder") throw invalid(`config ${path}: it is a folder (it should be a YAML file)`);
  const text = (status?.size ?? 0) > limits.configMaxBytes ? undefined : textOf(files, path);
  if (text === undefined || text.length > limits.configMaxBytes) {
    throw invalid(`config ${path}: it is larger than ${formatSize(limits.configMaxBytes)} (it should be a YAML file)`);
  }
  return text;
}

function textOf(files: FileSystem, path: string): string {
  return translated(() => files.readUtf8(path));
}

function statusOf(files: FileSystem, path: string) {
  return translated(() => files.status(path));
}

/** What the file system says about a config is trouble with the config: exit code 2, whatever it is. */
function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const advice = error instanceof ReplicationError ? error.advice : undefined;
    throw new ReplicationError("config-invalid", messageOf(error), { cause: error, ...(advice && { advice }) });
  }
}

function invalid(subjectAndProblem: string, advice?: string): ReplicationError {
  return new ReplicationError(
    "config-invalid",
    `Cannot read ${subjectAndProblem}`,
    advice === undefined ? {} : { advice },
  );
}
