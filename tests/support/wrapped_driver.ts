import type { SqliteConnection, SqliteDriver } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";

/** The real driver, whose connections a test sees at work: `wrap` is given each one that is opened. */
export function wrappedDriver(wrap: (real: SqliteConnection) => SqliteConnection): SqliteDriver {
  const real = createNodeDriver();
  return {
    name: real.name,
    version: real.version,
    capabilities: real.capabilities,
    open: (path, options) => wrap(real.open(path, options)),
    checkpointLater: (path) => real.checkpointLater(path),
    prepareLater: (path, options) => real.prepareLater(path, options),
  };
}
