import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { hasWalResetBug } from "../../lib/sqlite/version.ts";
import { testSqliteDriver } from "../conformance/sqlite_driver_suite.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";

const driver = createNodeDriver();

testSqliteDriver(driver);

Deno.test("createNodeDriver() has an SQLite that is free of the WAL-reset bug and knows NOOP checkpoints", () => {
  assertMatch(driver.version, /^3\.\d+\.\d+$/);
  assertEquals(hasWalResetBug(driver.version), false);
  assert(driver.capabilities.noopCheckpoint);
});
