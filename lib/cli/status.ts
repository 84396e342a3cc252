import { exitCodeOf, ReplicationError, worstExitCode } from "../base/errors.ts";
import type { Config, DatabaseConfig, ReplicaConfig } from "../config/config.ts";
import { databasePathFromArgument } from "../config/from_arguments.ts";
import { formatDuration } from "../config/duration.ts";
import { openReplicaOf } from "../daemon/open_replica.ts";
import { type DatabaseStatus, lastTurn, statusOf, troubleIn } from "../daemon/status.ts";
import type { Event } from "../database/event_log.ts";
import { comparePositions, formatPosition, type Position } from "../position/position.ts";
import { proofDocument } from "../verify/proof_document.ts";
import { type KeptRun, type ProofMemory, recallProof } from "../verify/proof_memory.ts";
import { formatAge, formatTime } from "./amounts.ts";
import { unknownDatabase } from "./chosen_replicas.ts";
import type { CommandContext } from "./command.ts";
import { lagOf, rounded, summaryOf } from "./generations.ts";
import { changedAtMs } from "./last_change.ts";
import { timeCell, timeMember, UNKNOWN } from "./listing.ts";
import { loadConfigFor } from "./load_config.ts";
import { writeJson, writeLine } from "./output.ts";
import { type Column, formatTable, printable } from "./table.ts";

const SCHEMA_VERSION = 1;

const COLUMNS: readonly Column[] = [
  { title: "database" },
  { title: "replica" },
  { title: "daemon", align: "right" },
  { title: "position" },
  { title: "lag", align: "right" },
  { title: "oldest point" },
  { title: "last proof" },
  { title: "trouble" },
];

interface Row {
  readonly replica: ReplicaConfig;
  /** The end of what the replica holds of its newest generation. */
  readonly position?: Position;
  readonly capturedAtMs?: number;
  readonly lagMs?: number;
  /** Of the oldest state that can be restored, in any generation. */
  readonly oldestMs?: number;
  readonly trouble?: Event;
  readonly proof?: ProofMemory;
  /** Why the replica cannot be looked at. */
  readonly error?: ReplicationError;
}

interface Shown {
  readonly database: DatabaseConfig;
  readonly status: DatabaseStatus;
  readonly rows: readonly Row[];
}

