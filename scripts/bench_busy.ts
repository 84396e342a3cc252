/**
 * How often an application with one connection and no busy timeout is told SQLITE_BUSY beside us while it commits without a
 * pause: of this checkout, and of others by turns.
 *
 *     deno task bench:busy [--seconds N] [--rounds N] [--beside DIR]     DIR: another checkout
 */
import { DatabaseSync } from "node:sqlite";
import { startReplicate } from "../tests/support/daemon.ts";
import { programOf } from "../tests/support/program.ts";
import type { Refusals } from "./impatient_writer.ts";
import { option, ROOT, run, say } from "./project.ts";

const seconds = option("seconds") ?? "12";
const rounds = Number(option("rounds") ?? "3");
const beside = option("beside");
const checkouts = beside === undefined ? [ROOT] : [beside, ROOT];

say("commits  refused  per 100,000   in all  longest  pauses  -wal  beside");
for (let round = 0; round < rounds; round++) {
  for (const checkout of checkouts) say(await measure(checkout));
}

async function measure(checkout: string): Promise<string> {
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-busy-" });
  try {
    const database = `${folder}/app.db`;
    using db = new DatabaseSync(database); // Open all the time, so that the WAL stays.
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
    const program = programOf(`${checkout}/main.ts`);
    const words = ["--log-level", "debug", database, `file://${folder}/replica`];
    await using daemon = startReplicate(words, { program });
    await daemon.ready();
    const writer = ["run", "--allow-all", `${ROOT}/scripts/impatient_writer.ts`, database, seconds];
    const { code, stdout, stderr } = await run(Deno.execPath(), writer);
    if (code !== 0) throw new Error(stderr);
    const pauses = daemon.saying("Held the write lock").length;
    return row(JSON.parse(stdout), pauses, Deno.statSync(`${database}-wal`).size, checkout);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function row({ commits, episodesMs }: Refusals, pauses: number, walBytes: number, checkout: string): string {
  const inAll = episodesMs.reduce((sum, ms) => sum + ms, 0);
  return [
    String(commits).padStart(7),
    String(episodesMs.length).padStart(8),
    (episodesMs.length / commits * 100_000).toFixed(1).padStart(12),
    `${inAll.toFixed(0)} ms`.padStart(8),
    `${Math.max(0, ...episodesMs).toFixed(1)} ms`.padStart(8),
    String(pauses).padStart(7),
    `${(walBytes / 2 ** 20).toFixed(0)} MB`.padStart(5),
    ` ${checkout}`,
  ].join(" ");
}
