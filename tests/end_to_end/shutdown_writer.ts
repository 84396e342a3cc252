/**
 * An application for `--exec`: makes the database, commits a row, and one more when it is told to end. Its exit code is the
 * second parameter.
 *
 *     deno run -A tests/end_to_end/shutdown_writer.ts DB CODE
 */
import { DatabaseSync } from "node:sqlite";

const [path = "", code = "0"] = Deno.args;
const database = new DatabaseSync(path, { timeout: 5_000 });
database.exec("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS entry(n INTEGER PRIMARY KEY, body)");
database.exec("INSERT INTO entry(body) VALUES('at start')");
for (const name of ["SIGTERM", "SIGINT"] as const) {
  Deno.addSignalListener(name, () => {
    database.exec(`INSERT INTO entry(body) VALUES('at ${name}')`);
    Deno.exit(Number(code));
  });
}
setInterval(() => {}, 1_000); // Until then it lives.
