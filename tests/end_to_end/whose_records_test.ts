/** What the daemon finds at the end of its replica when it starts: records of an older version, or objects of another place. */
import type { DatabaseSync } from "node:sqlite";
import type { Layout } from "../../lib/position/object_names.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import type { Daemon } from "../support/daemon.ts";
import { versionsIn, withoutHomes } from "../support/older_records.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

/** Replicates rows before and behind a restart of the WAL, and stops. */
async function overARestart(scene: Scene, application: DatabaseSync, daemon: Daemon): Promise<void> {
  insert(application, 5);
  await scene.replicated();
  application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  insert(application, 5);
  await scene.replicated();
  assertEquals(await daemon.stop(), 0);
}

async function withHistory(layout: Layout, work: (scene: Scene) => Promise<void>): Promise<void> {
  await withScene(async (scene) => {
    const application = scene.application();
    insert(application, 5);
    const daemon = scene.daemon();
    await daemon.line("Snapshot done");
    await overARestart(scene, application, daemon);
    await work(scene);
  }, layout);
}

async function expectProven(scene: Scene): Promise<void> {
  const { code, stdout } = await runTailrace(["verify", "--sample", "20", `file://${scene.replica}`]);
  assertEquals(code, 0, stdout);
}

function objectsOf(scene: Scene, generation: string, index: number): string[] {
  const folder = `${scene.replica}/generations/${generation}/wal`;
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  return names.filter((name) => parseInt(name, 16) === index).map((name) => `${folder}/${name}`);
}

for (const layout of ["raw", "litestream"] as const) {
  Deno.test(`The daemon goes on with a ${layout} replica whose records an older version wrote`, () =>
    withHistory(layout, async (scene) => {
      withoutHomes(scene.replica);
      const application = scene.connect();
      insert(application, 5);
      const daemon = scene.daemon();
      await daemon.ready();
      await overARestart(scene, application, daemon);
      const generations = await scene.generations();
      assertEquals(generations.length, 1);
      await scene.expectEqual();
      await expectProven(scene);
      if (layout !== "raw") return;
      const versions = versionsIn(objectsOf(scene, generations[0] ?? "", 1)[0] ?? "");
      assertEquals(versions, versions.toSorted());
      assertEquals(new Set(versions), new Set([1, 2]), "of the index that was begun by the older one");
    }));

  Deno.test(`The daemon begins a generation behind a ${layout} replica whose newest index is another one's`, () =>
    withHistory(layout, async (scene) => {
      const [generation = ""] = await scene.generations();
      const [own, other] = [objectsOf(scene, generation, 1), objectsOf(scene, generation, 0)];
      own.forEach((path, slot) => Deno.copyFileSync(other[slot] ?? "", path));
      const foreign = own.map((path) => Deno.readFileSync(path));
      const daemon = scene.daemon();
      assertMatch(
        await daemon.line("A new generation begins"),
        /was written for index 0{16}, not for 0{15}1/,
      );
      await daemon.line("Snapshot done");
      insert(scene.connect(), 5);
      await scene.replicated();
      assertEquals(await daemon.stop(), 0);
      assertEquals((await scene.generations()).length, 2);
      assert(own.every((path, slot) => Deno.readFileSync(path).every((byte, at) => byte === foreign[slot]?.[at])));
      await scene.expectEqual();
    }));
}
