/**
 * The real Litestream v0.3.13, as `deno task test:litestream` fetches it: its daemon as a process beside the test, its other
 * commands run to their end, and what its tables say.
 */
import { findLastCommit } from "../../../lib/store/last_commit.ts";
import { Daemon } from "../../support/daemon.ts";
import type { CommandResult } from "../../support/tailrace.ts";
import { programPath } from "./programs.ts";

/** Its last word when the signal comes while it checkpoints. It has synced before. */
const INTERRUPTED_ITSELF = "err=release read lock: context canceled";

export interface AgeKeys {
  readonly identities?: readonly string[];
  readonly recipients?: readonly string[];
}

/** Durations as Litestream writes them: "50ms", "24h". What is left out is not in the config, but for the two intervals. */
export interface LitestreamReplica {
  readonly path: string;
  readonly name?: string;
  /** Default 20ms. */
  readonly syncInterval?: string;
  readonly retention?: string;
  readonly retentionCheckInterval?: string;
  readonly snapshotInterval?: string;
  readonly validationInterval?: string;
  readonly age?: AgeKeys;
}

export interface LitestreamDatabase {
  readonly path: string;
  readonly replicas: readonly LitestreamReplica[];
  readonly metaPath?: string;
  /** Default 20ms. */
  readonly monitorInterval?: string;
  readonly checkpointInterval?: string;
  readonly minCheckpointPageCount?: number;
  readonly maxCheckpointPageCount?: number;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** The config as YAML (which JSON is). Without debug lines it is not known when a restarted daemon is up to date. */
export function formatLitestreamConfig(databases: readonly LitestreamDatabase[], level: LogLevel = "debug"): string {
  const dbs = databases.map((database) => ({
    "path": database.path,
    "meta-path": database.metaPath,
    "monitor-interval": database.monitorInterval ?? "20ms",
    "checkpoint-interval": database.checkpointInterval,
    "min-checkpoint-page-count": database.minCheckpointPageCount,
    "max-checkpoint-page-count": database.maxCheckpointPageCount,
    "replicas": database.replicas.map((replica) => ({
      "path": replica.path,
      "name": replica.name,
      "sync-interval": replica.syncInterval ?? "20ms",
      "retention": replica.retention,
      "retention-check-interval": replica.retentionCheckInterval,
      "snapshot-interval": replica.snapshotInterval,
      "validation-interval": replica.validationInterval,
      "age": replica.age,
    })),
  }));
  return `${JSON.stringify({ logging: { level, type: "json", stderr: true }, dbs }, undefined, 2)}\n`;
}

/** Writes the config and starts `litestream replicate` with it. */
export function startLitestream(
  config: string,
  databases: readonly LitestreamDatabase[],
  level?: LogLevel,
): RealLitestream {
  Deno.writeTextFileSync(config, formatLitestreamConfig(databases, level));
  const child = new Deno.Command(programPath("litestream"), {
    args: ["replicate", "-config", config],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { LITESTREAM_CONFIG: "" },
  }).spawn();
  return new RealLitestream(new Daemon(child), databases);
}

export interface LitestreamPosition {
  readonly generation: string;
  readonly index: number;
  readonly offset: number;
}

/** A running `litestream replicate`. */
export class RealLitestream implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly #databases: readonly LitestreamDatabase[];

  constructor(daemon: Daemon, databases: readonly LitestreamDatabase[]) {
    this.daemon = daemon;
    this.#databases = databases;
  }

  /** Every replica holds what is committed in its database now, as far as nobody writes meanwhile. */
  async synced(): Promise<void> {
    await this.daemon.until(async () => {
      for (const database of this.#databases) if (!await this.#isSynced(database)) return false;
      return true;
    }, "the replicas to hold what is committed");
  }

  /** Where the replica ends, as the daemon has said. */
  positionOf(database: LitestreamDatabase, replica: LitestreamReplica): LitestreamPosition | undefined {
    for (const line of this.daemon.lines.toReversed()) {
      const said = parseLogLine(line);
      if (said["db"] !== database.path || said["replica"] !== (replica.name ?? "file")) continue;
      const position = parsePosition(String(said["position"]));
      if (said["msg"] === "replica sync: calc new pos") return position;
      if (said["msg"] === "wal segment written" && position !== undefined) {
        return { ...position, offset: position.offset + Number(said["sz"]) };
      }
    }
    return undefined;
  }

  /** Ends it by a signal that lets it sync once more; the exit code, and 0 where a checkpoint of its own was in its way. */
  async stop(): Promise<number> {
    const code = await this.daemon.stop("SIGTERM");
    return code === 1 && this.daemon.lines.at(-1)?.includes(INTERRUPTED_ITSELF) ? 0 : code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }

  async #isSynced(database: LitestreamDatabase): Promise<boolean> {
    const shadow = await shadowEnd(database);
    if (shadow === undefined || !await isWhole(database.path, shadow)) return false;
    return database.replicas.every((replica) => {
      const position = this.positionOf(database, replica);
      return position !== undefined && position.generation === shadow.generation && position.index === shadow.index &&
        position.offset === shadow.offset;
    });
  }
}

interface ShadowEnd extends LitestreamPosition {
  readonly header: string;
}

