import { ReplicationError } from "../../lib/base/errors.ts";
import { selectDriver } from "../../lib/sqlite/select_driver.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { testSqliteLibrary } from "../support/sqlite_library.ts";

const library = testSqliteLibrary();
// Not in a test: the library stays open to the end of the process.
const chosen = await selectDriver(library);

Deno.test("selectDriver() without a library is the built-in SQLite", async () => {
  const driver = await selectDriver(undefined);
  assertEquals(driver.name, "built-in");
  assertEquals(driver.capabilities.persistWal, false);
});

Deno.test("selectDriver() with a library's path is the FFI driver over it", () => {
  assertEquals(chosen.name, library);
  assert(chosen.capabilities.persistWal);
});

Deno.test("selectDriver() refuses a library that is missing", async () => {
  await assertRejects(() => selectDriver("/nowhere/libsqlite3.so"), ReplicationError, "/nowhere/libsqlite3.so");
});
