import { ExitCode } from "../base/errors.ts";
import type { Config, DatabaseConfig } from "../config/config.ts";
import type { CommandContext } from "./command.ts";
import { loadConfigFor } from "./load_config.ts";
import { writeJson } from "./output.ts";
import { formatTable } from "./table.ts";

const SCHEMA_VERSION = 1;

export async function run(context: CommandContext): Promise<number> {
  const config = await loadConfigFor(context);
  if (context.arguments.isOn("json")) {
    writeJson(context.stdout, SCHEMA_VERSION, documentOf(config));
  } else {
    context.stdout.write(formatTable([{ title: "path" }, { title: "replicas" }], config.databases.map(rowOf)));
  }
  return ExitCode.done;
}

function rowOf(database: DatabaseConfig): string[] {
  return [database.path, database.replicas.map((replica) => replica.name).join(",")];
}

function documentOf(config: Config): Record<string, unknown> {
  return {
    config: config.source,
    databases: config.databases.map((database) => ({
      path: database.path,
      state_path: database.statePath,
      replicas: database.replicas.map(({ name, type, url, defaultLayout }) => ({
        name,
        type,
        url,
        layout: defaultLayout,
      })),
    })),
  };
}
