/** Promise P1: a watched database holds nothing that an unwatched one would not. */
import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertGreater } from "../support/assert.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import type { Daemon } from "../support/daemon.ts";
import { withScene } from "./scene.ts";

const WORKLOAD = new URL("./workload.ts", import.meta.url).pathname;
const ACTIONS = 200;

async function work(path: string, seed: number): Promise<void> {
  const args = ["run", "--allow-all", "--quiet", WORKLOAD, path, String(seed), String(ACTIONS)];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

const PRAGMAS = [
  "application_id",
  "auto_vacuum",
  "encoding",
  "freelist_count",
  "integrity_check",
  "journal_mode",
  "page_count",
  "page_size",
  "schema_version",
  "user_version",
];

/** Everything that SQL can tell of a database. */
function describe(path: string) {
  using database = new DatabaseSync(path);
  const all = (sql: string) => database.prepare(sql).all().map((row) => ({ ...row }));
  const schema = all("SELECT * FROM sqlite_schema ORDER BY type, name");
  return {
    pragmas: PRAGMAS.map((name) => ({ name, value: all(`PRAGMA ${name}`) })),
    schema,
    rows: schema.filter(({ type }) => type === "table").map(({ name }) => ({
      name,
      rows: all(`SELECT * FROM "${name}"`),
    })),
  };
}

for (const seed of [1, 2, 3]) {
  Deno.test({
    name: `A watched database is page by page what an unwatched one is after the same work (seed ${seed})`,
    timeout: 40_000,
    fn: () =>
      withScene(async (scene) => {
        const twin = `${scene.folder}/twin`;
        Deno.mkdirSync(twin);
        // In WAL mode before anybody watches, as P1 asks for: the workload itself sets it again.
        for (const path of [scene.database, `${twin}/app.db`]) makeDatabase(path);
        await using daemon = scene.daemon();
        await daemon.ready();
        await Promise.all([work(scene.database, seed), work(`${twin}/app.db`, seed)]);
        assertEquals(await daemon.stop(), 0);

        const watched = databaseImage(scene.database, `${scene.folder}/watched`);
        const unwatched = databaseImage(`${twin}/app.db`, `${scene.folder}/unwatched`);
        const { pages, different } = comparePages(watched, unwatched);
        assertGreater(pages, 20);
        assertEquals(different, []);
        assertEquals(describe(`${scene.folder}/watched/image.db`), describe(`${scene.folder}/unwatched/image.db`));
        assertEquals(namesIn(`${scene.folder}/data`), [".app.db-tailrace", "app.db", "app.db-shm", "app.db-wal"]);
        await scene.expectEqual();
        assertEquals(generationsFor(daemon), ["there is no earlier state"]);
      }),
  });
}

function makeDatabase(path: string): void {
  using database = new DatabaseSync(path);
  database.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; CREATE TABLE first(a)");
}

/**
 * Why generations began. A checkpoint of the application that waits for us is let through, and a machine that is busy
 * elsewhere may then give it two restarts before our turn: a snapshot is the price, as decision 0006 says, and no other
 * reason is accepted.
 */
function generationsFor(daemon: Daemon): string[] {
  const reasons = daemon.saying("A new generation begins").map((line) => /reason="([^"]*)"/.exec(line)?.[1] ?? line);
  return reasons.filter((reason) =>
    reason !== "the WAL was restarted while a checkpoint of the application had its way"
  );
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
