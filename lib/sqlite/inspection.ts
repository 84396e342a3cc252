/**
 * Looks inside a database that may be hostile: one that was restored. It is opened for reading only and as a file that nobody
 * changes, so that nothing is written beside it; what its schema says is trusted with nothing. SQLite cannot be interrupted
 * here and may never end: this runs in a process that somebody else kills.
 */
import { DatabaseSync, type DatabaseSyncOptions } from "node:sqlite";
import { hex } from "../base/bytes.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { ResultCode } from "./driver.ts";
import { uriOf } from "./node_driver.ts";
import { Reading } from "./reading.ts";

/** Faults of one kind that are told; a database that is full of them is told by these. */
const FAULTS_MAX = 20;
const BIGGEST_INTEGER = BigInt(Number.MAX_SAFE_INTEGER);

export interface InspectionOrder {
  readonly path: string;
  /** Runs `integrity_check` and `foreign_key_check`. */
  readonly structure: boolean;
  readonly queries: readonly string[];
  /** Pages whose tables and indexes are asked for. */
  readonly pages: readonly number[];
}

export interface Inspection {
  /** What `integrity_check` says is wrong; empty when all is well. */
  readonly faults: readonly string[];
  /** Tables that it cannot look at here, and why: they need something that only the application has. */
  readonly unchecked: Readonly<Record<string, string>>;
  /** Rows whose foreign key leads nowhere, by table: the source's rows are no better. */
  readonly orphans: Readonly<Record<string, number>>;
  /** Tables, indexes, views and triggers. */
  readonly objects: number;
  /** SHA-256 over the text of the schema, the first 16 hex digits. */
  readonly schema: string;
  /** First column of the first row of each query. */
  readonly answers: readonly Answer[];
  /** Names of the tables and indexes that the pages belong to. */
  readonly owners: readonly string[];
}

export type Answer =
  | { readonly kind: "value"; readonly value: string | number | null }
  /** SQLite's own words. */
  | { readonly kind: "error"; readonly problem: string };

export type InspectionResult =
  | { readonly kind: "inspected"; readonly inspection: Inspection }
  /** It is encrypted, or no database at all. */
  | { readonly kind: "unreadable"; readonly problem: string }
  /** Its schema is none that this SQLite understands: it is newer, or broken. */
  | { readonly kind: "not-understood"; readonly problem: string };

export async function inspectDatabase(order: InspectionOrder): Promise<InspectionResult> {
  try {
    // The type knows no `defensive`, which the built-in library takes.
    const options = { readOnly: true, defensive: true, timeout: 0 } as DatabaseSyncOptions;
    const database = new DatabaseSync(`${uriOf(order.path, { readOnly: true })}&immutable=1`, options);
    try {
      return { kind: "inspected", inspection: await inspect(database, order) };
    } finally {
      database.close();
    }
  } catch (error) {
    const code = resultCodeOf(error);
    if (code === ResultCode.notADatabase) return { kind: "unreadable", problem: messageOf(error) };
    const problem = messageOf(error);
    const isSchema = code === ResultCode.corrupt && problem.startsWith("malformed database schema");
    if (isSchema || code === ResultCode.error) return { kind: "not-understood", problem };
    throw error;
  }
}

async function inspect(database: DatabaseSync, { structure, queries, pages }: InspectionOrder): Promise<Inspection> {
  database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
  const rows = database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2, 3").all();
  return {
    ...(structure ? checkIntegrity(database) : { faults: [], unchecked: {} }),
    orphans: structure ? orphansIn(database) : {},
    objects: rows.length,
    schema: await schemaHash(rows.map(({ type, name, tbl_name, sql }) => [type, name, tbl_name, sql])),
    owners: ownersOf(database, pages),
    answers: answersOf(database, queries),
  };
}

