/**
 * Keeps what is asked of a database to reading. A connection for reading only is not enough: it still writes files of other
 * names (`ATTACH`, `VACUUM INTO`), temporary tables, and settings (`PRAGMA`). So SQLite asks its authorizer about each thing
 * that a statement would do, while it is compiled and while it runs, and whatever is not known to read is refused.
 */
import { constants, type DatabaseSync, type StatementSync } from "node:sqlite";

/** The types know neither the authorizer nor the limits, which the built-in library has. */
interface Guarded {
  setAuthorizer(judge: (action: number, first: string | null, second: string | null) => number): void;
  readonly limits: { attach: number };
}

/** The codes of what SQLite asks about; `SQLITE_` is taken off their names. */
export const ACTIONS: ReadonlyMap<number, string> = new Map(
  Object.entries(constants)
    .filter(([name]) => !/^SQLITE_(?:CHANGESET_.*|OK|DENY|IGNORE|COPY)$/.test(name))
    .map(([name, code]) => [code, name.slice("SQLITE_".length).replaceAll("_", " ")]),
);

/** Those that are judged one by one; the types of `constants` know none of them. */
const Action = { pragma: 19, read: 20, select: 21, function: 31, recursive: 33 } as const;
const [PERMIT, DENY] = [0, 1];

/** Without a value they only tell. */
const TELLING_PRAGMAS = [
  ...[
    "application_id",
    "auto_vacuum",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "encoding",
  ],
  ...["freelist_count", "function_list", "journal_mode", "max_page_count", "module_list", "page_count", "page_size"],
  ...["pragma_list", "schema_version", "user_version"],
];

/** Their value says what they tell about. */
const ASKING_PRAGMAS = [
  ...["foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "integrity_check"],
  ...["quick_check", "table_info", "table_list", "table_xinfo"],
];

/** Functions of virtual tables, which SQLite does not call innocuous; what is missing here writes, or hands out pointers. */
const READING_FUNCTIONS = [
  ...["bm25", "fts5_get_locale", "highlight", "match", "matchinfo", "offsets", "rtreecheck", "rtreedepth", "rtreenode"],
  "snippet",
];

/** What SQLite itself says has no effect but its result. */
const INNOCUOUS_FUNCTIONS =
  "SELECT name FROM pragma_function_list GROUP BY name HAVING min(flags & 0x200000) > 0 ORDER BY 1";

const EXPECTED = "a check is a SELECT, or a PRAGMA that only tells";

export class Reading {
  readonly #database: DatabaseSync;
  readonly #functions: ReadonlySet<string>;
  #isAsked = false;
  #refused: string | undefined;

  /** From then on the connection does nothing but read. */
  constructor(database: DatabaseSync) {
    const guarded = database as unknown as Guarded;
    const innocuous = database.prepare(INNOCUOUS_FUNCTIONS).all().map(({ name }) => String(name));
    this.#database = database;
    this.#functions = new Set([...innocuous, ...READING_FUNCTIONS]);
    connectVirtualTables(database);
    guarded.limits.attach = 0; // A second wall: what is refused by one mistake in the list above is refused here as well.
    guarded.setAuthorizer((action, first, second) => this.#judge(action, first, second));
  }

  /** What the query's one statement gives to the work. Throws when it holds no statement or several, or does more than read. */
  ask<Result>(query: string, work: (statement: StatementSync) => Result): Result {
    this.#refused = undefined;
    try {
      const statement = this.#compile(query);
      const result = work(statement);
      if (this.#refused === undefined) return result;
    } catch (error) {
      if (this.#refused === undefined) throw error;
    }
    throw new Error(`it does more than read: ${this.#refused} (${EXPECTED})`);
  }

  #compile(query: string): StatementSync {
    this.#isAsked = false;
    const statement = this.#database.prepare(query);
    // Of each statement that reads SQLite asks at once; a text without any gives an object that crashes whoever touches it.
    if (!this.#isAsked) throw new Error(`it holds no statement that reads (${EXPECTED})`);
    // SQLite compiles the first statement and does not look at what stands behind it.
    if (holdsStatement(query.slice(statement.sourceSQL.length))) {
      throw new Error("it holds more than one statement (give each a check of its own)");
    }
    return statement;
  }

  #judge(action: number, first: string | null, second: string | null): number {
    this.#isAsked = true;
    if (this.#isReading(action, first, second)) return PERMIT;
    this.#refused ??= describe(action, first, second);
    return DENY;
  }

  #isReading(action: number, first: string | null, second: string | null): boolean {
    switch (action) {
      case Action.select:
      case Action.read:
      case Action.recursive:
        return true;
      case Action.function:
        return this.#functions.has(second ?? "");
      case Action.pragma: {
        const name = (first ?? "").toLowerCase();
        return ASKING_PRAGMAS.includes(name) || (second === null && TELLING_PRAGMAS.includes(name));
      }
      default:
        return false;
    }
  }
}

/** Some compile all that they would ever write when they are first used: that is done before anybody may only read. */
function connectVirtualTables(database: DatabaseSync): void {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = 0").all();
  for (const { name } of tables) {
    try {
      database.prepare(`SELECT 1 FROM "${String(name).replaceAll('"', '""')}" LIMIT 0`);
    } catch {
      // Its module is not here, or it is broken: whoever asks it is told so.
    }
  }
}

function describe(action: number, first: string | null, second: string | null): string {
  const name = ACTIONS.get(action) ?? `action ${action}`;
  if (action === Action.function) return `the function ${second}()`;
  if (action !== Action.pragma) return name;
  return `${name} ${(first ?? "").slice(0, NAME_CHARACTERS_MAX)}${second === null ? "" : " with a value"}`;
}

const NAME_CHARACTERS_MAX = 40;
const NO_STATEMENT = /[ \t\n\f\r;]+|--[^\n]*|\/\*.*?(?:\*\/|$)/gs;

/** Whether anything stands there but white space, comments and semicolons. */
function holdsStatement(text: string): boolean {
  return text.replace(NO_STATEMENT, "") !== "";
}
