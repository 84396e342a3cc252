/** The C library of SQLite that tests use: what the set-up found or unpacked, else the system's. */
export function testSqliteLibrary(): string {
  return Deno.env.get("TAILRACE_TEST_SQLITE") || "libsqlite3.so.0";
}
