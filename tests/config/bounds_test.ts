import { ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { readConfig } from "../../lib/config/parse.ts";
import { assert, assertEquals, assertLess, assertThrows } from "../support/assert.ts";
import { runMeasured } from "../support/peak.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const SURROUNDINGS = { environment: () => undefined, currentFolder: "/", expand: true };

function entries(count: number): string {
  return Array.from({ length: count }, (_, slot) => `{path: /d/${slot}, replica: {path: /b/${slot}}}`).join();
}

Deno.test("readConfig() refuses more databases than one process follows", () => {
  const aliases = (count: number) => `x-a: &a {path: /d/0, replica: {path: /b/0}}\ndbs: [${"*a,".repeat(count)}]`;
  assertEquals(readConfig(aliases(2), "c.yml", SURROUNDINGS).problems, []);
  const error = assertThrows(
    () => readConfig(aliases(limits.databasesMax + 1), "c.yml", SURROUNDINGS),
    ReplicationError,
  );
  assertEquals(
    error.message,
    "Cannot use config c.yml:2:6: it names 10001 databases (at most 10000; have several processes follow them)",
  );
});

Deno.test("readConfig() counts what aliases repeat, and ends there", () => {
  const replicas = `x-r: &r {path: /b}\nx-l: &l [${"*r,".repeat(200)}]\nx-d: &d {path: /d, replicas: *l}\n`;
  const { config, problems } = readConfig(`${replicas}dbs: [${"*d,".repeat(1_000)}]`, "c.yml", SURROUNDINGS);
  assertLess(config.databases.length, 1_000); // Those read before that.
  const said = "its lists have more than 100000 members, those that an alias repeats counted again";
  assert(problems.some(({ message }) => message.endsWith(said)));
});

Deno.test({
  name: "loadConfig() of as many databases as there may be, and of more, stays below 300 MB",
  timeout: 240_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      for (const [count, code] of [[limits.databasesMax, 0], [80_000, 2]] as const) {
        Deno.writeTextFileSync(`${folder}/c.yml`, `dbs: [${entries(count)}]\n`);
        const result = await runMeasured(folder, ["databases", "--config", `${folder}/c.yml`]);
        assertEquals(result.code, code, result.stderr);
        assertLess(result.peakBytes, 300e6, `${count} databases`);
      }
    }),
});
