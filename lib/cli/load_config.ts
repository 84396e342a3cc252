import type { Config } from "../config/config.ts";
import type { CommandContext } from "./command.ts";
import { writeLine } from "./output.ts";
import { printable } from "./table.ts";

/** The config that `--config`, `--no-expand-env` and the environment ask for. YAML is read only when it is needed. */
export function loadConfigFor(context: CommandContext): Promise<Config> {
  return load(context, false);
}

/** The same with what only those need who write replicas. */
export function loadConfigForWriting(context: CommandContext): Promise<Config> {
  return load(context, true);
}

async function load(context: CommandContext, forWriting: boolean): Promise<Config> {
  const { loadConfig } = await import("../config/load.ts");
  const config = await loadConfig(context.platform, {
    flag: context.arguments.text("config"),
    expand: !context.arguments.isOn("no-expand-env"),
    environment: context.environment,
    currentFolder: context.currentFolder(),
    forWriting,
    whileInterruptible: (work) => whileInterruptible(context, work),
  });
  for (const warning of config.warnings) writeLine(context.stderr, printable(`Warning: ${warning}`));
  return config;
}

async function whileInterruptible<T>(context: CommandContext, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stopped = new AbortController();
  const stopListening = context.onSignal(() => stopped.abort());
  const { signal } = stopped;
  try {
    return await work(context.until === undefined ? signal : AbortSignal.any([signal, context.until]));
  } finally {
    stopListening();
  }
}