export async function run(context: CommandContext): Promise<number> {
  const databases = await chooseDatabases(context);
  const shown: Shown[] = [];
  for (const database of databases) {
    const status = statusOf(context.platform.files, database);
    const rows: Row[] = [];
    for (const replica of database.replicas) rows.push(await rowOf(context, database, status, replica));
    shown.push({ database, status, rows });
  }
  if (context.arguments.isOn("json")) {
    writeJson(context.stdout, SCHEMA_VERSION, { databases: shown.map(documentOf) });
  } else {
    const nowMs = context.platform.clock.now().getTime();
    context.stdout.write(formatTable(COLUMNS, shown.flatMap((one) => cellsOf(one, nowMs))));
    for (const line of shown.flatMap(linesBelow)) writeLine(context.stdout, printable(line));
  }
  const errors = shown.flatMap(({ rows }) => rows.flatMap(({ error }) => error ?? []));
  for (const { message } of errors) writeLine(context.stderr, printable(message));
  return worstExitCode(errors.map(exitCodeOf));
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

async function rowOf(
  context: CommandContext,
  database: DatabaseConfig,
  status: DatabaseStatus,
  replica: ReplicaConfig,
): Promise<Row> {
  const { files } = context.platform;
  const trouble = troubleIn(status.events, replica.name) ?? troubleIn(status.events);
  const proof = recallProof(files, status.statePath, replica.path);
  const known = { replica, ...(trouble && { trouble }), ...(proof && { proof }) };
  try {
    const store = openReplicaOf(files, replica, database, { otherwise: "nothing" });
    const generations = await store.generations();
    const all = [];
    for (const generation of generations) {
      all.push(summaryOf(await store.catalog(generation)));
    }
    const own = all.find(({ generation }) => generation === status.generation?.generation);
    const newest = own ?? all.toSorted((a, b) => (a.lastMs ?? 0) - (b.lastMs ?? 0)).at(-1);
    const first = all.flatMap(({ firstMs }) => firstMs ?? []);
    const { end: position, lastMs } = newest ?? {};
    const isWhole = status.daemon !== undefined && own !== undefined && isReached(position, status.position);
    const lagMs = isWhole ? 0 : lagOf(lastMs, changedAtMs(files, database.path));
    return {
      ...known,
      ...(position === undefined ? {} : { position }),
      ...(lastMs === undefined ? {} : { capturedAtMs: lastMs }),
      ...(lagMs === undefined ? {} : { lagMs }),
      ...(first.length === 0 ? {} : { oldestMs: Math.min(...first) }),
    };
  } catch (error) {
    if (error instanceof ReplicationError) return { ...known, error };
    throw error;
  }
}

/** While a daemon captures all that is committed, a replica that holds what is captured lags behind nothing. */
function isReached(position: Position | undefined, captured: Position | undefined): boolean {
  return position !== undefined && captured !== undefined && comparePositions(position, captured) >= 0;
}

function cellsOf({ database, status, rows }: Shown, nowMs: number): string[][] {
  return rows.map(({ replica, position, lagMs, oldestMs, trouble, proof, error }) => [
    database.path,
    replica.name,
    status.daemon === undefined ? "none" : String(status.daemon),
    position === undefined ? UNKNOWN : formatPosition(position),
    lagMs === undefined ? UNKNOWN : formatDuration(rounded(lagMs)),
    timeCell(oldestMs),
    proof === undefined ? "never" : proofText(proof.last, nowMs),
    error?.message ?? (trouble === undefined ? "none" : `${trouble.message} (since ${formatTime(trouble.atMs)})`),
  ]);
}

function proofText({ outcome, reached, atMs }: KeptRun, nowMs: number): string {
  const what = outcome === "pass" ? reached ?? "pass" : outcome.toUpperCase();
  return `${what}, ${formatAge(nowMs - atMs)} ago`;
}

/** What happened last to the history, and what the last proof did not find well. */
function linesBelow({ database, status, rows }: Shown): string[] {
  const turn = lastTurn(status.events);
  return [
    ...(turn === undefined ? [] : [`${database.path}: ${formatTime(turn.atMs)} ${eventText(turn)}`]),
    ...rows.flatMap(({ replica, proof }) => {
      const problem = proof?.last.problem;
      return problem === undefined ? [] : [`${database.path}, replica ${replica.name}: ${problem}`];
    }),
  ];
}

function eventText({ message, fields }: Event): string {
  const told = Object.entries(fields).filter(([, value]) => value !== undefined);
  return `${message}: ${told.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ")}`;
}

function documentOf({ database, status, rows }: Shown): Record<string, unknown> {
  const { daemon, generation, position, events } = status;
  return {
    path: database.path,
    daemon_pid: daemon ?? null,
    generation: generation === undefined ? null : {
      name: generation.generation,
      began_at: generation.beganAt,
      reason: generation.reason,
    },
    position: position === undefined ? null : formatPosition(position),
    last_turn: eventDocument(lastTurn(events)),
    trouble: eventDocument(troubleIn(events)),
    replicas: rows.map(replicaDocument),
  };
}

function replicaDocument({ replica, position, capturedAtMs, lagMs, oldestMs, trouble, proof, error }: Row) {
  return {
    name: replica.name,
    url: replica.url,
    position: position === undefined ? null : formatPosition(position),
    captured_at: timeMember(capturedAtMs),
    lag_ms: lagMs ?? null,
    oldest_point: timeMember(oldestMs),
    error: error?.message ?? null,
    trouble: eventDocument(trouble),
    last_proof: proofDocument(proof?.last),
    last_success: proofDocument(proof?.lastPass),
  };
}

function eventDocument(event: Event | undefined) {
  return event === undefined ? null : { at: formatTime(event.atMs), message: event.message, ...event.fields };
}
