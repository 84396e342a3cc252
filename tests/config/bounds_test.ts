import { ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { readConfig } from "../../lib/config/parse.ts";
import { problemsOfDatabases } from "../../lib/config/validate.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { assert, assertEquals, assertLess, assertThrows } from "../support/assert.ts";
import { runMeasured } from "../support/peak.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";

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

Deno.test("readConfig() counts the parts of a config before it makes anything of them", () => {
  const many = `dbs: [${"a,".repeat(limits.configTokensMax / 2)}]`;
  assertLess(many.length, limits.configMaxBytes);
  const error = assertThrows(() => readConfig(many, "c.yml", SURROUNDINGS), ReplicationError);
  assertEquals(
    error.message,
    "Cannot use config c.yml: it has more than 500000 parts (have several processes follow its databases)",
  );
});

Deno.test("problemsOfDatabases() looks at each folder once, and for nothing in one that is not there", () =>
  withTemporaryFolder(async (folder) => {
    const files = unsyncedFiles();
    const looked: string[] = [];
    const counted = Object.create(files) as typeof files;
    counted.status = (path) => (looked.push(path), files.status(path));
    counted.statusLater = (path) => (looked.push(path), files.statusLater(path));
    const of = (slot: number) => `{path: ${folder}/data/${slot}.db, replica: {path: ${folder}/backup/${slot}}}`;
    const text = `dbs: [${Array.from({ length: 200 }, (_, slot) => of(slot)).join()}]`;
    const { databases } = readConfig(text, "c.yml", SURROUNDINGS).config;
    assertEquals(databases.length, 200);
    const clock = new SystemClock();
    assertEquals(await problemsOfDatabases(databases, { files: counted, clock }, () => "c.yml"), []);
    const folders = folder.split("/").length + 2;
    assertLess(looked.length, 2 * folders + 2, looked.slice(0, 40).join("\n"));
  }));

Deno.test({
  name: "loadConfig() of as many databases as there may be, and of more, stays below 300 MB",
  timeout: 240_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const most = `dbs: [${"a,".repeat(limits.configTokensMax / 2 - 10)}]`; // Nothing in it is a database.
      const configs = [[entries(limits.databasesMax), 0], [entries(80_000), 2]] as const;
      for (
        const [text, code] of [...configs.map(([all, code]) => [`dbs: [${all}]`, code] as const), [most, 2] as const]
      ) {
        Deno.writeTextFileSync(`${folder}/c.yml`, `${text}\n`);
        const result = await runMeasured(folder, ["databases", "--config", `${folder}/c.yml`]);
        assertEquals(result.code, code, result.stderr);
        assertLess(result.peakBytes, 300e6, `${text.length} bytes`);
      }
    }),
});
