import { createEncryption } from "../age/encryption.ts";
import { ExitCode, exitCodeOf, ReplicationError, worstExitCode } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { createLogger, type Logger, type LogLevel } from "../base/log.ts";
import { resolve } from "../base/path.ts";
import { product } from "../base/product.ts";
import type { DatabaseConfig, LoggingConfig } from "../config/config.ts";
import { parseDuration } from "../config/duration.ts";
import { databaseConfigFromArguments } from "../config/from_arguments.ts";
import { validateDatabases } from "../config/validate.ts";
import { Daemon, type FinalSync, isBusy } from "../daemon/daemon.ts";
import { awaitDaemonOf } from "../daemon/await_daemon.ts";
import { dueBy } from "../daemon/verify_schedule.ts";
import { openFileEvents } from "../platform/file_events.ts";
import type { ListenAddress } from "../platform/http_server.ts";
import type { ChildHandle, StopSignal } from "../platform/process.ts";
import { hasWalResetBug, WAL_RESET_BUG } from "../sqlite/version.ts";
import { selectDriver } from "../sqlite/select_driver.ts";
import type { CommandContext } from "./command.ts";
import { adviceLine, complain } from "./advice.ts";
import { onStopSignals } from "./interruption.ts";
import { splitWords } from "./split_words.ts";
import { printable } from "./table.ts";

interface Plan {
  readonly databases: readonly DatabaseConfig[];
  readonly logging: LoggingConfig;
  readonly exec: string | undefined;
  readonly sqliteLibrary: string | undefined;
  readonly shutdownTimeoutMs: number;
  /** Where metrics and health are served. */
  readonly monitoring?: ListenAddress | undefined;
  readonly monitoringNames?: readonly string[];
  /** The config file; undefined without one. */
  readonly source?: string;
}

/** Follows databases until a signal, the end of `--exec`'s program, or (`--once`) until everything is replicated. */
export async function run(context: CommandContext): Promise<number> {
  const plan = await planFor(context);
  const log = loggerFor(context, plan.logging);
  context.stderr.neverWait?.((lines) => log.warn("Messages were lost, since nobody read them", { lines }));
  if (plan.databases.length === 0) {
    throw new ReplicationError("config-invalid", "Cannot replicate: the config names no database", {
      advice: 'list them under "dbs"',
    });
  }
  for (const { age } of plan.databases.flatMap(({ replicas }) => replicas)) {
    if (age !== undefined) await createEncryption(age).checkKeys(); // Before anything is written that nobody can read.
  }
  if (!context.arguments.isOn("once")) await expectPingable(context, plan.databases);
  const driver = await selectDriver(plan.sqliteLibrary);
  log.info(`${product.title} ${product.version}`, { sqlite: driver.version, databases: plan.databases.length });
  if (hasWalResetBug(driver.version)) {
    log.warn(`This SQLite library can corrupt databases by ${WAL_RESET_BUG}`);
  }
  const events = openFileEvents();
  const isOnce = context.arguments.isOn("once");
  const interrupted = new AbortController();
  const daemonOf = (databases: readonly DatabaseConfig[]) =>
    new Daemon({
      platform: context.platform,
      driver,
      databases,
      mode: isOnce ? "once" : "follow",
      ...(isOnce ? { cancelled: interrupted.signal } : {}),
      log,
      watchFolder: (folder, listener) => events?.watchFolder(folder, listener),
      userId: context.userId,
      monitoring: isOnce ? undefined : plan.monitoring,
      monitoringNames: plan.monitoringNames ?? [],
      shutdownTimeoutMs: isOnce ? 0 : plan.shutdownTimeoutMs,
      ...(plan.source === undefined ? {} : { verify: verifier(context, plan.source) }),
    });
  return isOnce
    ? await replicateOnceUnlessStopped(context, plan.databases, daemonOf, log, interrupted)
    : await replicateUntilStopped(context, plan, daemonOf(plan.databases), log);
}

