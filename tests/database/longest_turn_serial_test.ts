/**
 * The event loop's longest turn while a database cannot be read, or only after long work. Nothing of SQLite waits on it:
 * where something did, it was for seconds.
 */
import { silentLogger } from "../../lib/base/log.ts";
import { databaseConfigFromArguments } from "../../lib/config/from_arguments.ts";
import { Daemon } from "../../lib/daemon/daemon.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import type { PreparationOptions, SqliteDriver } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { sleep, until } from "../support/daemon.ts";
import { type OtherProcess, startOtherProcess } from "../support/other_process.ts";
import { type Scene, withScene } from "../end_to_end/scene.ts";

const IN_THE_WAY = import.meta.resolve("./standing_in_the_way.ts");

/** SQLite waits 5 s where it has not been told, and 10 s where it is told not to; a busy machine takes some of this. */
const HANG_MS = 3_000;

class LoopWatch implements Disposable {
  longestMs = 0;
  #lastMs = performance.now();
  readonly #timer = setInterval(() => {
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.#lastMs);
    this.#lastMs = now;
  }, 5);

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

interface Following {
  readonly daemon: Daemon;
  /** What was prepared beside other work, each before the first connection was opened here. */
  readonly prepared: readonly PreparationOptions[];
}

/** A daemon in this process; the loop is watched from before its start until the work is done. */
async function following(
  scene: Scene,
  enableWal: boolean,
  work: (following: Following) => Promise<void>,
): Promise<void> {
  const real = createNodeDriver();
  const prepared: PreparationOptions[] = [];
  let isOpen = false;
  const driver: SqliteDriver = {
    ...real,
    open: (path, options) => {
      isOpen = true;
      return real.open(path, options);
    },
    prepareLater: (path, options) => {
      assert(!isOpen, "the first read is the one that is prepared");
      prepared.push(options);
      return real.prepareLater(path, options);
    },
  };
  const config = databaseConfigFromArguments(scene.database, [`file://${scene.replica}`], scene.folder);
  const platform = {
    clock: new SystemClock(),
    files: new DenoFileSystem(),
    random: new SystemRandom(),
    web: new SystemWeb(),
  };
  using loop = new LoopWatch();
  const daemon = new Daemon({
    platform,
    driver,
    databases: [{ ...config, enableWal }],
    log: silentLogger,
    watchFolder: () => undefined,
    userId: Deno.uid() ?? undefined,
    shutdownTimeoutMs: 0,
  });
  try {
    daemon.start().catch(() => {}); // What is refused is tried again.
    await work({ daemon, prepared });
  } finally {
    await daemon.finish();
    await daemon.release();
  }
  assertLess(loop.longestMs, HANG_MS);
}

function turns(name: string, work: (scene: Scene, application: OtherProcess) => Promise<void>): void {
  Deno.test({
    name: `the event loop has its turns while ${name}`,
    timeout: 60_000,
    fn: () =>
      withScene(async (scene) => {
        await using application = startOtherProcess();
        await application.open(scene.database, { create: true });
        await work(scene, application);
      }),
  });
}

async function followed(scene: Scene): Promise<void> {
  await until(async () => (await scene.store.generations()).length > 0, "the first snapshot");
}

const MANY = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)";

turns("another process has the database for itself", async (scene, application) => {
  await application.runAll([
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "CREATE TABLE entry (body)",
  ]);
  await following(scene, false, async () => {
    await sleep(1_500);
    await application.exit();
    await followed(scene);
  });
});

turns("another process recovers the WAL", async (scene, application) => {
  await application.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry (body)"]);
  await application.call(IN_THE_WAY, "recoverForEver", scene.database);
  await following(scene, false, async () => {
    await sleep(1_500);
    await application.kill();
    await followed(scene);
  });
});

/** Whoever reads then tries again for 10 s. */
for (
  const [what, action, ...parameters] of [
    ["a writer stands still between the two copies of the header", "stopBetweenCopies"],
    ["a reader stands still while it sets its mark", "stopAtSlot", 4],
  ] as const
) {
  turns(what, async (scene, application) => {
    await application.runAll([
      "PRAGMA journal_mode = WAL",
      "PRAGMA wal_autocheckpoint = 0",
      "CREATE TABLE entry (body)",
    ]);
    await following(scene, false, async () => {
      await followed(scene);
      await application.run("INSERT INTO entry VALUES (1)");
      await application.call(IN_THE_WAY, action, scene.database, ...parameters);
      await sleep(1_500);
      await application.kill();
      await using next = startOtherProcess();
      await next.open(scene.database, { busyTimeoutMs: 5_000 });
      await next.run("INSERT INTO entry VALUES (2)");
      await scene.replicated();
    });
    await scene.expectEqual();
  });
}

for (
  const [what, action, ...parameters] of [
    ["a writer stood still between the two copies of the header", "stopBetweenCopies"],
    ["a reader stood still while it set its mark", "stopAtSlot", 1],
  ] as const
) {
  turns(`it starts where ${what}`, async (scene, application) => {
    await application.runAll([
      "PRAGMA journal_mode = WAL",
      "PRAGMA wal_autocheckpoint = 0",
      "CREATE TABLE entry (body)",
      "INSERT INTO entry VALUES (1)",
      "SELECT * FROM entry",
    ]);
    await application.call(IN_THE_WAY, action, scene.database, ...parameters);
    await following(scene, false, async () => {
      await sleep(1_500);
      await application.kill();
      await followed(scene);
      await scene.replicated();
    });
    await scene.expectEqual();
  });
}

turns("a long WAL is recovered, which is prepared", async (scene, application) => {
  await application.runAll([
    "PRAGMA journal_mode = WAL",
    "PRAGMA wal_autocheckpoint = 0",
    "CREATE TABLE entry (body)",
    `${MANY} INSERT INTO entry SELECT zeroblob(4000) FROM n`,
  ]);
  await application.kill();
  await following(scene, false, async ({ prepared }) => {
    await followed(scene);
    assertEquals(prepared.map(({ mayWrite, enableWal }) => [mayWrite, enableWal]), [[false, false]]);
  });
  await scene.expectEqual();
});

turns("a hot journal is rolled back, which is prepared", async (scene, application) => {
  await application.runAll([
    "CREATE TABLE entry (body)",
    "PRAGMA cache_size = 5",
    "BEGIN",
    `${MANY} INSERT INTO entry SELECT zeroblob(4000) FROM n`,
  ]);
  await application.kill();
  assert(Deno.statSync(`${scene.database}-journal`).size > 0);
  await following(scene, true, async ({ prepared }) => {
    await followed(scene);
    assertEquals(prepared.map(({ mayWrite, enableWal }) => [mayWrite, enableWal]), [[true, true]]);
  });
  await scene.expectEqual();
});
