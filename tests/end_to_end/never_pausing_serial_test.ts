/** Beside applications that commit without a pause, nothing may wait for them to be done. */
import { assertEquals, assertGreaterOrEqual } from "../support/assert.ts";
import { limits } from "../../lib/base/limits.ts";
import { startReplicate, until } from "../support/daemon.ts";
import { type Scene, withScene } from "./scene.ts";

const WRITER = new URL("../support/writer.ts", import.meta.url).pathname;

/** The last index of the WAL that the replica holds. */
async function endIndex(scene: Scene): Promise<number> {
  const [generation] = await scene.generations();
  return generation === undefined ? 0 : (await scene.store.end(generation))?.index ?? 0;
}

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
            args: ["run", "-A", "--quiet", WRITER, scene.database, "--seconds", "600", "--seed", String(seed)],
            stdout: "null",
            stderr: "null",
          }).spawn()
        );
        try {
          await until(async () => await endIndex(scene) > 0, "the WAL to be restarted");
          assertEquals(await daemon.stop(), 0);
        } finally {
          for (const writer of writers) writer.kill("SIGKILL");
          for (const writer of writers) await writer.status;
        }
        await scene.restored();
      }, layout),
  });
}

Deno.test({
  name: "replicate lets an application that never pauses alone for a while after it has held it up",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      scene.application().exec("CREATE TABLE ledger(writer TEXT, n INTEGER, payload BLOB)");
      const config = scene.config(["max-checkpoint-page-count: 10000000"], ["logging: {level: debug}"]);
      await using daemon = startReplicate(["--config", config]);
      await daemon.line("Snapshot done");
      const writer = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", WRITER, scene.database, "--seconds", "600"],
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        await daemon.until(() => daemon.saying("Held the write lock").length >= 4, "four pauses of writers");
      } finally {
        writer.kill("SIGKILL");
        await writer.status;
      }
      const ends = daemon.saying("Held the write lock").map((line) => Date.parse(line.split(" ")[0] ?? ""));
      for (let i = 1; i < ends.length; i++) {
        assertGreaterOrEqual((ends[i] ?? 0) - (ends[i - 1] ?? 0), limits.writersUndisturbedMs - 1);
      }
    }),
});
