/** A check only reads: every kind of statement, pragma and function that this SQLite knows is tried. */
import { DatabaseSync } from "node:sqlite";
import { type Answer, inspectDatabase } from "../../lib/sqlite/inspection.ts";
import { ACTIONS } from "../../lib/sqlite/reading.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const SCHEMA = `
  CREATE TABLE entry(n INTEGER PRIMARY KEY, body TEXT);
  CREATE INDEX by_body ON entry(body);
  CREATE VIEW bodies AS SELECT body FROM entry;
  CREATE TRIGGER added AFTER INSERT ON entry BEGIN SELECT 1; END;
  CREATE VIRTUAL TABLE words USING fts5(body);
  CREATE VIRTUAL TABLE older USING fts4(body);
  CREATE VIRTUAL TABLE area USING rtree(id, a, b);
  INSERT INTO entry VALUES(1, 'one'), (2, 'two');
  INSERT INTO words VALUES('one two');
  INSERT INTO older VALUES('one two');
  INSERT INTO area VALUES(1, 1, 2);`;

/** `OTHER` is a file that is not there. Before the bar stands what must be so first. */
const WRITING: readonly string[] = [
  "VACUUM",
  "VACUUM INTO 'OTHER'",
  "ATTACH 'OTHER' AS other",
  "ATTACH ':memory:' AS other",
  "ATTACH ':memory:' AS other | DETACH other",
  "INSERT INTO entry VALUES(3, 'three')",
  "INSERT INTO entry VALUES(3, 'three') RETURNING n",
  "REPLACE INTO entry VALUES(1, 'uno')",
  "INSERT INTO entry VALUES(1, 'uno') ON CONFLICT DO UPDATE SET body = excluded.body",
  "WITH more(n) AS (SELECT 9) INSERT INTO entry SELECT n, 'nine' FROM more",
  "UPDATE entry SET body = 'x'",
  "UPDATE entry SET body = w.body FROM words AS w RETURNING 1",
  "DELETE FROM entry",
  "DELETE FROM entry RETURNING 1",
  "INSERT INTO words(words) VALUES('optimize')",
  "INSERT INTO words(words, rank) VALUES('integrity-check', 1)",
  "INSERT INTO older(older) VALUES('rebuild')",
  "SELECT optimize(older) FROM older WHERE older MATCH 'one'",
  "INSERT INTO area VALUES(2, 1, 2)",
  "CREATE TABLE other(a)",
  "CREATE TABLE other AS SELECT 1",
  "CREATE TEMP TABLE other(a)",
  "CREATE TEMP TABLE other AS SELECT 1",
  "CREATE INDEX other ON entry(body)",
  "CREATE TEMP TABLE t(a) | CREATE INDEX temp.other ON t(a)",
  "CREATE VIEW other AS SELECT 1",
  "CREATE TEMP VIEW other AS SELECT 1",
  "CREATE TRIGGER other AFTER DELETE ON entry BEGIN SELECT 1; END",
  "CREATE TEMP TRIGGER other AFTER DELETE ON entry BEGIN SELECT 1; END",
  "CREATE VIRTUAL TABLE other USING fts5(a)",
  "CREATE VIRTUAL TABLE temp.other USING fts5(a)",
  "DROP TABLE entry",
  "CREATE TEMP TABLE t(a) | DROP TABLE temp.t",
  "DROP INDEX by_body",
  "CREATE TEMP TABLE t(a); CREATE INDEX temp.i ON t(a) | DROP INDEX temp.i",
  "DROP VIEW bodies",
  "CREATE TEMP VIEW v AS SELECT 1 | DROP VIEW temp.v",
  "DROP TRIGGER added",
  "CREATE TEMP TRIGGER g AFTER DELETE ON entry BEGIN SELECT 1; END | DROP TRIGGER temp.g",
  "DROP TABLE words",
  "ALTER TABLE entry ADD COLUMN more",
  "ALTER TABLE entry RENAME TO other",
  "ALTER TABLE entry RENAME COLUMN body TO other",
  "ALTER TABLE entry DROP COLUMN n | ANALYZE",
  "ANALYZE",
  "ANALYZE entry",
  "REINDEX",
  "REINDEX by_body",
  "BEGIN",
  "BEGIN IMMEDIATE",
  "BEGIN | COMMIT",
  "BEGIN | END",
  "BEGIN | ROLLBACK",
  "SAVEPOINT a",
  "SAVEPOINT a | RELEASE a",
  "SAVEPOINT a | ROLLBACK TO a",
  "PRAGMA journal_mode = WAL",
  "PRAGMA journal_mode('delete')",
  "PRAGMA main.user_version = 5",
  "PRAGMA application_id(5)",
  "PRAGMA WRITABLE_SCHEMA = ON",
  "PRAGMA wal_checkpoint",
  "PRAGMA wal_checkpoint(TRUNCATE)",
  "PRAGMA incremental_vacuum",
  "PRAGMA optimize",
  "SELECT * FROM pragma_optimize(-1)",
  "PRAGMA temp_store_directory = '/'",
  "PRAGMA no_such_pragma",
  "EXPLAIN INSERT INTO entry VALUES(3, 'three')",
  "SELECT load_extension('OTHER')",
  "SELECT fts3_tokenizer('simple')",
  "SELECT fts5(NULL)",
];

const READING: readonly (readonly [query: string, value: string | number | null])[] = [
  ["SELECT count(*) FROM entry", 2],
  ["VALUES(7)", 7],
  ["WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n", 15],
  ["SELECT body FROM bodies ORDER BY body DESC", "two"],
  ["SELECT row_number() OVER (ORDER BY n) FROM entry", 1],
  ["SELECT json_extract('{\"a\": [1, 2]}', '$.a[1]') + abs(-1) + length('ab') + json('1') ->> '$'", 6],
  ["SELECT count(*) FROM json_each('[1, 2]')", 2],
  ["SELECT strftime('%Y', 0, 'unixepoch') || upper('a') || printf('%d', 2) || quote(x'00')", "1970A2X'00'"],
  ["SELECT highlight(words, 0, '<', '>') FROM words WHERE words MATCH 'two' ORDER BY bm25(words)", "one <two>"],
  ["SELECT snippet(older) FROM older WHERE older MATCH 'two'", "one <b>two</b>"],
  ["SELECT count(*) FROM area WHERE a < 2", 1],
  ["SELECT rtreecheck('area')", "ok"],
  ["SELECT count(*) FROM dbstat WHERE name = 'entry'", 1],
  ["SELECT name FROM pragma_table_info('entry')", "n"],
  ["SELECT count(*) FROM pragma_table_list WHERE name = 'entry'", 1],
  ["PRAGMA integrity_check", "ok"],
  ["PRAGMA quick_check(5)", "ok"],
  ["PRAGMA foreign_key_check", null],
  ["pragma main.User_Version;", 0],
  ["SELECT * FROM pragma_integrity_check", "ok"],
  ["EXPLAIN SELECT 1", 0],
  [";; -- first\n SELECT 1 /* then */; -- last\n ; /* open", 1],
  ["SELECT 'a; b' || \"n\" FROM entry", "a; b1"],
];

async function withDatabase<T>(work: (path: string, folder: string) => Promise<T> | T): Promise<T> {
  return await withTemporaryFolder(async (folder) => {
    const path = `${folder}/copy.db`;
    const database = new DatabaseSync(path);
    database.exec(SCHEMA);
    database.close();
    return await work(path, folder);
  });
}

async function answersOf(path: string, queries: readonly string[], structure = false): Promise<readonly Answer[]> {
  const result = await inspectDatabase({ path, structure, queries, pages: [] });
  assert(result.kind === "inspected");
  return result.inspection.answers;
}

function problemOf(answer: Answer | undefined): string {
  return answer?.kind === "error" ? answer.problem : `it answers ${JSON.stringify(answer)}`;
}

const MORE_THAN_READING =
  /^it (?:does more than read: .+|holds no statement that reads) \(a check is a SELECT, or a PRAGMA that only tells\)$/;

/** The parts of a row of the list above, with `OTHER` in that folder. */
function partsOf(row: string, folder: string): readonly [before: string, statement: string] {
  const [first = "", second] = row.replaceAll("OTHER", `${folder}/other`).split(" | ");
  return second === undefined ? ["", first] : [first, second];
}

Deno.test("inspectDatabase() refuses each statement that does more than read, and leaves all as it was", () =>
  withDatabase(async (path, folder) => {
    const bytes = Deno.readFileSync(path);
    for (const row of WRITING) {
      const [before, statement] = partsOf(row, folder);
      const [answer, temporary] = await answersOf(path, [statement, "SELECT count(*) FROM sqlite_temp_schema"]);
      // What needs something that cannot be made here may be refused because that is missing.
      assertMatch(problemOf(answer), before === "" ? MORE_THAN_READING : /^(?!it answers)/, row);
      assertEquals(temporary, { kind: "value", value: 0 }, row);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["copy.db"], row);
    }
    assertEquals(Deno.readFileSync(path), bytes);
  }));

Deno.test("the statements that are tried do all that SQLite ever asks an authorizer about", async () => {
  const seen = new Set<number>();
  for (const row of [...WRITING, ...READING.map(([query]) => query)]) {
    await withDatabase((path, folder) => {
      const [before, statement] = partsOf(row, folder);
      const database = new DatabaseSync(path);
      const guarded = database as unknown as { setAuthorizer(judge: (action: number) => number): void };
      try {
        database.exec(before);
        guarded.setAuthorizer((action) => {
          seen.add(action);
          return 0;
        });
        database.prepare(statement).all();
      } catch {
        // What SQLite refuses by itself has been asked about before.
      } finally {
        database.close();
      }
    });
  }
  const missed = [...ACTIONS].filter(([code]) => !seen.has(code)).map(([, name]) => name);
  assertEquals(missed, []);
});

Deno.test("inspectDatabase() answers what only reads, also where virtual tables compile what would write", () =>
  withDatabase(async (path) => {
    const values = READING.map(([, value]): Answer => ({ kind: "value", value }));
    for (const structure of [false, true]) {
      assertEquals(await answersOf(path, READING.map(([query]) => query), structure), values);
    }
  }));

Deno.test("inspectDatabase() permits of all pragmas those that tell, and a value only where it says of what", () =>
  withDatabase(async (path) => {
    const database = new DatabaseSync(":memory:");
    const names = database.prepare("SELECT name FROM pragma_pragma_list").all().map(({ name }) => String(name));
    database.close();
    const permitted = async (textOf: (name: string) => string) => {
      const answers = await answersOf(path, names.map(textOf));
      return names.filter((_, slot) => !problemOf(answers[slot]).startsWith("it does more than read"));
    };
    const asking = [
      ...["foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "integrity_check"],
      ...["quick_check", "table_info", "table_list", "table_xinfo"],
    ];
    const telling = [
      ...["application_id", "auto_vacuum", "collation_list", "compile_options", "data_version", "database_list"],
      ...["encoding", "freelist_count", "function_list", "journal_mode", "max_page_count", "module_list", "page_count"],
      ...["page_size", "pragma_list", "schema_version", "user_version"],
    ];
    assertEquals((await permitted((name) => `PRAGMA ${name} = 1`)).sort(), asking.sort());
    assertEquals((await permitted((name) => `PRAGMA ${name}`)).sort(), [...asking, ...telling].sort());
  }));

Deno.test("inspectDatabase() refuses of all functions those that have an effect beside their result", () =>
  withDatabase(async (path) => {
    const database = new DatabaseSync(":memory:");
    const list = "SELECT DISTINCT name, narg FROM pragma_function_list WHERE name GLOB '[a-z]*' ORDER BY 1, 2";
    const functions = database.prepare(list).all();
    database.close();
    const calls = functions.map(({ name, narg }) => {
      const words = Array(Math.max(Number(narg), 0)).fill("NULL").join();
      return `SELECT "${name}"(${words})`;
    });
    const answers = await answersOf(path, calls);
    const refused = functions.filter((_, slot) => /more than read/.test(problemOf(answers[slot])));
    const names = new Set(refused.map(({ name }) => name));
    assertEquals([...names], ["fts3_tokenizer", "fts5", "load_extension", "optimize"]);
  }));

Deno.test("inspectDatabase() refuses a check of several statements, or of none", () =>
  withDatabase(async (path) => {
    const several = [
      "SELECT 1; SELECT 2",
      "SELECT 1;;-- a\nSELECT 2",
      "SELECT 1; garbage",
      "SELECT 1; VACUUM INTO 'x'",
      "SELECT 1\0; SELECT 2",
      "SELECT 1 /* a */; /* b */ DROP TABLE entry -- c",
    ];
    for (const answer of await answersOf(path, several)) {
      assertEquals(problemOf(answer), "it holds more than one statement (give each a check of its own)");
    }
    for (
      const answer of await answersOf(path, ["", " ; ", "-- nothing", "/* nothing", "/* a */;;\n-- b", "\0", "\uFEFF"])
    ) {
      assertMatch(problemOf(answer), /^it holds no statement that reads/);
    }
    assertEquals(problemOf((await answersOf(path, ["SELECT * FROM nowhere"]))[0]), "no such table: nowhere");
  }));

type Judge = (action: number, first: string | null, second: string | null) => number;

Deno.test("inspectDatabase() attaches nothing, even where the authorizer permits it", () =>
  withDatabase(async (path) => {
    const prototype = DatabaseSync.prototype as unknown as { setAuthorizer?: (judge: Judge) => void };
    const real = prototype.setAuthorizer;
    prototype.setAuthorizer = function (judge) {
      real?.call(this, (...what) => judge(...what) * 0);
    };
    try {
      const queries = ["ATTACH ':memory:' AS other", "SELECT count(*) FROM pragma_database_list"];
      assertEquals((await answersOf(path, queries))[1], { kind: "value", value: 1 });
    } finally {
      delete prototype.setAuthorizer;
      assertEquals(prototype.setAuthorizer, real);
    }
  }));
