/** `verify --against-live` compares, page by page, with the database itself, which is written to meanwhile. */
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { startReplicate } from "../support/daemon.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

interface Members {
  readonly outcome: string;
  readonly rungs: readonly { readonly rung: string; readonly outcome: string; readonly says: string }[];
  readonly proofs: readonly { readonly why: string }[];
  readonly findings: readonly { readonly problem: string; readonly code: string }[];
}

function configure(scene: Scene): string {
  const path = `${scene.folder}/tailrace.yml`;
  const db = { path: scene.database, replicas: [{ path: scene.replica, layout: scene.layout }] };
  Deno.writeTextFileSync(path, JSON.stringify({ dbs: [db] }));
  return path;
}

async function verify(scene: Scene, config: string): Promise<Members & { code: number }> {
  const words = ["verify", "--against-live", "--format", "json", "--scratch", scene.folder, "--config", config];
  const { code, stdout, stderr } = await runTailrace(words);
  assertEquals(stderr, "");
  return { code, ...JSON.parse(stdout).replicas[0] };
}

for (const layout of ["raw", "litestream"] as const) {
  Deno.test({
    name: `verify --against-live is equal while an application commits without a pause (${layout})`,
    timeout: 90_000,
    fn: () =>
      withScene(async (scene) => {
        const config = configure(scene);
        insert(scene.application(), 2_000, 900);
        await using daemon = startReplicate(["--config", config]);
        await daemon.line("Snapshot done");
        const writer = new URL("../support/busy_writer.ts", import.meta.url).pathname;
        const busy = new Deno.Command(Deno.execPath(), {
          args: ["run", "--allow-all", "--quiet", writer, scene.database],
          stdout: "null",
          stderr: "inherit",
        }).spawn();
        try {
          for (let run = 0; run < 3; run++) {
            const { code, rungs, proofs } = await verify(scene, config);
            const equal = rungs.find(({ rung }) => rung === "equal");
            assertEquals([code, equal?.outcome], [0, "pass"], JSON.stringify(rungs));
            assertMatch(equal?.says ?? "", /page by page the live database at [0-9a-f]{16}\/[0-9a-f]{16}:\d+/);
            assertEquals(proofs.filter(({ why }) => why === "live").length, 1);
          }
        } finally {
          busy.kill("SIGKILL");
          await busy.status;
        }
        assertEquals(await daemon.stop(), 0);
        const left = [...Deno.readDirSync(scene.folder)].filter(({ name }) => name.startsWith("tailrace-verify"));
        for (const { name } of left) {
          const held = [...Deno.readDirSync(`${scene.folder}/${name}`)].filter(({ isDirectory }) => isDirectory);
          assertEquals(held, []);
        }
      }, layout),
  });
}

Deno.test({
  name: "verify --against-live names the pages that differ, and the table that they belong to",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = configure(scene);
      const application = scene.application();
      insert(application, 300, 900);
      application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      await using daemon = startReplicate(["--config", config]);
      await daemon.line("Snapshot done");
      assertEquals((await verify(scene, config)).code, 0);
      // Behind SQLite's back, and with the file's old time, so that the daemon does not hear of it either.
      const reference = `${scene.folder}/reference`;
      new Deno.Command("touch", { args: ["-r", scene.database, reference] }).outputSync();
      using file = Deno.openSync(scene.database, { read: true, write: true });
      file.seekSync(40 * 4096 + 2_000, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array(100).fill(7));
      new Deno.Command("touch", { args: ["-r", reference, scene.database] }).outputSync();
      const { code, findings } = await verify(scene, config);
      assertEquals([code, findings[0]?.code], [4, "corrupt"]);
      assertMatch(findings[0]?.problem ?? "", /^1 page of .* is not as in the live database: 41, of entry$/);
    }),
});

Deno.test({
  name: "verify --against-live without a daemon tells nothing, and with a URL is a wrong usage",
  timeout: 120_000,
  fn: () =>
    withScene(async (scene) => {
      const config = configure(scene);
      const application = scene.application();
      insert(application, 3);
      assertEquals((await runTailrace(["replicate", "--once", "--config", config])).code, 0);
      insert(application, 3);
      const { code, outcome, findings } = await verify(scene, config);
      assertEquals([code, outcome], [75, "inconclusive"]);
      assertStringIncludes(findings[0]?.problem ?? "", "no daemon captures it");
      // An empty WAL is where the state alone would tell of a moment that it never saw.
      application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      const empty = await verify(scene, config);
      assertEquals([empty.code, empty.outcome], [75, "inconclusive"]);
      application.close(); // Then there is no WAL to be read either, and none is made.
      const madeIn = () => Deno.statSync(scene.database.replace(/\/[^/]+$/, "")).mtime?.getTime();
      const before = madeIn();
      const alone = await verify(scene, config);
      assertEquals([alone.code, alone.outcome, madeIn()], [75, "inconclusive", before]);
      assertStringIncludes(alone.findings[0]?.problem ?? "", "no daemon captures it");
      const url = await runTailrace(["verify", "--against-live", `file://${scene.replica}`]);
      assertEquals(url.code, 2);
      assertStringIncludes(url.stderr, "--against-live with a URL: it needs a database of the config");
    }),
});
