import { ReplicationError, worstExitCode } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Config, DatabaseConfig, ReplicaConfig } from "../config/config.ts";
import { databasePathFromArgument } from "../config/from_arguments.ts";
import { openReplicaOf } from "../daemon/open_replica.ts";
import { EXIT_CODES, judgeSafety, type ReplicaView, worstFirst } from "../daemon/safety.ts";
import { type DatabaseStatus, statusOf } from "../daemon/status.ts";
import { type Generation, parseGeneration } from "../position/generation.ts";
import { comparePositions, type Position } from "../position/position.ts";
import { catalogOf } from "../restore/gather.ts";
import { isUnread, reachOf } from "../restore/reach.ts";
import { describeRivals, rivalsOf } from "../restore/rivals.ts";
import { DamagedGeneration } from "../store/damaged_generation.ts";
import type { GenerationCatalog } from "../store/generation_store.ts";
import { recallProof } from "../verify/proof_memory.ts";
import { unknownDatabase } from "./chosen_replicas.ts";
import type { CommandContext } from "./command.ts";
import { lagOf, summaryOf } from "./generations.ts";
import { changedAtMs } from "../daemon/last_change.ts";
import { loadConfigFor } from "./load_config.ts";
import { writeJson, writeLine } from "./output.ts";
import { statusDocument } from "./status_document.ts";
import { adviceLine } from "./advice.ts";
import { adviceText, longTable, type Row, shortTable, type Shown, verdictLine, whyLines } from "./status_text.ts";
import { printable } from "./table.ts";

const SCHEMA_VERSION = 1;

export async function run(context: CommandContext): Promise<number> {
  const databases = await chooseDatabases(context);
  const shown = await Promise.all(databases.map((database) => lookAt(context, database)));
  const unsafe = shown.flatMap(({ unsafe }) => unsafe);
  if (context.arguments.isOn("json")) {
    writeJson(context.stdout, SCHEMA_VERSION, statusDocument(shown, configWords(context)));
  } else {
    writeText(context, shown);
  }
  return worstExitCode(unsafe.map(({ grade }) => EXIT_CODES[grade]));
}

function writeText(context: CommandContext, shown: readonly Shown[]): void {
  const nowMs = context.platform.clock.now().getTime();
  const write = (line: string) => writeLine(context.stdout, printable(line));
  const isLong = context.arguments.isOn("long");
  write(verdictLine(shown));
  const [worst] = worstFirst(shown.flatMap(({ database, unsafe }) => unsafe.map((one) => ({ database, ...one }))));
  if (worst !== undefined) {
    write(adviceLine(adviceText(worst.help, worst.database, configWords(context)), context.invocation));
  }
  for (const line of whyLines(shown)) write(line);
  write("");
  context.stdout.write(isLong ? longTable(shown, nowMs) : shortTable(shown, nowMs));
}

/** What a command needs to read the same config. */
function configWords(context: CommandContext): readonly string[] {
  const path = context.arguments.text("config");
  return [
    ...(path === undefined ? [] : ["--config", path]),
    ...(context.arguments.isOn("no-expand-env") ? ["--no-expand-env"] : []),
  ];
}

async function chooseDatabases(context: CommandContext): Promise<readonly DatabaseConfig[]> {
  const [typed] = context.arguments.positionals;
  const config: Config = await loadConfigFor(context);
  if (typed === undefined) return config.databases;
  const path = databasePathFromArgument(typed, context.currentFolder());
  const { findDatabase } = await import("../config/load.ts");
  const database = findDatabase(config, context.platform.files, path);
  if (database === undefined) throw unknownDatabase(path, config);
  return [database];
}

async function lookAt(context: CommandContext, database: DatabaseConfig): Promise<Shown> {
  const status = await statusOf(context.platform, database);
  const rows: Row[] = [];
  for (const replica of database.replicas) rows.push(await rowOf(context, database, status, replica));
  const { provenWithinMs = limits.provenWithinMs } = database.verify;
  const nowMs = context.platform.clock.now().getTime();
  const unsafe = judgeSafety({ status, nowMs, provenWithinMs, replicas: rows.map(({ view }) => view) });
  return { database, status, rows, unsafe };
}