async function planFor(context: CommandContext): Promise<Plan> {
  const [database, ...urls] = context.arguments.positionals;
  const exec = context.arguments.text("exec");
  const level = context.arguments.text("log-level") as LogLevel | undefined;
  const shutdownTimeoutMs = parseDuration(context.arguments.text("shutdown-timeout") ?? "");
  const format = context.arguments.text("log-format") as "text" | "json" | undefined;
  if (database !== undefined) {
    const databases = [databaseConfigFromArguments(database, urls, context.currentFolder())];
    await validateDatabases(databases, context.platform, () => "the command line");
    return {
      databases,
      logging: { level: level ?? "info", format: format ?? "text" },
      exec,
      sqliteLibrary: undefined,
      shutdownTimeoutMs: shutdownTimeoutMs ?? limits.shutdownTimeoutMs,
    };
  }
  const { loadConfigForWriting } = await import("./load_config.ts");
  const config = await loadConfigForWriting(context);
  return {
    databases: config.databases,
    logging: { level: level ?? config.logging.level, format: format ?? config.logging.format },
    exec: exec ?? config.exec,
    sqliteLibrary: config.sqliteLibrary,
    shutdownTimeoutMs: shutdownTimeoutMs ?? config.shutdownTimeoutMs,
    monitoring: config.monitoring,
    monitoringNames: config.monitoringNames ?? [],
    source: config.source,
  };
}

/** The config is read anew by the process that verifies. */
function verifier(context: CommandContext, source: string) {
  const flags = ["--config", source, ...(context.arguments.isOn("no-expand-env") ? ["--no-expand-env"] : [])];
  return ({ path }: DatabaseConfig, signal: AbortSignal) => context.runAgain(["verify", ...flags, path], signal);
}

/** What the file with an address holds is seen at the first verification else, in the night. */
async function expectPingable(context: CommandContext, databases: readonly DatabaseConfig[]): Promise<void> {
  for (const { verify } of databases) {
    if (verify.pingUrl === undefined || dueBy(verify) === undefined) continue;
    const { pingAddress } = await import("./verify_ping.ts");
    pingAddress(context.platform.files, verify.pingUrl.reveal(), (path) => resolve(context.currentFolder(), path));
  }
}

function loggerFor(context: CommandContext, logging: LoggingConfig): Logger {
  return createLogger({
    ...logging,
    now: () => context.platform.clock.now(),
    writeLine: (line) => context.stderr.write(`${line}\n`),
  });
}

/** A signal breaks off what is being written, of which nothing is left; what was written before stays. */
async function replicateOnceUnlessStopped(
  context: CommandContext,
  databases: readonly DatabaseConfig[],
  daemonOf: (databases: readonly DatabaseConfig[]) => Daemon,
  log: Logger,
  interrupted: AbortController,
): Promise<number> {
  const leave = Promise.withResolvers<number>();
  onStopSignals(context, (name, leaveCode) => {
    log.info(leaveCode === undefined ? "Stopping" : "Leaving at once", { signal: name });
    if (leaveCode === undefined) interrupted.abort();
    else leave.resolve(leaveCode);
  });
  const work = replicateOnce(context, databases, daemonOf, log, interrupted.signal);
  return await Promise.race([work, leave.promise]);
}

/** What another process replicates is waited for, and taken up when that one ends before it is done. */
async function replicateOnce(
  context: CommandContext,
  databases: readonly DatabaseConfig[],
  daemonOf: (databases: readonly DatabaseConfig[]) => Daemon,
  log: Logger,
  signal: AbortSignal,
): Promise<number> {
  const daemon = daemonOf(databases);
  const results: FinalSync[] = [];
  try {
    if (await startUnless(signal, daemon) === "interrupted") {
      await daemon.abandon();
      throw new ReplicationError("cancelled", "Cannot replicate once: it was interrupted");
    }
    const others = daemon.busy.map(({ path }) => path);
    for (const result of await daemon.finish()) if (!others.includes(result.database)) results.push(result);
  } catch (error) {
    if (!isBusy(error)) throw error;
    results.push(...daemon.refused);
    await daemon.release();
  }
  report(context, results);
  const codes = [...results.map(({ exitCode }) => exitCode), reportAbsent(context, results)];
  if (daemon.busy.length > 0) {
    const count = daemon.busy.length;
    const what = count === 1 ? "database" : `${count} databases`;
    const who = `${daemon.holders().names}, which replicates the ${what} already`;
    log.info(`Waiting until ${who}, has brought every replica what is committed now`);
    const ends = await Promise.all(daemon.busy.map((database) => endOf(context, database, signal)));
    codes.push(...ends.filter((end) => typeof end === "number"));
    const held = ends.filter((end) => end === "held").length;
    if (held > 0) log.info("Every replica holds what was committed", { databases: held });
    const left = daemon.busy.filter((_, slot) => ends[slot] === "left");
    if (left.length > 0) codes.push(await replicateOnce(context, left, daemonOf, log, signal));
  }
  return worstExitCode(codes);
}