/** The end of the local copy of the WAL that Litestream keeps. */
async function shadowEnd({ path, metaPath }: LitestreamDatabase): Promise<ShadowEnd | undefined> {
  const slash = path.lastIndexOf("/");
  const state = metaPath ?? `${path.slice(0, slash)}/.${path.slice(slash + 1)}-litestream`;
  try {
    const generation = Deno.readTextFileSync(`${state}/generation`).trim();
    const folder = `${state}/generations/${generation}/wal`;
    const name = [...Deno.readDirSync(folder)].map((entry) => entry.name).filter((name) =>
      /^[0-9a-f]{8}\.wal$/.test(name)
    )
      .sort().at(-1);
    if (name === undefined) return undefined;
    const end = await walEnd(`${folder}/${name}`);
    return end === undefined ? undefined : { generation, index: parseInt(name, 16), ...end };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined; // Not begun yet, or cleaned up just now.
    throw error;
  }
}

/** Whether the copy is all that is committed. */
async function isWhole(database: string, shadow: ShadowEnd): Promise<boolean> {
  const real = await walEnd(`${database}-wal`);
  return real !== undefined && real.header === shadow.header && real.offset === shadow.offset;
}

async function walEnd(path: string): Promise<{ readonly header: string; readonly offset: number } | undefined> {
  const bytes = Deno.readFileSync(path);
  const last = await findLastCommit((at, into) => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return Promise.resolve(part.length);
  });
  return last === undefined ? undefined : { header: bytes.subarray(0, 32).toHex(), offset: last.offset };
}

function parseLogLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {}; // What it says before it has read its config.
  }
}

/** `0123456789abcdef/0000001a:4152`: index in hexadecimal, offset in decimal. */
export function parsePosition(text: string): LitestreamPosition | undefined {
  const [, generation, index, offset] = /^([0-9a-f]{16})\/([0-9a-f]+):(\d+)$/.exec(text) ?? [];
  if (generation === undefined || index === undefined || offset === undefined) return undefined;
  return { generation, index: parseInt(index, 16), offset: Number(offset) };
}

/** Runs one of its commands to its end. */
export async function runLitestream(words: readonly string[]): Promise<CommandResult> {
  const { code, stdout, stderr } = await new Deno.Command(programPath("litestream"), {
    args: [...words],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { LITESTREAM_CONFIG: "" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A replica by its folder, or a database by a config; only by config can age be read. */
export type LitestreamSource = string | {
  readonly config: string;
  readonly database: string;
  readonly replica?: string;
};

/** The flags, which stand before them, and the words that name the source. */
export function sourceWords(source: LitestreamSource, flags: readonly string[] = []): string[] {
  if (typeof source === "string") return [...flags, `file://${source}`];
  const replica = source.replica === undefined ? [] : ["-replica", source.replica];
  return ["-config", source.config, ...replica, ...flags, source.database];
}

export interface LitestreamTarget {
  readonly generation?: string;
  readonly index?: number;
  readonly timestamp?: Date;
}

/** The flags of a point in time, as both programs take them. */
export function targetWords({ generation, index, timestamp }: LitestreamTarget): string[] {
  return [
    ...(generation === undefined ? [] : ["-generation", generation]),
    ...(index === undefined ? [] : ["-index", index.toString(16).padStart(8, "0")]),
    ...(timestamp === undefined ? [] : ["-timestamp", timestamp.toISOString()]),
  ];
}

export async function restoreWithLitestream(
  source: LitestreamSource,
  output: string,
  target: LitestreamTarget = {},
): Promise<CommandResult> {
  return await runLitestream(["restore", ...sourceWords(source, ["-o", output, ...targetWords(target)])]);
}

export interface GenerationRow {
  readonly name: string;
  readonly generation: string;
  readonly lag: string;
  readonly start: Date;
  readonly end: Date;
}

export interface SnapshotRow {
  readonly replica: string;
  readonly generation: string;
  readonly index: number;
  readonly size: number;
  readonly created: Date;
}

export interface SegmentRow extends SnapshotRow {
  readonly offset: number;
}

export async function litestreamGenerations(source: LitestreamSource): Promise<GenerationRow[]> {
  const rows = await table("generations", source, ["name", "generation", "lag", "start", "end"]);
  return rows.map(([name = "", generation = "", lag = "", start = "", end = ""]) => {
    return { name, generation, lag, start: new Date(start), end: new Date(end) };
  });
}

export async function litestreamSnapshots(source: LitestreamSource): Promise<SnapshotRow[]> {
  const rows = await table("snapshots", source, ["replica", "generation", "index", "size", "created"]);
  return rows.map(([replica = "", generation = "", index, size, created = ""]) => {
    return { replica, generation, index: Number(index), size: Number(size), created: new Date(created) };
  });
}

export async function litestreamWal(source: LitestreamSource): Promise<SegmentRow[]> {
  const rows = await table("wal", source, ["replica", "generation", "index", "offset", "size", "created"]);
  return rows.map(([replica = "", generation = "", index, offset, size, created = ""]) => {
    const numbers = { index: Number(index), offset: Number(offset), size: Number(size) };
    return { replica, generation, ...numbers, created: new Date(created) };
  });
}

async function table(command: string, source: LitestreamSource, columns: readonly string[]): Promise<string[][]> {
  const { code, stdout, stderr } = await runLitestream([command, ...sourceWords(source)]);
  const [head, ...rows] = stdout.trimEnd().split("\n").map((line) => line.trim().split(/\s+/));
  if (code === 0 && head?.join() === columns.join() && rows.every((row) => row.length === columns.length)) return rows;
  throw new Error(`"litestream ${command}" gave no table (exit code ${code}):\n${stdout}${stderr}`);
}
