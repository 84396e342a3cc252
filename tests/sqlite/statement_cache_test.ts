import { StatementCache } from "../../lib/sqlite/statement_cache.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

function aCache() {
  const compiled: string[] = [];
  const finalized: string[] = [];
  const cache = new StatementCache<string>(
    (sql) => {
      compiled.push(sql);
      return sql;
    },
    (statement) => finalized.push(statement),
  );
  const compilations = (sql: string) => {
    compiled.length = 0;
    for (let i = 0; i < 3; i++) cache.use(sql, () => {});
    return compiled.length;
  };
  return { cache, compiled, finalized, compilations };
}

Deno.test("StatementCache keeps what the capture cycle runs again and again", () => {
  const { compilations } = aCache();
  const hot = [
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SELECT 1",
    "PRAGMA user_version",
    "PRAGMA wal_checkpoint(NOOP)",
    "PRAGMA wal_checkpoint(PASSIVE)",
    "pragma data_version;",
  ];
  assertEquals(hot.map(compilations), hot.map(() => 1));
});

Deno.test("StatementCache compiles anew what does its work while it is compiled", () => {
  const { compilations } = aCache();
  const others = ["PRAGMA synchronous = 1", "PRAGMA page_size", "PRAGMA user_version = 3", "ATTACH 'x' AS y", "VACUUM"];
  assertEquals(others.map(compilations), others.map(() => 3));
});

Deno.test("StatementCache finalizes what it does not keep, after an error too", () => {
  const { cache, finalized } = aCache();
  cache.use("VACUUM", () => {});
  assertThrows(() =>
    cache.use("PRAGMA page_size", () => {
      throw new Error("no");
    })
  );
  assertEquals(finalized, ["VACUUM", "PRAGMA page_size"]);
});

Deno.test("StatementCache drops the oldest of too many, and all when cleared", () => {
  const { cache, finalized } = aCache();
  for (let i = 0; i < 33; i++) cache.use(`SELECT ${i}`, () => {});
  assertEquals(finalized, ["SELECT 0"]);
  cache.clear();
  assertEquals(new Set(finalized).size, 33);
});
