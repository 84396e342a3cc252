/**
 * A program of its own: asks for checkpoints of the database that it makes at its first argument, of one that is missing,
 * and of its second argument, which is none. Prints the row and the two result codes.
 */
import { SqliteError } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";

const [path = "", noDatabase = ""] = Deno.args;
const driver = createNodeDriver();
const connection = driver.open(path, { create: true });
connection.execute("PRAGMA journal_mode = WAL");
connection.execute("CREATE TABLE entry (body)");
connection.execute("INSERT INTO entry VALUES ('first')");

const row = await driver.checkpointLater(path);
const codes: (number | undefined)[] = [];
for (const other of [`${path}.missing`, noDatabase]) {
  const error: unknown = await driver.checkpointLater(other).catch((error) => error);
  codes.push(error instanceof SqliteError ? error.resultCode : undefined);
}
connection.close();
console.info(JSON.stringify({ row, codes }));
