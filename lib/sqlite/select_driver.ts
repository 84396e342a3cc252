import type { SqliteDriver } from "./driver.ts";

/** Undefined is the built-in SQLite; else `system` or the path of a library. What is not chosen is not even loaded. */
export async function selectDriver(sqliteLibrary: string | undefined): Promise<SqliteDriver> {
  if (sqliteLibrary === undefined) {
    const { createNodeDriver } = await import("./node_driver.ts");
    return createNodeDriver();
  }
  const { createFfiDriver } = await import("@db/sqlite");
  return createFfiDriver(sqliteLibrary);
}
