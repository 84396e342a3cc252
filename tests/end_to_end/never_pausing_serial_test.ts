/** Beside applications that commit without a pause, nothing may wait for them to be done. */
import { assert, assertEquals } from "../support/assert.ts";
import { sleep } from "../support/daemon.ts";
import { withScene } from "./scene.ts";

const WRITER = new URL("../support/writer.ts", import.meta.url).pathname;

for (const layout of ["raw", "litestream"] as const) {
  Deno.test({
    name: `replicate ends soon after one SIGTERM beside applications that never pause (${layout})`,
    timeout: 60_000,
    fn: () =>
      withScene(async (scene) => {
        const application = scene.application();
        application.exec("CREATE TABLE ledger(writer TEXT, n INTEGER, payload BLOB)");
        application.close();
        await using daemon = scene.daemon();
        await daemon.line("Snapshot done");
        const writers = [1, 2].map((seed) =>
          new Deno.Command(Deno.execPath(), {
            args: ["run", "-A", "--quiet", WRITER, scene.database, "--seconds", "40", "--seed", String(seed)],
            stdout: "null",
            stderr: "null",
          }).spawn()
        );
        try {
          await sleep(3_000);
          const began = performance.now();
          assertEquals(await daemon.stop(), 0);
          const seconds = (performance.now() - began) / 1_000;
          assert(seconds < 15, `it took ${seconds} s, while they had long to go`);
        } finally {
          for (const writer of writers) writer.kill("SIGKILL");
          for (const writer of writers) await writer.status;
        }
        const [generation] = await scene.generations();
        assert(generation !== undefined, "there is a generation");
        assert((await scene.store.end(generation))?.index ?? 0 > 0, "the WAL was restarted meanwhile");
        await scene.restored();
      }, layout),
  });
}
