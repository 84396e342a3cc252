/** A database that is moved away is let go of whole, so that it can come back under another `-shm`. */
import { assertEquals, assertMatch } from "../support/assert.ts";
import type { Daemon } from "../support/daemon.ts";
import { openBelow } from "../support/open_below.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const ROWS = 40;

function moved(name: string, run: (scene: Scene, daemon: Daemon, aside: string) => Promise<void>): void {
  Deno.test({
    name,
    timeout: 30_000,
    fn: () =>
      withScene(async (scene) => {
        const application = scene.application();
        insert(application, ROWS / 2);
        await using daemon = scene.daemon();
        await daemon.line("Snapshot done");
        insert(application, ROWS / 2);
        // All of it stands in the database file, so that nothing is lost with the WAL.
        assertEquals(application.prepare("PRAGMA wal_checkpoint(FULL)").get()?.["busy"], 0);
        application.close();
        await scene.replicated();
        await run(scene, daemon, `${scene.folder}/data/x`);
      }),
  });
}

function moveAway(scene: Scene, aside: string): void {
  Deno.renameSync(scene.database, aside);
  for (const suffix of ["-wal", "-shm"]) Deno.removeSync(`${scene.database}${suffix}`);
}

/** What the application writes from now on is replicated, and nothing of what it had is lost. */
async function expectToFollow(scene: Scene, daemon: Daemon, said: number): Promise<void> {
  await daemon.line("Following", said);
  await daemon.line("Resynced", said);
  const application = scene.application();
  insert(application, 15);
  assertEquals(await daemon.stop(), 0, daemon.text);
  assertEquals(application.prepare("SELECT count(*) AS rows FROM entry").get()?.["rows"], ROWS + 15);
  assertEquals(application.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  application.close();
  await scene.expectEqual();
}

moved(
  "replicate goes on in the same process when the database was moved away and back",
  async (scene, daemon, aside) => {
    const said = daemon.lines.length;
    moveAway(scene, aside);
    await daemon.line(`${scene.database} was deleted or moved away`, said);
    await daemon.line("Waiting for", said);
    assertEquals(openBelow(aside, daemon.pid), []);
    // Whoever starts after a kill in this moment must not go on by what it finds.
    assertMatch(Deno.readTextFileSync(`${scene.state}/database`), /^1 unknown /);
    Deno.renameSync(aside, scene.database);
    await expectToFollow(scene, daemon, said);
  },
);

moved(
  "replicate goes on by itself when the database was moved away and back before it could look",
  async (scene, daemon, aside) => {
    daemon.signal("SIGSTOP");
    const said = daemon.lines.length;
    moveAway(scene, aside);
    Deno.renameSync(aside, scene.database);
    daemon.signal("SIGCONT");
    assertMatch(await daemon.line("Letting go of the database", said), /app\.db-wal was deleted while it was in use/);
    await expectToFollow(scene, daemon, said);
  },
);
