/** A replica that is away for long costs this host at most max-state-size, and is brought forward when it is back. */
import { comparePages } from "../support/database_image.ts";
import { assertEquals } from "../support/assert.ts";
import { startReplicate, until } from "../support/daemon.ts";
import { openBelow } from "../support/open_below.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { insert, withScene } from "./scene.ts";

const MIB = 1 << 20;

for (const layout of ["raw", "litestream"] as const) {
  Deno.test({
    name: `A replica that was away while more was written than max-state-size is brought forward (${layout})`,
    timeout: 60_000,
    fn: () =>
      withScene(async (scene) => {
        const application = scene.application();
        insert(application, 20);
        const [near, far] = [`${scene.folder}/near`, `${scene.folder}/far`];
        const replicas = [near, far].map((path, slot) => ({
          "path": path,
          "name": ["near", "far"][slot],
          "layout": layout,
          "sync-interval": "0s",
        }));
        const db = { "path": scene.database, "max-state-size": "1MiB", "min-checkpoint-page-count": 30, replicas };
        Deno.writeTextFileSync(`${scene.folder}/tailrace.yml`, JSON.stringify({ dbs: [db] }));
        await using daemon = startReplicate(["--config", `${scene.folder}/tailrace.yml`]);
        await until(() => daemon.saying("Snapshot done").length === 2, "both snapshots");
        Deno.renameSync(far, `${far}-away`);
        insert(application, 5);
        await daemon.line("is it mounted?");
        // The daemon may be slower than this writer: what counts is that the state does not grow for ever.
        const writeMore = async () => {
          insert(application, 12, 2_000);
          await until(() => sizeOfOldIndexes(`${scene.state}/shadow`) < 2 * MIB, "the state to be within its limit");
        };
        for (let i = 0; i < 120; i++) await writeMore();
        await daemon.until(async () => {
          await writeMore();
          return daemon.saying("The state is larger").length > 0;
        }, "the limit to be met");
        const said = daemon.lines.length;
        Deno.renameSync(`${far}-away`, far);
        await daemon.line("is no longer at hand", said);
        // How much of the database changed meanwhile, and so which is less work, is a matter of this machine's speed.
        const isDone = (line: string) => line.includes("replica=far") && /Snapshot done|Caught up/.test(line);
        await until(() => daemon.lines.slice(said).some(isDone), "what brings the replica forward");
        assertEquals(await daemon.stop(), 0);
        application.close();
        for (const root of [near, far]) {
          const store = new ReplicaStore(new FileReplicaClient(unsyncedFiles(), root), { chooseLayout: () => layout });
          await restoreFrom(store, `${root}.db`);
          assertEquals(comparePages(scene.image(), Deno.readFileSync(`${root}.db`)).different, []);
          assertEquals((await store.generations()).length, 1);
        }
      }),
  });
}

/** Of the only generation, without the newest index: that one is as large as the application lets its WAL grow. */
function sizeOfOldIndexes(shadow: string): number {
  const sizes = [...Deno.readDirSync(shadow)].flatMap((generation) =>
    [...Deno.readDirSync(`${shadow}/${generation.name}`)].map(({ name }) => name).filter((name) =>
      name.endsWith(".wal")
    )
      .sort().map((name) => statIfThere(`${shadow}/${generation.name}/${name}`)?.size ?? 0)
  );
  return sizes.slice(0, -1).reduce((sum, size) => sum + size, 0);
}

/** Old indexes are removed at any time. */
function statIfThere(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

Deno.test({
  name: "A replica to which nothing is written has no file open, so that its device may be unmounted",
  timeout: 30_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      await using daemon = scene.daemon();
      await daemon.line("Snapshot done");
      for (let i = 0; i < 5; i++) {
        insert(application, 1);
        await scene.replicated();
      }
      await until(() => openBelow(scene.replica, daemon.pid).length === 0, "the files to be closed");
      insert(application, 1);
      await scene.replicated();
    }),
});
