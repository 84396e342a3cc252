/** Commits that are on no replica: `verify` over a config says so, whatever else it proves. */
import { runTailrace } from "../support/tailrace.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { insert, withScene } from "./scene.ts";

Deno.test({
  name:
    "trouble: verify names commits that nobody brings first, with exit code 5, and a database that was closed is none",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = `${scene.folder}/config.yml`;
      Deno.writeTextFileSync(
        config,
        `dbs:\n  - path: ${scene.database}\n    replicas:\n      - path: ${scene.replica}\n`,
      );
      const application = scene.application();
      insert(application, 3);
      assertEquals((await runTailrace(["replicate", "--once", "--config", config])).code, 0);
      const verify = () => runTailrace(["verify", "--quiet", "--config", config, "--scratch", scene.folder]);
      // The checkpoint of the last close, an hour later.
      application.close();
      const [hourAgo, soon] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 3_600_000)];
      Deno.utimeSync(scene.database, soon, soon);
      assertEquals(await verify(), { code: 0, stdout: "", stderr: "" });
      const later = scene.application();
      insert(later, 1);
      Deno.utimeSync(`${scene.database}-wal`, soon, soon);
      const missing = await verify();
      assertEquals([missing.code, missing.stderr], [5, ""]);
      assertMatch(
        missing.stdout,
        /^STALE {2}\S+, replica \S+ \(\S+\): the newest state, of \S+, is \d+\.\d s behind the database \(at most 300\.0 s\), and no daemon says that it brings what is missing\n/,
      );
      assertMatch(missing.stdout, /\n {2}equal +pass /);
      Deno.utimeSync(`${scene.database}-wal`, hourAgo, hourAgo);
      assertEquals((await verify()).code, 0); // Older than the newest state: nothing is missing.
    }),
});
