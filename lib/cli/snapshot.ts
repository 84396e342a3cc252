/** Makes a snapshot now: by the process that replicates the database, or, where there is none, by this one. */
import { ExitCode, exitCodeOf, messageOf, ReplicationError, worstExitCode } from "../base/errors.ts";
import { createLogger } from "../base/log.ts";
import type { Config, DatabaseConfig } from "../config/config.ts";
import { databasePathFromArgument } from "../config/from_arguments.ts";
import { Daemon, isBusy } from "../daemon/daemon.ts";
import { orderSnapshot, type SnapshotOrder, type SnapshotResult } from "../daemon/order.ts";
import { statePathOf } from "../daemon/status.ts";
import { openFileEvents } from "../platform/file_events.ts";
import { formatPosition } from "../position/position.ts";
import { chooseByName, unknownDatabase } from "./chosen_replicas.ts";
import type { CommandContext } from "./command.ts";
import { withSignals } from "./interruption.ts";
import { loadConfigForWriting } from "./load_config.ts";
import { writeJson, writeLine } from "./output.ts";
import { printable } from "./table.ts";

const SCHEMA_VERSION = 1;
/** A process that has just begun takes no orders yet; one that ends has soon ended. */
const TRIES = 20;
const TRY_AGAIN_MS = 250;

interface Made extends SnapshotResult {
  readonly database: string;
  /** Whether another process made it. */
  readonly byDaemon: boolean;
}

export function run(context: CommandContext): Promise<number> {
  return withSignals(context, (signal) => snapshot(context, signal));
}

async function snapshot(context: CommandContext, signal: AbortSignal): Promise<number> {
  const config = await loadConfigForWriting(context);
  const databases = await chooseDatabases(context, config);
  for (const { path } of databases) {
    if (context.platform.files.status(path) !== undefined) continue;
    throw new ReplicationError("not-found", `Cannot make a snapshot of ${path}: there is no such database`);
  }
  const made: Made[] = [];
  const errors: ReplicationError[] = [];
  for (const database of databases) { // What is wrong with one keeps no other from its snapshot.
    try {
      made.push(...await snapshotOf(context, config, database, signal));
    } catch (error) {
      if (!(error instanceof ReplicationError) || databases.length === 1) throw error;
      errors.push(error);
    }
  }
  if (context.arguments.isOn("json")) {
    writeJson(context.stdout, SCHEMA_VERSION, { snapshots: made.map(documentOf) });
  }
  for (const sentence of [...made.map(sentenceOf), ...errors.map(messageOf)]) {
    writeLine(context.stderr, printable(sentence));
  }
  return worstExitCode([...made.map(exitCodeOfMade), ...errors.map(exitCodeOf)]);
}

async function chooseDatabases(context: CommandContext, config: Config): Promise<readonly DatabaseConfig[]> {
  const [typed] = context.arguments.positionals;
  if (typed === undefined) return config.databases;
  const path = databasePathFromArgument(typed, context.currentFolder());
  const { findDatabase } = await import("../config/load.ts");
  const database = findDatabase(config, context.platform.files, path);
  if (database === undefined) throw unknownDatabase(path, config);
  return [database];
}

async function snapshotOf(
  context: CommandContext,
  config: Config,
  database: DatabaseConfig,
  signal: AbortSignal,
): Promise<Made[]> {
  const { platform } = context;
  const named = context.arguments.text("replica");
  const order = { replicas: chooseByName(database, named).map(({ name, url }) => ({ name, url })) };
  for (let tries = 0; tries < TRIES && !signal.aborted; tries++) {
    const statePath = statePathOf(platform.files, database);
    const ordered = await orderSnapshot(platform, statePath, order, signal, context.userId);
    if (ordered.kind === "done") return ordered.results.map((one) => madeOf(database, one, true));
    const results = await ownSnapshot(context, config, database, order, signal);
    if (results !== undefined) return results.map((one) => madeOf(database, one, false));
    await platform.clock.sleep(TRY_AGAIN_MS, signal);
  }
  if (signal.aborted) {
    throw new ReplicationError("cancelled", `Cannot make a snapshot of ${database.path}: it was interrupted`);
  }
  const what = "another process has it, and takes no orders (is it of an older version?)";
  throw new ReplicationError("busy", `Cannot make a snapshot of ${database.path}: ${what}`);
}

/** Undefined when another process has the database. */
async function ownSnapshot(
  context: CommandContext,
  config: Config,
  database: DatabaseConfig,
  order: SnapshotOrder,
  signal: AbortSignal,
): Promise<readonly SnapshotResult[] | undefined> {
  const { selectDriver } = await import("../sqlite/select_driver.ts");
  const events = openFileEvents();
  const daemon = new Daemon({
    platform: context.platform,
    driver: await selectDriver(config.sqliteLibrary),
    databases: [database],
    mode: "once",
    cancelled: signal,
    shutdownTimeoutMs: 0,
    log: loggerFor(context),
    watchFolder: (folder, listener) => events?.watchFolder(folder, listener),
    userId: context.userId,
  });
  try {
    await daemon.start();
  } catch (error) {
    await daemon.release();
    if (!isBusy(error)) throw error;
    return undefined;
  }
  const results = await daemon.snapshot(database.path, order);
  await daemon.finish();
  return results;
}

/** The command says itself what became of it; what went wrong on the way is worth a line. */
function loggerFor(context: CommandContext) {
  return createLogger({
    level: "error",
    format: "text",
    now: () => context.platform.clock.now(),
    writeLine: (line) => context.stderr.write(`${line}\n`),
  });
}

function madeOf({ path }: DatabaseConfig, result: SnapshotResult, byDaemon: boolean): Made {
  return { ...result, database: path, byDaemon };
}

function sentenceOf({ database, replica, position, problem, byDaemon }: Made): string {
  if (position === undefined) {
    const on = replica === "" ? "" : ` on replica ${replica}`; // What is wrong with the order is said of all.
    return `Cannot make a snapshot of ${database}${on}: ${problem}`;
  }
  const by = byDaemon ? ", by the process that replicates it" : "";
  return `Snapshot of ${database} on replica ${replica}: ${formatPosition(position)}${by}`;
}

function documentOf({ database, replica, position, problem, byDaemon }: Made): Record<string, unknown> {
  return {
    database,
    replica,
    position: position === undefined ? null : formatPosition(position),
    by_daemon: byDaemon,
    problem: problem ?? null,
  };
}

function exitCodeOfMade({ position, mayPass }: Made): number {
  return position !== undefined ? ExitCode.done : mayPass === true ? ExitCode.tryAgain : ExitCode.failed;
}