async function rowOf(
  context: CommandContext,
  database: DatabaseConfig,
  status: DatabaseStatus,
  replica: ReplicaConfig,
): Promise<Row> {
  const { clock, files } = context.platform;
  const nowMs = clock.now().getTime();
  const { name, url, syncIntervalMs } = replica;
  const proof = recallProof(files, status.statePath, replica.path);
  const known = { name, url, syncIntervalMs, ...(proof && { proof }) };
  try {
    const store = openReplicaOf(context.platform, replica, database, {
      otherwise: "nothing",
      patienceMs: limits.deviceGlanceMs,
    });
    const all = [];
    const catalogs = [];
    const damaged: DamagedGeneration[] = [];
    for (const generation of await store.generations()) {
      const catalog = await catalogOf(store, generation);
      if (catalog instanceof DamagedGeneration) {
        damaged.push(catalog);
        continue;
      }
      catalogs.push(catalog);
      all.push({ ...summaryOf(catalog), reach: reachOf(catalog), isUnread: isUnread(catalog) });
    }
    const own = all.find(({ generation }) => generation === writtenGeneration(status, url));
    const newest = own ?? all.toSorted((a, b) => (a.lastMs ?? 0) - (b.lastMs ?? 0)).at(-1);
    for (const one of damaged) if (own === undefined && !isOlder(one, newest?.lastMs)) throw one;
    const first = all.flatMap(({ firstMs }) => firstMs ?? []);
    const { end: position, lastMs, reach } = newest ?? {};
    const broken = reach?.kind === "broken" ? reach.problem : contestedBy(catalogs, newest?.generation, status);
    const isWhole = own !== undefined && isReached(position, status);
    const lagMs = isWhole ? 0 : lagOf(lastMs, changedAtMs(files, database.path), nowMs);
    const view: ReplicaView = {
      ...known,
      holdsGenerations: all.length > 0,
      ...(position === undefined ? {} : { position }),
      ...(broken === undefined ? {} : { broken }),
      ...(damaged.length === 0 ? {} : { lost: damaged.map(lossOf) }),
      isBare: reach?.kind === "nothing",
      isUnread: newest?.isUnread === true,
      ...(lastMs === undefined ? {} : { capturedAtMs: lastMs }),
      ...(lagMs === undefined ? {} : { lagMs }),
    };
    return { view, ...(first.length === 0 ? {} : { oldestMs: Math.min(...first) }) };
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error;
    const { message, advice, code } = error;
    const isDamage = code === "corrupt" || code === "gap";
    return { view: { ...known, holdsGenerations: false, error: { message, advice, isDamage } } };
  }
}

/** The one that the daemon says to write there; without a daemon the one that was written last. */
function writtenGeneration({ heard, generation }: DatabaseStatus, url: string): Generation | undefined {
  const own = heard.kind === "answer" ? heard.answer.replicas.find((replica) => replica.url === url) : undefined;
  return own?.position?.generation ?? generation?.generation;
}

/** Beside what a daemon writes now every other history has ended. */
function contestedBy(
  catalogs: readonly GenerationCatalog[],
  newest: string | undefined,
  { heard }: DatabaseStatus,
): string | undefined {
  const generation = parseGeneration(newest ?? "");
  if (generation === undefined) return undefined;
  const isCurrent = heard.kind === "answer" && heard.answer.captured?.generation === generation;
  const rivals = rivalsOf(generation, catalogs, isCurrent ? "current" : "any");
  return rivals.length === 0 ? undefined : describeRivals(generation, rivals);
}

/** What a daemon said a moment ago to be all that is committed. */
function isReached(position: Position | undefined, { heard }: DatabaseStatus): boolean {
  const captured = heard.kind === "answer" ? heard.answer.captured : undefined;
  return position !== undefined && captured !== undefined && position.generation === captured.generation &&
    comparePositions(position, captured) >= 0;
}

/** One of which nothing can be told may be the newest: only then nothing is known of where the replica ends. */
function isOlder({ partial }: DamagedGeneration, newestMs: number | undefined): boolean {
  const { lastMs } = summaryOf(partial);
  return lastMs !== undefined && newestMs !== undefined && lastMs < newestMs;
}

function lossOf({ partial: { generation }, message }: DamagedGeneration): string {
  return `its older generation ${generation} is damaged: ${message}`;
}
