/**
 * An application with one connection and no busy timeout, which commits without a pause and tries again at once when SQLite
 * is busy. Its last line says in JSON how often that was.
 *
 *     deno run --allow-all scripts/impatient_writer.ts DATABASE SECONDS
 */
import { DatabaseSync } from "node:sqlite";
import { say } from "./project.ts";

export interface Refusals {
  readonly commits: number;
  /** How long each time lasted in which commits were refused, in ms. */
  readonly episodesMs: readonly number[];
}

if (import.meta.main) {
  const [path = "", seconds = "12"] = Deno.args;
  using db = new DatabaseSync(path);
  db.exec("PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS entry(n INTEGER PRIMARY KEY, body BLOB)");
  const insert = db.prepare("INSERT INTO entry(body) VALUES(randomblob(200))");
  const end = performance.now() + 1_000 * Number(seconds);
  const episodesMs: number[] = [];
  let commits = 0;
  let refusedSince: number | undefined;
  for (let now = performance.now(); now < end; now = performance.now()) {
    try {
      insert.run();
      commits++;
      if (refusedSince !== undefined) episodesMs.push(performance.now() - refusedSince);
      refusedSince = undefined;
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes("locked")) throw error;
      refusedSince ??= now;
    }
  }
  const refusals: Refusals = { commits, episodesMs };
  say(JSON.stringify(refusals));
}
