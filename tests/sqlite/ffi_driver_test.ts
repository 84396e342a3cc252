import { ReplicationError } from "../../lib/base/errors.ts";
import { createFfiDriver } from "../../lib/sqlite/ffi_driver.ts";
import { testSqliteDriver } from "../conformance/sqlite_driver_suite.ts";
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { testSqliteLibrary } from "../support/sqlite_library.ts";

// Not in a test: the library stays open to the end of the process.
const driver = createFfiDriver(testSqliteLibrary());

testSqliteDriver(driver);

Deno.test("createFfiDriver() reads the library's version", () => {
  assertMatch(driver.version, /^3\.\d+\.\d+$/);
});

Deno.test("createFfiDriver() names a library that is missing, and what to install", () => {
  const error = assertThrows(() => createFfiDriver("/nowhere/libsqlite3.so"), ReplicationError);
  assertStringIncludes(error.message, "Cannot load the SQLite library /nowhere/libsqlite3.so: ");
  assertStringIncludes(error.message, "No such file or directory");
  assertStringIncludes(error.advice ?? "", "apt-get install libsqlite3-0");
  assertEquals(error.code, "config-invalid");
});

Deno.test("createFfiDriver() names a file that is no library", async () => {
  await withTemporaryFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/libsqlite3.so`, "not a library, but long enough to be looked at as one would be");
    const error = assertThrows(() => createFfiDriver(`${folder}/libsqlite3.so`), ReplicationError);
    assertStringIncludes(error.message, `Cannot load the SQLite library ${folder}/libsqlite3.so: `);
  });
});

Deno.test("createFfiDriver() names a library that is not SQLite", () => {
  const error = assertThrows(() => createFfiDriver("libc.so.6"), ReplicationError);
  assertStringIncludes(error.message, "Cannot use the SQLite library libc.so.6: ");
  assertStringIncludes(error.message, "sqlite3_");
});