/** One table that needs what only the application registers keeps the whole check from running: then each by itself. */
function checkIntegrity(database: DatabaseSync): Pick<Inspection, "faults" | "unchecked"> {
  const whole = faultsIn(database, String(FAULTS_MAX));
  if (typeof whole !== "string") return { faults: whole, unchecked: {} };
  const faults: string[] = [];
  const unchecked: Record<string, string> = {};
  const names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY 1")
    .all();
  for (const table of names.map(({ name }) => String(name))) {
    const found = faultsIn(database, quoted(table));
    if (typeof found === "string") unchecked[table] = found;
    else faults.push(...found);
  }
  return { faults: faults.slice(0, FAULTS_MAX), unchecked };
}

/** What is wrong; a text says why nobody can look here. */
function faultsIn(database: DatabaseSync, argument: string): string[] | string {
  try {
    const rows = database.prepare(`PRAGMA integrity_check(${argument})`).all();
    const said = rows.flatMap((row) => String(Object.values(row)[0]).split("\n"));
    return said.length === 1 && said[0] === "ok" ? [] : said.slice(0, FAULTS_MAX);
  } catch (error) {
    // What SQLite does not know (a function, a collation, a module) it refuses before it looks at any page.
    return resultCodeOf(error) === ResultCode.error ? messageOf(error) : [messageOf(error)];
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The primary code: a collation that is missing has an extended one. */
function resultCodeOf(error: unknown): number {
  return Number((error as { errcode?: unknown }).errcode) & 0xff;
}

function orphansIn(database: DatabaseSync): Record<string, number> {
  const orphans: Record<string, number> = {};
  try {
    const rows = database.prepare('SELECT "table" AS name, count(*) AS n FROM pragma_foreign_key_check GROUP BY 1')
      .all();
    for (const { name, n } of rows) orphans[String(name)] = Number(n);
  } catch {
    // A foreign key names a table or column that is not there: nothing to do with the copy.
  }
  return orphans;
}

function ownersOf(database: DatabaseSync, pages: readonly number[]): string[] {
  if (pages.length === 0) return [];
  try {
    const list = pages.map((page) => Math.trunc(page)).join();
    return database.prepare(`SELECT DISTINCT name FROM dbstat WHERE pageno IN (${list}) ORDER BY 1`).all()
      .map(({ name }) => String(name));
  } catch {
    return []; // Where the structure is broken nobody can tell.
  }
}

async function schemaHash(rows: readonly unknown[]): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify(rows));
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", text)).subarray(0, 8));
}

/** Last of all: from then on the connection only reads, and what SQLite may take of memory can only be lowered. */
function answersOf(database: DatabaseSync, queries: readonly string[]): Answer[] {
  if (queries.length === 0) return [];
  database.exec(`PRAGMA hard_heap_limit = ${limits.queryHeapMaxBytes}`);
  const reading = new Reading(database);
  return queries.map((query) => answerOf(database, reading, query));
}

function answerOf(database: DatabaseSync, reading: Reading, query: string): Answer {
  try {
    const row = reading.ask(query, (statement) => {
      statement.setReadBigInts(true);
      // The row comes whole, and its columns may all be one value of which SQLite holds a single copy.
      const { limits: bounds } = database as unknown as { readonly limits: { length: number } };
      bounds.length = Math.floor(limits.queryRowMaxBytes / Math.max(1, statement.columns().length));
      return statement.get();
    });
    const value = row === undefined ? null : Object.values(row)[0] ?? null;
    const bytes = typeof value === "string" || value instanceof Uint8Array ? value.length : 0;
    if (bytes <= limits.answerMaxBytes) return { kind: "value", value: plain(value) };
    return { kind: "error", problem: `its answer has more than ${limits.answerMaxBytes} bytes` };
  } catch (error) {
    if (resultCodeOf(error) === ResultCode.noMemory) {
      return {
        kind: "error",
        problem: `it needs more than the ${limits.queryHeapMaxBytes} bytes that a check may have`,
      };
    }
    return { kind: "error", problem: messageOf(error) };
  }
}

function plain(value: unknown): string | number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") {
    return value <= BIGGEST_INTEGER && value >= -BIGGEST_INTEGER ? Number(value) : String(value);
  }
  if (value instanceof Uint8Array) return hex(value);
  return typeof value === "number" ? value : String(value);
}