/** How the wait for the other process ended; the exit code where that is said. */
async function endOf(
  context: CommandContext,
  database: DatabaseConfig,
  signal: AbortSignal,
): Promise<"held" | "left" | number> {
  try {
    return await awaitDaemonOf(context.platform, database, { signal });
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error;
    complain(context, [error]);
    return exitCodeOf(error);
  }
}

/** Whether a database can be taken up is found out without anything that would be left on a replica. */
async function startUnless(signal: AbortSignal, daemon: Daemon): Promise<"started" | "interrupted"> {
  const interrupted = new Promise<"interrupted">((resolve) => {
    if (signal.aborted) resolve("interrupted");
    signal.addEventListener("abort", () => resolve("interrupted"), { once: true });
  });
  return await Promise.race([daemon.start().then(() => "started" as const), interrupted]);
}

async function replicateUntilStopped(
  context: CommandContext,
  plan: Plan,
  daemon: Daemon,
  log: Logger,
): Promise<number> {
  const stop = Promise.withResolvers<StopSignal>();
  const leave = Promise.withResolvers<number>();
  let child: ChildHandle | undefined;
  let fatal: ReplicationError | undefined;
  let isStopping = false;
  context.adoptOrphans();
  onStopSignals(context, (name, leaveCode) => {
    isStopping = true;
    child?.kill(signalForChild(name));
    log.info(leaveCode === undefined ? "Stopping" : "Leaving at once", { signal: name });
    if (leaveCode === undefined) stop.resolve(name);
    else leave.resolve(leaveCode);
  });
  const ended = (async () => {
    await Promise.race([daemon.start(), stop.promise]);
    if (plan.exec !== undefined && !isStopping) child = startChild(context, plan.exec);
    // With a child, the signal was passed on to it, and its end is ours.
    const status = await (child === undefined ? stop.promise.then(() => undefined) : child.status);
    if (fatal !== undefined) throw fatal;
    const code = report(context, await daemon.finish());
    return status === undefined || status.code === 0 ? code : status.code;
  })();
  daemon.fatal.then((error) => {
    fatal = error;
    child?.kill("SIGTERM"); // Nobody else would ever end it.
    stop.resolve("SIGTERM");
  });
  return await Promise.race([ended, leave.promise]);
}

/** The limit on its time is each process's own, and of a host that shuts down the child is told by us. */
function signalForChild(name: StopSignal): StopSignal {
  return name === "SIGXCPU" || name === "SIGPWR" ? "SIGTERM" : name;
}

function startChild(context: CommandContext, commandLine: string): ChildHandle {
  const [command, ...words] = splitWords(commandLine);
  if (command === undefined) {
    throw new ReplicationError("usage", "Cannot start the program of exec: its command line is empty");
  }
  return context.spawn(command, words);
}

/** What is not replicated is said on stderr, one line a replica, whatever the log level. */
function report(context: CommandContext, results: readonly FinalSync[]): number {
  const failed = results.filter(({ problem }) => problem !== undefined);
  for (const { database, replica, problem } of failed) {
    context.stderr.write(`Cannot finish replica ${replica} of ${database}: ${problem}\n`);
  }
  const advice = new Set(failed.flatMap(({ advice }) => advice ?? []));
  for (const one of advice) context.stderr.write(`${printable(adviceLine(one, context.invocation))}\n`);
  return failed.length === 0 ? ExitCode.done : ExitCode.failed;
}

/** Who asks for one replication expects a database. */
function reportAbsent(context: CommandContext, results: readonly FinalSync[]): number {
  const absent = new Map(results.map(({ database, absence }) => [database, absence]));
  let code: number = ExitCode.done;
  for (const [database, absence] of absent) {
    if (absence === undefined) continue;
    context.stderr.write(`Cannot replicate ${database} once: ${absence}\n`);
    code = ExitCode.nothingThere;
  }
  return code;
}
