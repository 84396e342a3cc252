/**
 * Every command of the built program on the machine of somebody else (`tests/support/alone.ts`): nothing of the project, no
 * cache, no network, another user, an empty environment.
 */
import { basename } from "../../lib/base/path.ts";
import { product } from "../../lib/base/product.ts";
import { aKeyPair } from "../support/age.ts";
import { type Alone, withProgramAlone } from "../support/alone.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { testSqliteLibrary } from "../support/sqlite_library.ts";

const timeout = 120_000;
const CREATE = "CREATE TABLE IF NOT EXISTS entry(n INTEGER PRIMARY KEY, body TEXT)";
const COUNT = "SELECT count(*) AS n FROM entry";

const insertOf = (count: number) =>
  `INSERT INTO entry(body) SELECT hex(randomblob(50)) FROM (WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 ` +
  `FROM s WHERE i < ${count}) SELECT i FROM s)`;

/** Runs the words, which must end with that code; what they wrote to stdout. */
async function expectCode(alone: Alone, code: number, ...words: readonly string[]): Promise<string> {
  const ended = await alone.run(words);
  assertEquals(ended.code, code, `${words.join(" ")}: ${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}

function writeConfig(alone: Alone, config: unknown): string {
  const path = `${alone.folder}/config.yml`;
  Deno.writeTextFileSync(path, JSON.stringify(config));
  return path;
}

/** A copy: the other user may not be allowed to where it was unpacked. */
function libraryFor(alone: Alone): string {
  const library = testSqliteLibrary();
  if (!library.includes("/")) return "system";
  const copy = `${alone.folder}/${basename(library)}`;
  Deno.writeFileSync(copy, Deno.readFileSync(library), { mode: 0o755 });
  return copy;
}

Deno.test({
  name: "the built program runs every command without a config",
  timeout,
  fn: () =>
    withProgramAlone(async (alone) => {
      const [database, replica] = [`${alone.folder}/app.db`, `file://${alone.folder}/replica`];
      assertEquals(await expectCode(alone, 0, "version"), `tailrace ${product.version}\n`);
      for (const words of [["help"], ["help", "restore"]]) await expectCode(alone, 0, ...words);
      await expectCode(alone, 2, "databases");
      await alone.sql(database, CREATE, insertOf(20));
      await expectCode(alone, 0, "replicate", "--once", database, replica);
      await using daemon = alone.replicate([database, replica]);
      await daemon.ready();
      await alone.sql(database, insertOf(5));
      assertEquals(await daemon.stop(), 0, daemon.text);
      for (const listing of ["generations", "snapshots", "wal", "points"]) {
        assertMatch(await expectCode(alone, 0, listing, replica), /\d/);
      }
      await expectCode(alone, 0, "verify", replica);
      await expectCode(alone, 0, "prune", "--dry-run", "--retention", "1h", replica);
      await expectCode(alone, 0, "restore", "-o", `${alone.folder}/restored.db`, replica);
      assertEquals(await alone.sql(`${alone.folder}/restored.db`, COUNT), [{ n: 25 }]);
    }),
});

for (const feature of ["raw", "litestream", "age", "sqlite-library"] as const) {
  Deno.test({
    name: `the built program runs every command with a config (${feature})`,
    timeout,
    fn: () =>
      withProgramAlone(async (alone) => {
        const key = await aKeyPair();
        const replica = {
          path: `${alone.folder}/replica`,
          ...(feature === "litestream" ? { layout: "litestream" } : {}),
          ...(feature === "age" ? { age: { recipients: [key.recipient], identities: [key.identity] } } : {}),
        };
        const database = `${alone.folder}/app.db`;
        const checks = [{ name: "rows", query: COUNT, min: 20 }];
        const config = writeConfig(alone, {
          ...(feature === "sqlite-library" ? { "sqlite-library": libraryFor(alone) } : {}),
          dbs: [{ path: database, replicas: [replica], verify: { checks } }],
        });
        const ask = (...words: readonly string[]) => expectCode(alone, 0, ...words);
        await alone.sql(database, CREATE, insertOf(20));
        await ask("replicate", "--once", "--config", config);
        await using daemon = alone.replicate(["--config", config]);
        await daemon.ready();
        await alone.sql(database, insertOf(5));
        await ask("replicate", "--once", "--config", config);
        assertStringIncludes(await ask("databases", "--config", config), database);
        for (const listing of ["generations", "snapshots", "wal", "points"]) {
          assertMatch(await ask(listing, "--config", config, database), /\d/);
        }
        // The child that looks inside the restored database runs the checks.
        assertStringIncludes(await ask("verify", "--config", config, "--format", "json"), '"structure"');
        await ask("status", "--config", config);
        await ask("prune", "--config", config, "--dry-run", database);
        assertEquals(await daemon.stop(), 0, daemon.text);
        await ask("restore", "--config", config, "-o", `${alone.folder}/restored.db`, database);
        assertEquals(await alone.sql(`${alone.folder}/restored.db`, COUNT), [{ n: 25 }]);
      }),
  });
}

Deno.test({
  name: "the built program replicates beside the program that --exec starts, and passes on its code",
  timeout,
  fn: () =>
    withProgramAlone(async (alone) => {
      const [database, replica] = [`${alone.folder}/app.db`, `file://${alone.folder}/replica`];
      await alone.sql(database, CREATE, insertOf(3));
      const script = `${alone.folder}/application.js`;
      Deno.writeTextFileSync(
        script,
        `import { DatabaseSync } from "node:sqlite";
        const database = new DatabaseSync(${JSON.stringify(database)}, { timeout: 60_000 });
        database.exec("INSERT INTO entry(body) VALUES('of the child')");
        Deno.exit(7);`,
      );
      await expectCode(alone, 7, "replicate", "--exec", `${alone.deno} run -A ${script}`, database, replica);
      await expectCode(alone, 0, "restore", "-o", `${alone.folder}/restored.db`, replica);
      assertEquals(await alone.sql(`${alone.folder}/restored.db`, COUNT), [{ n: 4 }]);
    }),
});

Deno.test({
  name: "the built program serves metrics, and verifies on schedule with the run-time or executable replaced meanwhile",
  timeout: 240_000,
  fn: () =>
    withProgramAlone(async (alone) => {
      const database = `${alone.folder}/app.db`;
      const replicas = [{ path: `${alone.folder}/replica` }];
      const config = writeConfig(alone, {
        addr: "127.0.0.1:0",
        dbs: [{ path: database, replicas, verify: { schedule: "* * * * *" } }],
      });
      await alone.sql(database, CREATE, insertOf(20));
      await using daemon = alone.replicate(["--config", config]);
      const address = /metrics=(http:\S+)\/metrics/.exec(await daemon.line("Serving metrics and health"))?.[1] ?? "";
      await daemon.ready();
      replaceFile(alone.program.command);
      const health = async () => JSON.parse(await alone.fetch(daemon, `${address}/health`));
      await until(async () => (await health()).healthy, "the daemon to be healthy");
      assertMatch(await alone.fetch(daemon, `${address}/metrics`), /^tailrace_replica_well\{.*\} 1$/m);
      await daemon.line("Verified: every replica is proven");
      assert((await health()).healthy, "healthy after the proof");
      assertEquals(await daemon.stop(), 0, daemon.text);
    }),
});

/** As an upgrade does it: another file takes the name. */
function replaceFile(path: string): void {
  Deno.writeFileSync(`${path}.new`, Deno.readFileSync(path), { mode: 0o755 });
  Deno.renameSync(`${path}.new`, path);
}
