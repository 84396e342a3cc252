/** What `generations`, `snapshots` and `wal` have in common: replicas looked at one by one, then one table or document. */
import { hex } from "../base/bytes.ts";
import { ExitCode, exitCodeOf, ReplicationError, worstExitCode } from "../base/errors.ts";
import type { DatabaseConfig, ReplicaConfig } from "../config/config.ts";
import { type Generation, parseGeneration } from "../position/generation.ts";
import { formatIndex, formatPosition, type Index, type Position } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { unlessDamaged } from "../store/damaged_generation.ts";
import { ForeignContent } from "../store/foreign_content.ts";
import type { GenerationCatalog, GenerationStore } from "../store/generation_store.ts";
import { formatTime } from "./amounts.ts";
import { complain } from "./advice.ts";
import { chooseReplicas } from "./chosen_replicas.ts";
import type { CommandContext } from "./command.ts";
import { writeJson, writeLine } from "./output.ts";
import { openReplicaOf } from "../daemon/open_replica.ts";
import { lookAtEach } from "./replica_stores.ts";
import { type Column, formatTable, printable } from "./table.ts";

export interface Listing<Row> {
  /** Name of the array in the JSON document. */
  readonly member: string;
  readonly schemaVersion: number;
  readonly columns: readonly Column[];
  /** The rows of one generation on one replica; there is no database when a URL was given. */
  readonly rowsOf: (
    replica: ReplicaConfig,
    catalog: GenerationCatalog,
    database: DatabaseConfig | undefined,
    store: GenerationStore,
  ) => readonly Row[] | Promise<readonly Row[]>;
  readonly cellsOf: (row: Row) => readonly string[];
  readonly documentOf: (row: Row) => Readonly<Record<string, unknown>>;
  /** What is damaged there, for a row that speaks of damage: the exit code tells. */
  readonly damageOf?: (row: Row, rows: readonly Row[]) => string | undefined;
  /** What to know of a row that is no damage. */
  readonly noteOf?: (row: Row) => string | undefined;
  /** Where a generation without rows is one that holds nothing of what is listed: what to know of it. */
  readonly withoutRows?: (generation: Generation) => string;
}

/** 3 when no replica holds a generation; else the worst of what happened to the replicas. */
export async function runListing<Row>(
  context: CommandContext,
  listing: Listing<Row>,
  wanted?: Generation,
): Promise<number> {
  const { files } = context.platform;
  const { database, replicas } = await chooseReplicas(context);
  let generations = 0;
  const beside: ForeignContent[] = [];
  const barren: string[] = [];
  const damaged: ReplicationError[] = [];
  const rowsIn = async (
    store: GenerationStore,
    generation: Generation,
    replica: ReplicaConfig,
    database: DatabaseConfig | undefined,
  ) => {
    const own = await listing.rowsOf(replica, await store.catalog(generation), database, store);
    if (own.length === 0) barren.push(...listing.withoutRows === undefined ? [] : [listing.withoutRows(generation)]);
    return own;
  };
  const { found, errors } = await lookAtEach(replicas, async (replica) => {
    // A replica of the config that this host never wrote may well not have begun; a place that somebody names must be there.
    const store = openReplicaOf(
      context.platform,
      replica,
      database,
      database === undefined ? {} : { otherwise: "nothing" },
    );
    const { names, foreign } = await generationsOf(store, wanted);
    if (foreign !== undefined) beside.push(foreign);
    const rows: Row[] = [];
    for (const generation of names) {
      generations++;
      // One that is damaged does not keep the others from being shown.
      const own = await unlessDamaged(
        rowsIn(store, generation, replica, database),
        [],
        (error) => damaged.push(error),
      );
      for (const row of own) rows.push(row);
    }
    for (const [generation, problem] of names.length === 0 ? [] : await store.strays()) {
      if (wanted !== undefined && generation !== wanted) continue;
      damaged.push(new ReplicationError("corrupt", `Cannot use the replica ${store.description}: ${problem}`));
    }
    return rows;
  });
  if (context.arguments.isOn("json")) {
    writeJson(context.stdout, listing.schemaVersion, { [listing.member]: found.map(listing.documentOf) });
  } else if (generations > barren.length) {
    context.stdout.write(formatTable(listing.columns, found.map(listing.cellsOf)));
  }
  const all = [...errors.map(({ error }) => error), ...beside, ...damaged];
  complain(context, all);
  const damage = found.flatMap((row) => listing.damageOf?.(row, found) ?? []);
  for (const problem of damage) writeLine(context.stderr, printable(`Cannot restore everything: ${problem}`));
  const notes = generations > barren.length ? barren : [];
  for (const note of [...found.flatMap((row) => listing.noteOf?.(row) ?? []), ...notes]) {
    writeLine(context.stderr, printable(`Note: ${note}`));
  }
  const failures = [...all.map(exitCodeOf), ...damage.map(() => ExitCode.corrupt)];
  if (generations > barren.length || failures.length > 0) return worstExitCode(failures);
  const where = replicas.map(({ url }) => url).join(", ");
  const what = barren.length > 0
    ? barren.join(", and ")
    : wanted === undefined
    ? "there is no backup"
    : `there is no generation ${wanted}`;
  const isMissing = replicas.some(({ path }) => files.status(path) === undefined);
  throw new ReplicationError(
    "not-found",
    `Cannot list ${listing.member} of ${where}: ${what}${isMissing ? ", and no such folder (is it mounted?)" : ""}`,
  );
}

/** The generation that `--generation` names. */
export function wantedGeneration(context: CommandContext): Generation | undefined {
  return parseGeneration(context.arguments.text("generation") ?? "");
}

/** What stands beside newer objects that cannot be read is listed all the same, and that they are there is said. */
async function generationsOf(
  store: GenerationStore,
  wanted: Generation | undefined,
): Promise<{ readonly names: readonly Generation[]; readonly foreign?: ForeignContent }> {
  const isWanted = (generation: Generation) => wanted === undefined || generation === wanted;
  try {
    return { names: (await store.generations(wanted)).filter(isWanted) };
  } catch (error) {
    if (!(error instanceof ForeignContent)) throw error;
    return { names: error.generations.filter(isWanted), foreign: error };
  }
}

/** Both forms of an index, as every JSON document has them. */
export function indexMembers(index: Index): { readonly index: number; readonly index_hex: string } {
  return { index, index_hex: formatIndex(index) };
}

/** The checksum that a record tells of the whole database, and where the source was last compared with what was captured. */
export function proofMembers(record: CommitRecord | undefined) {
  const { checksum, confirmedAt } = record ?? {};
  return {
    checksum: checksum === undefined ? null : hex(checksum),
    confirmed: placeMember(confirmedAt),
  };
}

export function placeMember(place: Omit<Position, "generation"> | undefined) {
  return place === undefined ? null : { ...indexMembers(place.index), offset: place.offset };
}

/** A moment in a history, as every JSON document has it. */
export function pointMember(position: Position, capturedAtMs: number) {
  return {
    position: formatPosition(position),
    ...indexMembers(position.index),
    offset: position.offset,
    captured_at: formatTime(capturedAtMs),
  };
}

export const UNKNOWN = "-";

export function timeCell(ms: number | undefined): string {
  return ms === undefined ? UNKNOWN : formatTime(ms);
}

export function timeMember(ms: number | undefined): string | null {
  return ms === undefined ? null : formatTime(ms);
}
