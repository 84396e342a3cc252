/**
 * All databases of a config and their replicas, started and stopped in order: databases first, then replicators; at the end
 * each database captures what is committed, then each replica gets it.
 */
import { commandLine } from "../base/command_line.ts";
import { ExitCode, exitCodeOf, isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { product } from "../base/product.ts";
import { Semaphore } from "../base/semaphore.ts";
import { type Logger, observed } from "../base/log.ts";
import type { DatabaseConfig } from "../config/config.ts";
import { EventLog } from "../database/event_log.ts";
import { FollowedFiles } from "../database/followed_files.ts";
import { type FolderWatcher, WatchedDatabase } from "../database/database.ts";
import { whyForeign } from "../database/state_folder.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { ListenAddress } from "../platform/http_server.ts";
import { unlessLate } from "../platform/clock.ts";
import { lockHolder } from "../platform/open_files.ts";
import type { Platform } from "../platform/platform.ts";
import type { ChildOutput } from "../platform/process.ts";
import { formatPosition, type Position } from "../position/position.ts";
import { FileReplicator } from "../replica/file_replicator.ts";
import { answerDocument, type DaemonMode } from "./answer_document.ts";
import { Answers } from "./answers.ts";
import { askDaemon } from "./ask.ts";
import { Monitoring } from "./monitoring.ts";
import { factsOf } from "./observation.ts";
import { openReplica } from "./open_replica.ts";
import { formatResults, type SnapshotOrder, type SnapshotResult } from "./order.ts";
import { Patience, unlessStill } from "./patience.ts";
import { statePathOf } from "./status.ts";
import { dueBy, endedInTime, VerifySchedule } from "./verify_schedule.ts";
import type { SqliteDriver } from "../sqlite/driver.ts";

export interface DaemonOptions {
  readonly platform: Platform;
  readonly driver: SqliteDriver;
  readonly databases: readonly DatabaseConfig[];
  /** What those are told who ask; `follow` where it is absent. */
  readonly mode?: DaemonMode;
  readonly log: Logger;
  readonly watchFolder: FolderWatcher;
  readonly userId: number | undefined;
  /** Where metrics and health are served; absent: nowhere. */
  readonly monitoring?: ListenAddress | undefined;
  /** By which it may be asked there besides its own. */
  readonly monitoringNames?: readonly string[];
  /** What is under way on replicas ends soon after it is aborted; absent: nothing is broken off. */
  readonly cancelled?: AbortSignal;
  /** How long `finish()` goes on trying without any gain; 0: each thing is tried once. */
  readonly shutdownTimeoutMs: number;
  /** Runs `verify` over one database of the config; absent where nothing is verified on a schedule. */
  readonly verify?: (database: DatabaseConfig, signal: AbortSignal) => Promise<ChildOutput>;
}

/** What became of one replica in a final sync. */
export interface FinalSync {
  readonly database: string;
  readonly replica: string;
  /** Undefined when the replica holds everything. */
  readonly problem: string | undefined;
  /** What to do about it; absent when nothing is known that would help. */
  readonly advice?: string;
  /** Why there was never anything to replicate; undefined when there was. */
  readonly absence: string | undefined;
  /** Of one run over this replica alone; 0 when there is no problem. */
  readonly exitCode: number;
}

/** Less than whoever asks waits for an answer (`limits.daemonAnswerMs`). */
const CAPTURE_PATIENCE_MS = 2_000;
/** Between two questions to a process that does not answer yet. */
const ASK_AGAIN_MS = 100;

interface Refusal {
  readonly database: string;
  readonly error: unknown;
}

interface Problem {
  readonly text: string;
  readonly advice?: string | undefined;
  readonly exitCode: number;
}

interface Pair {
  readonly config: DatabaseConfig;
  readonly database: WatchedDatabase;
  readonly log: Logger;
  /** In the order of the config. */
  readonly replicators: readonly FileReplicator[];
}

export class Daemon {
  readonly #pairs: readonly Pair[];
  readonly #log: Logger;
  readonly #options: DaemonOptions;
  readonly #verifications = new Semaphore(1);
  readonly #startedAtMs: number;
  #schedules: readonly VerifySchedule[] = [];
  #answers: readonly Answers[] = [];
  #refusals: readonly Refusal[] = [];
  #monitoring: Monitoring | undefined;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#startedAtMs = options.platform.clock.now().getTime();
    const followed = new FollowedFiles();
    this.#pairs = options.databases.map((config) => createPair(options, config, followed));
  }

  /**
   * Starts to follow everything, and what is not there yet as soon as it is. Rejects when every database is refused; as long
   * as one is not, the others are tried again and again, loudly. So is one that `replicate --once` has just now. With mode
   * `once` it is no trouble that another process has one of them.
   */
  async start(): Promise<void> {
    this.#startMonitoring();
    for (const { database, replicators } of this.#pairs) {
      database.start();
      for (const replicator of replicators) await replicator.start();
    }
    this.#schedules = this.#pairs.flatMap((pair) => this.#scheduleOf(pair));
    this.#answers = this.#pairs.map((pair) => this.#answersOf(pair));
    const isOnly = this.#pairs.length === 1; // Then who awaits us says it.
    const anyTaken = Promise.any(this.#pairs.map(({ database }) => database.opened)).then(() => true, () => false);
    const refusals = await Promise.all(this.#pairs.map(async ({ database }) => {
      const refusal = await refusalOf(database);
      if (refusal === undefined || isOnly) return refusal;
      // At once: another one may take its time to open. That others have all of them is said once, by who awaits us.
      if (!isBusy(refusal.error)) this.#logRefusal(refusal);
      else if (this.#options.mode !== "once") anyTaken.then((isAny) => isAny && this.#logRefusal(refusal));
      return refusal;
    }));
    this.#refusals = refusals.filter((refusal) => refusal !== undefined);
    const [first] = this.#refusals;
    if (first === undefined || this.#refusals.length < refusals.length) return;
    const other = this.#refusals.find(({ error }) => !isBusy(error));
    // What others have is waited for by `once`, which then tells of these as well.
    if (other !== undefined && (this.#options.mode !== "once" || this.busy.length === 0)) throw other.error;
    if (!await this.#isHeldForAWhile(first)) throw this.#busyError(first);
    for (const refusal of this.#refusals) this.#logRefusal(refusal);
  }

  /** Of all databases in one sentence. */
  #busyError({ error }: Refusal): unknown {
    const { databases } = this.#options;
    if (databases.length === 1) return error;
    const { pids, names } = this.holders();
    return new ReplicationError("busy", `Cannot replicate ${databases.length} databases: ${names} replicates them`, {
      cause: error,
      ...(pids.length === 0 ? {} : { advice: commandLine(["ps", "-fp", pids.join(",")]) }),
    });
  }

  /** The processes that have what `busy` names, as far as they are known, and the same in words. */
  holders(): { readonly pids: readonly number[]; readonly names: string } {
    const { files } = this.#options.platform;
    const all = this.busy.map((config) => lockHolder(`${statePathOf(files, config)}/lock`));
    const pids = [...new Set(all)].filter((pid) => pid !== undefined);
    return { pids, names: pids.map((pid) => `process ${pid}`).join(" or ") || "another process" };
  }

  /** Those that another process replicates, of what `start` took up. */
  get busy(): readonly DatabaseConfig[] {
    const refused = this.#refusals.filter(({ error }) => isBusy(error)).map(({ database }) => database);
    return this.#options.databases.filter(({ path }) => refused.includes(path));
  }

  /** What else was refused, where `start` has rejected with the first refusal of all. */
  get refused(): readonly FinalSync[] {
    return this.#refusals.filter(({ error }) => !isBusy(error)).flatMap(({ database, error }) => {
      const config = this.#options.databases.find(({ path }) => path === database);
      const result = { database, problem: messageOf(error), absence: undefined, exitCode: exitCodeOf(error) };
      return config?.replicas.map(({ name }) => ({ ...result, replica: name })) ?? [];
    });
  }

  /** Captures and replicates everything that is committed at this moment, and says what could not be. */
  async finish(): Promise<readonly FinalSync[]> {
    await this.#stopVerifying();
    const results = await Promise.all(this.#pairs.map((pair) => this.#finishPair(pair)));
    await this.#stopAnswering();
    return results.flat();
  }

  /** Ends what is under way, which `cancelled` breaks off. For a process that then ends. */
  async abandon(): Promise<void> {
    await this.#stopVerifying();
    await Promise.all(this.#pairs.flatMap(({ replicators }) => replicators.map((replicator) => replicator.stop())));
    await this.#stopAnswering();
  }

  /** Resolves when only a new process can go on with one of the databases. */
  get fatal(): Promise<ReplicationError> {
    return Promise.race(this.#pairs.map(({ database }) => database.fatal));
  }

  /** For a process that goes on living: stops, and lets go of every database without writing to it. */
  async release(): Promise<void> {
    await this.#stopVerifying();
    await this.#monitoring?.stop();
    for (const { database, replicators } of this.#pairs) {
      for (const replicator of replicators) await replicator.stop();
      await database.stop();
      await database.release();
    }
    await this.#stopAnswering();
  }

  /**
   * A snapshot of one database on its replicas, now. Where an index has one already, which is never replaced whatever state it
   * is in, a new generation begins with it.
   */
  async snapshot(path: string, order: SnapshotOrder): Promise<readonly SnapshotResult[]> {
    const pair = this.#pairs.find(({ config }) => config.path === path);
    if (pair === undefined) return [];
    const { chosen, unknown } = chooseOrdered(pair, order);
    const asked = chosen.map((replicator) => ({ replicator, made: replicator.snapshotsMade }));
    try {
      const taken = await Promise.all(
        chosen.map((replicator) => this.#unlessStill(pair, replicator, replicator.isSnapshotNameTaken())),
      );
      const reason = "a snapshot was asked for, and the present index has one";
      if (taken.some(Boolean)) await pair.database.startGeneration(reason);
    } catch (error) {
      return [...chosen.map(({ name }) => unmade(name, error)), ...unknown];
    }
    const results = await Promise.all(asked.map(async ({ replicator, made }) => {
      const { name } = replicator;
      return await this.#unlessStill(pair, replicator, replicator.makeSnapshot(made)).then(
        (position) => ({ replica: name, position }),
        (error: unknown) => unmade(name, error),
      );
    }));
    return [...results, ...unknown];
  }

  /** Nobody is kept waiting for a device that hangs. */
  #unlessStill<T>({ config }: Pair, replicator: FileReplicator, work: Promise<T>): Promise<T> {
    const subject = `the snapshot of ${config.path} on replica ${replicator.name}`;
    return unlessStill(this.#options.platform.clock, work, subject, () => replicator.pulse.stillMs);
  }

  #startMonitoring(): void {
    const { monitoring: address, monitoringNames: names = [], platform: { clock, files, web } } = this.#options;
    if (address === undefined) return;
    const look = () =>
      this.#pairs.map(({ config, database, replicators }) => factsOf(files, config, database, replicators));
    this.#monitoring = new Monitoring({ address, names, clock, web, log: this.#log, look });
  }

  #answersOf({ config, database, replicators }: Pair): Answers {
    const { platform: { clock, files }, watchFolder, userId, mode = "follow" } = this.#options;
    const answer = async () => {
      const captured = await this.#capturedInTime(database);
      const facts = factsOf(files, config, database, replicators);
      return answerDocument({ mode, startedAtMs: this.#startedAtMs, captured, facts });
    };
    const statePath = () => ownStatePath(files, config, userId);
    const carryOut = async (order: SnapshotOrder) => formatResults(await this.snapshot(config.path, order));
    const answers = new Answers({ clock, files, log: this.#log, watchFolder, userId, statePath, answer, carryOut });
    const look = () => answers.look();
    database.opened.then(look, look);
    return answers;
  }

  /**
   * Where all that is committed now is captured to; undefined where that is not known while whoever asks still waits: the
   * database is being opened, or read whole.
   */
  async #capturedInTime(database: WatchedDatabase): Promise<Position | undefined> {
    const capture = database.captureNow().then(({ position }) => position, () => undefined);
    return (await unlessLate(this.#options.platform.clock, CAPTURE_PATIENCE_MS, capture))?.value;
  }

  async #stopAnswering(): Promise<void> {
    await Promise.all(this.#answers.map((answers) => answers.stop()));
    this.#answers = [];
  }

  /**
   * Whether what another process has is given back soon: a run of `--once`, or one that ends. A process that has just begun
   * does not answer yet.
   */
  async #isHeldForAWhile({ database, error }: Refusal): Promise<boolean> {
    const { platform, databases, mode } = this.#options;
    const config = databases.find(({ path }) => path === database);
    if (mode === "once" || config === undefined || !isBusy(error)) return false;
    const statePath = statePathOf(platform.files, config);
    const start = platform.clock.monotonicMs();
    while (platform.clock.monotonicMs() - start < limits.daemonAnswerMs) {
      const asked = await askDaemon(platform, statePath, limits.daemonAnswerMs);
      if (asked.kind === "answer" && asked.answer.mode === "follow") return false;
      if (asked.kind === "answer" || lockHolder(`${statePath}/lock`) === undefined) return true;
      await platform.clock.sleep(ASK_AGAIN_MS);
    }
    return false;
  }

  /** One verification at a time, since each has the memory and the reads of a restore. */
  #scheduleOf({ config, log }: Pair): VerifySchedule[] {
    const dueAfter = dueBy(config.verify);
    const { verify, platform: { clock } } = this.#options;
    if (dueAfter === undefined || verify === undefined) return [];
    const run = (signal: AbortSignal) =>
      this.#verifications.run(() => endedInTime(clock, signal, (signal) => verify(config, signal)));
    return [new VerifySchedule({ clock, log, dueAfter, verify: run })];
  }

  async #stopVerifying(): Promise<void> {
    await Promise.all(this.#schedules.map((schedule) => schedule.stop()));
    this.#schedules = [];
  }

  #logRefusal({ database, error }: Refusal): void {
    const pair = this.#pairs.find(({ config }) => config.path === database);
    const advice = error instanceof ReplicationError ? error.advice : undefined;
    (pair?.log ?? this.#log).error(messageOf(error), { database, advice }, "refused");
  }

  /** The database is watched until its replicas hold what they should: the hold must not stand still meanwhile. */
  async #finishPair(pair: Pair): Promise<FinalSync[]> {
    const { database, replicators } = pair;
    let wanted: Position | undefined;
    let problem: Problem | undefined;
    try {
      wanted = await this.#finishCapture(pair);
    } catch (error) {
      const text = database.trouble ?? `the last transactions are not captured: ${messageOf(error)}`;
      const { refusal } = database;
      problem = refusal === undefined
        ? problemOf(error, text)
        : { text, exitCode: exitCodeOf(refusal), advice: refusal.advice };
    }
    const results = await Promise.all(
      replicators.map((replicator) => this.#finishReplica(pair, replicator, wanted, problem)),
    );
    const stopping = this.#patience(`the watch over ${database.path}`, pair.log, () => "", () => Infinity);
    await stopping.during(() => database.stop()).catch((error) => pair.log.warn(messageOf(error)));
    return results;
  }

  #finishCapture({ database, log }: Pair): Promise<Position | undefined> {
    const gained = () => positionText(database.position());
    const patience = this.#patience(`the capture of ${database.path}`, log, gained, () => Infinity);
    return patience.during(async (tries) => {
      for (;;) {
        try {
          return await database.capturedPosition();
        } catch (error) {
          if (database.isAwaited || isBusy(database.refusal) || !await tries.again(database.refusal ?? error)) {
            throw error;
          }
        }
      }
    });
  }

  #patience(subject: string, log: Logger, gained: () => string, stillMs: () => number): Patience {
    const { platform: { clock }, shutdownTimeoutMs: timeoutMs } = this.#options;
    return new Patience({ clock, log, timeoutMs, subject, gained, stillMs });
  }

  async #finishReplica(
    { database, log }: Pair,
    replicator: FileReplicator,
    wanted: Position | undefined,
    captureProblem: Problem | undefined,
  ): Promise<FinalSync> {
    const { absence } = database;
    const names = { database: database.path, replica: replicator.name, absence };
    let problem = captureProblem;
    const subject = `replica ${replicator.name} of ${database.path}`;
    const patience = this.#patience(
      subject,
      log.with({ replica: replicator.name }),
      () => positionText(replicator.position),
      () => replicator.pulse.stillMs,
    );
    try {
      const isThere = await patience.during((tries) => replicator.finish(wanted, tries));
      if (!isThere && absence === undefined) {
        const text = database.trouble ?? "it does not hold everything that is captured";
        problem ??= { text, exitCode: ExitCode.failed };
      }
    } catch (error) {
      problem ??= problemOf(error, messageOf(error).replace(`Cannot finish ${subject}: `, "")); // Who reports says that.
    }
    if (problem === undefined && absence === undefined) {
      const position = replicator.position === undefined ? "none" : formatPosition(replicator.position);
      this.#log.info("Everything is replicated", { database: database.path, replica: replicator.name, position });
    }
    const advice = problem?.advice === undefined ? {} : { advice: problem.advice };
    return { ...names, problem: problem?.text, ...advice, exitCode: problem?.exitCode ?? ExitCode.done };
  }
}

function createPair(options: DaemonOptions, config: DatabaseConfig, followed: FollowedFiles): Pair {
  const { platform, driver, watchFolder, userId } = options;
  const events = new EventLog(platform.clock);
  events.note({ level: "info", message: `${product.title} ${product.version} begins`, fields: {}, event: "started" });
  const urls = new Map(config.replicas.map(({ name, url }) => [name, url]));
  const log = observed(options.log, (entry) => {
    const { replica } = entry.fields;
    const url = typeof replica === "string" ? urls.get(replica) : undefined;
    events.note(url === undefined ? entry : { ...entry, fields: { ...entry.fields, url } });
  });
  const database = new WatchedDatabase(
    platform,
    driver,
    { ...config, userId, events, mayBeBusy: options.mode === "once", followed },
    log.with({ database: config.path }),
    watchFolder,
  );
  const replicators = config.replicas.map((replica) =>
    new FileReplicator({
      name: replica.name,
      source: database,
      store: openReplica(platform.files, replica, {
        memory: {
          recall: () => database.recall(replica.path),
          remember: (text) => database.remember(replica.path, text),
        },
      }),
      place: replica.path,
      clock: platform.clock,
      log,
      syncIntervalMs: replica.syncIntervalMs,
      checkIntervalMs: replica.checkIntervalMs,
      upkeep: replica,
      ...(options.cancelled === undefined ? {} : { cancelled: options.cancelled }),
    })
  );
  return { config, database, replicators, log: log.with({ database: config.path }) };
}

/** By URL: another config may give another replica the same name. An earlier version of who asks says names alone. */
function chooseOrdered({ config, replicators }: Pair, { replicas }: SnapshotOrder) {
  if (replicas === undefined) return { chosen: replicators, unknown: [] };
  const chosen: FileReplicator[] = [];
  const unknown: SnapshotResult[] = [];
  for (const { name, url } of replicas) {
    const own = replicators.filter((_, slot) => {
      const replica = config.replicas[slot];
      return url === undefined ? replica?.name === name : replica?.url === url;
    });
    chosen.push(...own);
    if (own.length > 0) continue;
    unknown.push({ replica: name, problem: "the running daemon knows nothing of it (is it in the daemon's config?)" });
  }
  return { chosen, unknown };
}

function unmade(replica: string, error: unknown): SnapshotResult {
  return { replica, problem: messageOf(error), mayPass: isRetryable(error) };
}

/** Undefined where there is no state directory, or one that whoever takes the database up would refuse. */
function ownStatePath(files: FileSystem, config: DatabaseConfig, user: number | undefined): string | undefined {
  const path = statePathOf(files, config);
  const [found, database] = [files.linkStatus(path), files.status(config.path)];
  if (found === undefined || database === undefined) return found?.owner === user ? path : undefined;
  return whyForeign(found, database, user) === undefined ? path : undefined;
}

function positionText(position: Position | undefined): string {
  return position === undefined ? "" : formatPosition(position);
}

export function isBusy(error: unknown): boolean {
  return error instanceof ReplicationError && error.code === "busy";
}

function problemOf(error: unknown, text: string): Problem {
  const isForeign = error instanceof ReplicationError && error.code === "foreign";
  const advice = error instanceof ReplicationError ? error.advice : undefined;
  return { text, exitCode: isRetryable(error) || isForeign ? exitCodeOf(error) : ExitCode.failed, advice };
}

/** Why a database cannot be followed as it is now; undefined when it is followed or waited for. */
function refusalOf(database: WatchedDatabase): Promise<Refusal | undefined> {
  return database.opened.then(() => undefined, (error: unknown) => ({ database: database.path, error }));
}
