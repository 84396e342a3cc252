/** Two daemons that take one replica for theirs: each history restores exactly, or whoever lost it says so. */
import type { Generation } from "../../lib/position/generation.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type Daemon, sleep, startReplicate } from "../support/daemon.ts";
import { comparePages } from "../support/database_image.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { Scene } from "./scene.ts";

const COMMITS = 30;

/** The folder with its state, as a copied volume has it. */
function copyFolder(from: string, to: string): void {
  const { code } = new Deno.Command("cp", { args: ["-a", from, to] }).outputSync();
  assertEquals(code, 0);
}

/** Each of the two begins generations beside the other, and pauses for up to a minute after some: 75 says to try again. */
const ONCE_TRIES = 5;

async function replicateOnce(config: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    const { code, stderr } = await runTailrace(["replicate", "--once", "--config", config]);
    if (code === 0) return;
    assert(code === 75 && attempt < ONCE_TRIES, `${code}: ${stderr}`);
  }
}

for (const layout of ["raw", "litestream"] as const satisfies readonly Layout[]) {
  Deno.test({
    name: `A machine and its clone that write to one replica at once both restore exactly (${layout})`,
    timeout: 240_000,
    fn: () =>
      withTemporaryFolder(async (folder) => {
        const original = new Scene(`${folder}/original`, "../replica", layout);
        using application = original.application();
        application.exec("INSERT INTO entry(body) VALUES (zeroblob(5000))");
        for (let i = 0; i < 2; i++) { // The second one is resynced, and so will the clone be.
          await using daemon = startReplicate(["--once", "--config", original.config([])]);
          assertEquals(await daemon.ended(), 0);
        }
        copyFolder(`${folder}/original`, `${folder}/clone`);
        const clone = new Scene(`${folder}/clone`, "../replica", layout);
        using other = clone.connect();
        other.prepare("SELECT count(*) FROM entry").get(); // Whose WAL it is, who has it open tells.
        await using daemons = new AsyncDisposableStack();
        const started: Daemon[] = [original, clone].map((scene) => daemons.use(scene.configuredDaemon([])));
        for (const daemon of started) await daemon.ready();
        for (let i = 0; i < COMMITS; i++) {
          application.exec(`INSERT INTO entry(body) VALUES ('original ${i}')`);
          other.exec(`INSERT INTO entry(body) VALUES ('clone ${i}')`);
          await sleep(5);
        }
        const configs = [original, clone].map(({ folder }) => `${folder}/tailrace.yml`);
        for (let i = 0; i < 2; i++) { // Neither history ends before the other begins.
          for (const connection of [application, other]) connection.exec("INSERT INTO entry(body) VALUES ('again')");
          for (const config of configs) await replicateOnce(config);
        }
        const status = await runTailrace(["status", "--config", configs[0] ?? ""]);
        assertEquals([status.code, status.stdout.includes("more than one program wrote there")], [4, true]);
        const refused = await runTailrace([
          "restore",
          "--dry-run",
          "-o",
          `${folder}/any.db`,
          `file://${original.replica}`,
        ]);
        assertEquals(refused.code, 4);
        assertMatch(
          refused.stderr,
          /: more than one program wrote there: beside .*\nAdvice: choose one by --generation/,
        );
        for (const daemon of started) assertEquals(await daemon.stop(), 0, daemon.text);
        for (const [scene, daemon] of [[original, started[0]], [clone, started[1]]] as const) {
          const generation = Deno.readTextFileSync(`${scene.state}/generation`).split("\n")[0] as Generation;
          const output = `${scene.folder}/restored.db`;
          await restoreFrom(scene.store, output, { kind: "latest", generation });
          assertEquals(comparePages(scene.image(), Deno.readFileSync(output)).different, [], daemon?.text);
        }
      }),
  });
}
