/** What the process that looks into a restored database is given: its order by a pipe, and next to no environment. */
import { assert, assertEquals, assertFalse } from "../support/assert.ts";
import { runTailrace, tailraceCommand } from "../support/tailrace.ts";
import { until } from "../support/daemon.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const SECRET = "word-of-the-environment";
const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS query_word FROM n";

async function writeConfig(scene: Scene, query: string, bound: { equals: string }): Promise<string> {
  const path = `${scene.folder}/tailrace.yml`;
  const verify = { checks: [{ name: "asked", query, ...bound }] };
  const dbs = [{ path: scene.database, verify, replicas: [{ path: scene.replica }] }];
  Deno.writeTextFileSync(path, JSON.stringify({ dbs }));
  assertEquals((await runTailrace(["replicate", "--once", "--config", path])).code, 0);
  return path;
}

/** What the system shows of a child of that process which has become another program: its words and its environment. */
function childOf(pid: number, word: string): { words: string[]; environment: string[] } | undefined {
  for (const { name } of Deno.readDirSync("/proc")) {
    try {
      const [, parent] = Deno.readTextFileSync(`/proc/${name}/stat`).split(") ").at(-1)?.split(" ") ?? [];
      if (Number(parent) !== pid) continue;
      const listOf = (file: string) => Deno.readTextFileSync(`/proc/${name}/${file}`).split("\0").filter(Boolean);
      const [words, environment] = [listOf("cmdline"), listOf("environ")];
      if (words.includes(word)) return { words, environment };
    } catch {
      // It is no process, or has ended.
    }
  }
  return undefined;
}

Deno.test({
  name: "the child of verify shows no query in its arguments, and nothing of the environment that it does not need",
  ignore: Deno.build.os !== "linux",
  timeout: 90_000,
  fn: () =>
    withScene(async (scene) => {
      insert(scene.application(), 3);
      const config = await writeConfig(scene, ENDLESS, { equals: "0" });
      const words = ["verify", "--config", config, "--scratch", scene.folder];
      const environment = { REPLICA_KEY: SECRET, HTTPS_PROXY: `http://me:${SECRET}@127.0.0.1:9` };
      await using verify = tailraceCommand(words, { environment }).spawn();
      const ended = verify.output();
      let seen: ReturnType<typeof childOf>;
      await until(() => (seen = childOf(verify.pid, "inspect")) !== undefined, "the child");
      verify.kill("SIGTERM");
      await ended;
      assertEquals(seen?.words.at(-1), "inspect");
      assertFalse(seen?.words.join(" ").includes("query_word"));
      const names = seen?.environment.map((text) => text.split("=")[0]);
      const needed = ["HOME", "XDG_CACHE_HOME", "DENO_DIR", "LD_LIBRARY_PATH", "TMPDIR", "SQLITE_TMPDIR"];
      assertEquals(names.filter((name = "") => !needed.includes(name)), []);
      assertFalse(seen?.environment.join().includes(SECRET));
    }),
});

Deno.test({
  name: "verify asks a query of 200 KB",
  timeout: 90_000,
  fn: () =>
    withScene(async (scene) => {
      insert(scene.application(), 3);
      const numbers = Array.from({ length: 40_000 }, (_, i) => i + 10_000).join();
      const query = `SELECT count(*) FROM entry WHERE n IN (1, 3, ${numbers})`;
      assert(query.length > 200_000);
      const config = await writeConfig(scene, query, { equals: "2" });
      const { code, stdout, stderr } = await runTailrace(["verify", "--config", config, "--scratch", scene.folder]);
      assertEquals({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
    }),
});
