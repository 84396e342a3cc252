import { messageOf, refuseAll, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { nameKind } from "../platform/file_kind.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import type { Config, DatabaseConfig } from "./config.ts";
import { chooseConfig, CONFIG_VARIABLES, type ConfigChoice, isLitestreamConfig } from "./find_config.ts";
import { readNamedConfig, statusInTime } from "./named_file.ts";
import { readConfig } from "./parse.ts";
import { readPipedConfig } from "./piped_config.ts";
import { placeOf, RememberedLooks } from "./place.ts";
import { expectAnswers } from "./silent_device.ts";
import { formatSize } from "./size.ts";
import { type PlaceOfPart, problemsOfDatabases, problemsOfRecipients } from "./validate.ts";
import type { Surroundings } from "./value.ts";

export interface ConfigSource extends Surroundings {
  /** The value of `--config`. */
  readonly flag: string | undefined;
  /** Whether replicas will be written: keys that only writing needs must then be there. */
  readonly forWriting?: boolean;
  /** Runs what may wait for somebody, with a signal that is aborted when the program is asked to stop. */
  readonly whileInterruptible?: <T>(work: (signal?: AbortSignal) => Promise<T>) => Promise<T>;
}

/** The smallest that there is. */
const EXAMPLE = "dbs: [{path: /data/app.db, replicas: [{path: /backup/app}]}]";

/** Finds, reads and checks the config. Throws `ReplicationError` "config-invalid" for everything that is wrong with it. */
export async function loadConfig(tools: Pick<Platform, "files" | "clock">, source: ConfigSource): Promise<Config> {
  try {
    return await findAndRead(tools, source);
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.advice !== undefined || isNoMistake(error)) throw error;
    const advice = `put that right; docs/config.md has every key, and the smallest config is ${EXAMPLE}`;
    throw new ReplicationError(error.code, error.message, { cause: error, others: error.others, advice });
  }
}

async function findAndRead(tools: Pick<Platform, "files" | "clock">, source: ConfigSource): Promise<Config> {
  const choice = chooseConfig(source.flag, source);
  const path = await existingConfig(tools, choice, source);
  const { config, placeOf, problems } = readConfig(await readText(tools, path, source), path, {
    ...source,
    fromLitestreamConfig: isLitestreamConfig(choice, path),
  });
  await waitedFor(source, (signal) => expectAnswers(config.databases, tools, signal));
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
  const looks = new RememberedLooks(files);
  const { key } = placeOf(looks, path);
  return config.databases.find((database) => placeOf(looks, database.path).key === key);
}

type Interruptible = Pick<ConfigSource, "whileInterruptible">;
type Tools = Pick<Platform, "files" | "clock">;

async function existingConfig(tools: Tools, choice: ConfigChoice, source: Interruptible): Promise<string> {
  switch (choice.kind) {
    case "named":
      if (await statusOf(tools, choice.path, source) !== undefined) return choice.path;
      throw invalid(
        `config ${choice.path}: there is no such file (named by ${choice.by})`,
        `write it, or name another one; the smallest is ${EXAMPLE}`,
      );
    case "default": {
      for (const path of choice.paths) if (await statusOf(tools, path, source) !== undefined) return path;
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

async function readText(tools: Tools, path: string, source: Interruptible): Promise<string> {
  const { size = 0, kind = "file" } = await statusOf(tools, path, source) ?? {};
  if (kind !== "file" && kind !== "pipe") {
    throw invalid(`config ${path}: it is ${nameKind(kind)} (it should be a YAML file)`);
  }
  const read = kind === "pipe" ? readPipedConfig : readNamedConfig;
  const text = size > limits.configMaxBytes
    ? undefined
    : await waitedFor(source, (signal) => read(tools, path, signal));
  if (text === undefined || text.length > limits.configMaxBytes) {
    throw invalid(`config ${path}: it is larger than ${formatSize(limits.configMaxBytes)} (it should be a YAML file)`);
  }
  return text;
}

function statusOf(tools: Tools, path: string, source: Interruptible) {
  return waitedFor(source, (signal) => statusInTime(tools, path, signal));
}

/** What the file system says about a config is trouble with the config: exit code 2, but for what may pass. */
async function waitedFor<T>(
  { whileInterruptible = (work) => work() }: Interruptible,
  work: (signal?: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await whileInterruptible(work);
  } catch (error) {
    if (error instanceof ReplicationError && isNoMistake(error)) throw error;
    const advice = error instanceof ReplicationError ? error.advice : undefined;
    throw new ReplicationError("config-invalid", messageOf(error), { cause: error, ...(advice && { advice }) });
  }
}

/** Nobody has written a wrong config where the wait for it was ended, or its device gives no answer. */
function isNoMistake({ code }: ReplicationError): boolean {
  return code === "cancelled" || code === "unavailable";
}

function invalid(subjectAndProblem: string, advice?: string): ReplicationError {
  return new ReplicationError(
    "config-invalid",
    `Cannot read ${subjectAndProblem}`,
    advice === undefined ? {} : { advice },
  );
}
