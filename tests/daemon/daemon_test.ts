import { silentLogger } from "../../lib/base/log.ts";
import { databaseConfigFromArguments } from "../../lib/config/from_arguments.ts";
import { askDaemon } from "../../lib/daemon/ask.ts";
import { Daemon } from "../../lib/daemon/daemon.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { sleep, until } from "../support/daemon.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { type Scene, withScene } from "../end_to_end/scene.ts";

const platform = {
  clock: new SystemClock(),
  files: new DenoFileSystem(),
  random: new SystemRandom(),
  web: new SystemWeb(),
};

/** In this process, and without file events: a quiet database is looked at four times a second. */
function daemonOf(scene: Scene, driver = createNodeDriver(), enableWal = false): Daemon {
  const config = databaseConfigFromArguments(scene.database, [`file://${scene.replica}`], scene.folder);
  return new Daemon({
    platform,
    driver,
    databases: [{ ...config, enableWal }],
    log: silentLogger,
    watchFolder: () => undefined,
    userId: Deno.uid() ?? undefined,
    shutdownTimeoutMs: 0,
  });
}

Deno.test({
  name: "Daemon.finish() captures and replicates what was committed just before, however seldom anybody looks",
  timeout: 30_000,
  fn: () =>
    withScene(async (scene) => {
      await using application = startOtherProcess();
      await application.open(scene.database, { create: true });
      await application.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry(body)"]);
      const daemon = daemonOf(scene);
      await daemon.start();
      await until(async () => (await scene.store.generations()).length > 0, "the first snapshot");
      const [generation] = await scene.generations();
      assert(generation !== undefined);
      const size = () => scene.store.end(generation).then((end) => end?.offset ?? 0);
      await until(async () => await size() > 0, "the first sync");
      await sleep(1_150); // By now it is looked at every 250 ms.
      const before = await size();
      await application.run("INSERT INTO entry VALUES('at the last moment')");
      const [result] = await daemon.finish();
      assertEquals(result, {
        database: scene.database,
        replica: "file",
        problem: undefined,
        exitCode: 0,
        absence: undefined,
      });
      assert(await size() > before);
      await daemon.release();
      await application.exit();
      await scene.expectEqual();
    }),
});

Deno.test({
  name: "Daemon.release() lets go without closing last: the application's WAL and wal-index stay where they are",
  timeout: 30_000,
  fn: () =>
    withScene(async (scene) => {
      await using application = startOtherProcess();
      await application.open(scene.database, { create: true });
      await application.runAll([
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE entry(body)",
        "INSERT INTO entry VALUES(1)",
      ]);
      await application.kill(); // Nobody else has it open, so that our last close would delete the WAL.
      const files = () => [scene.database, scene.wal, `${scene.database}-shm`].map((path) => Deno.statSync(path).ino);
      const before = files();
      const daemon = daemonOf(scene);
      await daemon.start();
      await daemon.finish();
      await daemon.release();
      assertEquals(files(), before);
      await scene.expectEqual();
    }),
});

Deno.test({
  name: "Daemon answers whoever asks while it opens a database, however long that takes",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      await using application = startOtherProcess();
      await application.open(scene.database, { create: true });
      await application.run("CREATE TABLE entry(body)");
      const real = createNodeDriver();
      const opening = Promise.withResolvers<void>();
      const prepareLater: typeof real.prepareLater = async (...words) => {
        await opening.promise;
        return await real.prepareLater(...words);
      };
      const daemon = daemonOf(scene, { ...real, prepareLater }, true);
      const started = daemon.start();
      const ask = async () => {
        const asked = await askDaemon(platform, scene.state, 20_000);
        assert(asked.kind !== "silent");
        return asked.kind === "answer" ? asked.answer : undefined;
      };
      await until(() => platform.files.status(scene.state) !== undefined, "the state directory");
      let answer = await ask();
      while (answer === undefined) answer = await ask(); // Nobody answers yet.
      assertEquals([answer.condition, answer.captured], ["starting", undefined]);
      opening.resolve();
      await started;
      assert((await ask())?.captured !== undefined);
      await daemon.finish();
      await daemon.release();
      await application.exit();
    }),
});
