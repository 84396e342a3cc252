/** `prune` beside a running daemon, as the operator of a full disk runs it. */
import type { Generation } from "../../lib/position/generation.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { aWholeImage, nothingToBring } from "../support/image.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, withScene } from "./scene.ts";

/** As the daemon would make it by its schedule: the state at the replica's end. */
async function snapshotAtEnd(store: GenerationStore, generation: Generation, image: Uint8Array): Promise<void> {
  const { index, lastRecord } = (await store.catalog(generation)).wals.at(-1) ?? {};
  assert(index !== undefined && lastRecord !== undefined);
  const { end } = lastRecord;
  const record: CommitRecord = { ...lastRecord, kind: "snapshot", start: end };
  await store.writeSnapshot(generation, aWholeImage(image, index, record), nothingToBring);
}

Deno.test({
  name: "prune beside a daemon removes what lies before the newest snapshot, and neither of them notices the other",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      insert(application, 10);
      await using daemon = scene.daemon();
      await daemon.line("Snapshot done");
      for (let i = 0; i < 3; i++) {
        insert(application, 10);
        await scene.replicated();
        application.exec("PRAGMA wal_checkpoint(RESTART)");
      }
      insert(application, 10);
      // From here on the replica stands still: what is committed is there, not only what was captured a moment ago.
      assertEquals((await runTailrace(["replicate", "--once", scene.database, `file://${scene.replica}`])).code, 0);
      const [generation, index] = await scene.newestWal();
      assert(index >= 2);
      await snapshotAtEnd(scene.store, generation, await scene.restored());
      const config = `${scene.folder}/prune.yml`;
      Deno.writeTextFileSync(config, `dbs:\n  - path: ${scene.database}\n    replicas: [{path: ${scene.replica}}]\n`);
      const pruning = runTailrace(["prune", "--retention", "1ms", "--config", config, scene.database]);
      const end = performance.now() + 1_500;
      while (performance.now() < end) {
        insert(application, 5);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const { code, stderr } = await pruning;
      assertEquals(code, 0, stderr);
      const { snapshots, wals } = await scene.store.catalog(generation);
      assertEquals(snapshots.map((entry) => entry.index), [index]);
      assertEquals(wals[0]?.index, index);
      insert(application, 5);
      assertEquals(await daemon.stop(), 0);
      application.close();
      assertEquals(daemon.saying("ERROR"), []);
      assertEquals((await scene.generations()).length, 1);
      await scene.expectEqual();
    }),
});
