/** A doubt that comes back at once is not mended by one generation after the other, each with its snapshots. */
import { limits } from "../../lib/base/limits.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { silentLogger } from "../../lib/base/log.ts";
import { defaults } from "../../lib/config/defaults.ts";
import { Recurrence } from "../../lib/database/recurrence.ts";
import { SessionOpener } from "../../lib/database/session.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assertEquals, assertNotEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { ShiftedClock, WatchedStage } from "./watched_stage.ts";

const MINUTE_MS = 60_000;

/** With the one that the watch began with, as many as may begin within a minute. */
async function beginAllThatMay(stage: WatchedStage): Promise<void> {
  for (let begun = 1; begun < limits.generationsPerMinuteMax; begun++) {
    const before = stage.generation;
    await stage.database.startGeneration(`a test asks for it, number ${begun}`);
    assertNotEquals(stage.generation, before);
  }
}

function refusal(stage: WatchedStage, reason: string): string {
  return `Cannot follow ${stage.path}: ${limits.generationsPerMinuteMax} generations began within a minute, the last ` +
    `because ${reason}`;
}

Deno.test({
  name: "WatchedDatabase.startGeneration() refuses more than may begin within a minute, and says so",
  timeout: 30_000,
  fn: () =>
    WatchedStage.with({}, async (stage) => {
      await beginAllThatMay(stage);
      const last = stage.generation;
      for (let i = 0; i < 3; i++) {
        const reason = `one more is asked for, ${i}`;
        const error = await assertRejects(() => stage.database.startGeneration(reason), ReplicationError);
        assertEquals(error.message, refusal(stage, reason));
      }
      assertEquals(
        stage.lines.filter((line) => line.includes("A new generation begins")).length,
        limits.generationsPerMinuteMax,
      );
      assertEquals([...Deno.readDirSync(`${stage.state}/shadow`)].map(({ name }) => name), [last]);
    }),
});

Deno.test({
  name: "WatchedDatabase goes on in the generation it had after one too many was refused",
  timeout: 30_000,
  fn: () =>
    WatchedStage.with({}, async (stage) => {
      await beginAllThatMay(stage);
      const last = stage.generation;
      const before = stage.database.position();
      await assertRejects(() => stage.database.startGeneration("one more is asked for"), ReplicationError);
      await stage.application.runAll(Array(3).fill("INSERT INTO entry VALUES (randomblob(500))"));
      const offset = () => stage.database.position()?.offset ?? 0;
      await until(() => offset() > (before?.offset ?? 0), "what was committed to be captured");
      assertEquals(stage.generation, last);
      assertEquals(stage.lines.filter((line) => line.includes("Assertion failed")), []);
    }),
});

Deno.test({
  name: "WatchedDatabase.startGeneration() begins another one once a minute has passed",
  timeout: 30_000,
  fn: () =>
    WatchedStage.with({}, async (stage) => {
      await beginAllThatMay(stage);
      const last = stage.generation;
      stage.clock.shiftMs += MINUTE_MS / 2;
      await assertRejects(() => stage.database.startGeneration("half a minute is too soon"), ReplicationError);
      stage.clock.shiftMs += MINUTE_MS / 2;
      await until(() => stage.database.generation() !== undefined, "the database to be followed again");
      await stage.database.startGeneration("a minute has passed");
      assertNotEquals(stage.generation, last);
      const { generation } = await stage.commit(2);
      assertEquals(generation, stage.generation);
    }),
});

Deno.test({
  name: "Resyncs are no generations: they are counted by themselves, and refused in their own words",
  fn: () => {
    const clock = new ShiftedClock();
    const resyncs = new Recurrence(clock, limits.resyncsPerMinuteMax, "app.db", "resyncs began");
    for (let i = 0; i < limits.resyncsPerMinuteMax; i++) {
      resyncs.refuseOneMore("a test asks for it");
      resyncs.count();
    }
    const error = assertThrows(() => resyncs.refuseOneMore("of this"), ReplicationError);
    const many = limits.resyncsPerMinuteMax;
    assertEquals(
      error.message,
      `Cannot follow app.db: ${many} resyncs began within a minute, the last because of this`,
    );
    clock.shiftMs += MINUTE_MS;
    resyncs.refuseOneMore("a minute has passed");
  },
});

Deno.test({
  name: "WatchedDatabase resyncs more often than generations may begin, and begins none",
  timeout: 30_000,
  fn: () =>
    WatchedStage.with({}, async (stage) => {
      const { generation } = stage;
      const isKnown = async () => (await stage.database.captureNow()).checksum !== undefined;
      await until(isKnown, "every page to be known");
      for (let i = 0; i <= limits.generationsPerMinuteMax; i++) {
        await stage.commit();
        await stage.application.run("PRAGMA wal_checkpoint(TRUNCATE)");
        await stage.application.close();
        const said = stage.lines.length;
        for (const suffix of ["-wal", "-shm"]) Deno.removeSync(`${stage.path}${suffix}`);
        await until(
          () => stage.lines.slice(said).some((line) => line.includes("Following")),
          "it to be followed again",
        );
        await stage.application.open(stage.path, { busyTimeoutMs: 5_000 });
      }
      assertEquals(stage.lines.filter((line) => line.includes("A new generation begins")).length, 1);
      assertEquals(stage.generation, generation);
      assertEquals(stage.text.includes("within a minute"), false);
      await stage.database.startGeneration("resyncs do not count as generations");
    }),
});

Deno.test({
  name: "SessionOpener refuses more resyncs than may begin within a minute",
  timeout: 30_000,
  fn: () =>
    WatchedStage.with({}, async (stage) => {
      const isKnown = async () => (await stage.database.captureNow()).checksum !== undefined;
      await until(isKnown, "every page to be known");
      await stage.release();
      const files = new DenoFileSystem();
      const opener = new SessionOpener(
        { clock: stage.clock, files, random: new SystemRandom(), web: new SystemWeb() },
        createNodeDriver(),
        { ...defaults, path: stage.path, statePath: stage.state, userId: Deno.uid() ?? undefined },
        silentLogger,
        { captured: () => {}, isSnapshotting: () => false },
      );
      const status = files.status(stage.path);
      if (status === undefined) throw new Error("There is no database");
      let session = await opener.open(stage.path, status);
      const { generation } = session.shadow;
      const resync = async () => {
        await session.watch.settle();
        session = await opener.startOver(session, "a test asks for it");
        assertEquals(session.shadow.generation, generation);
      };
      for (let i = 0; i < limits.resyncsPerMinuteMax; i++) await resync();
      const { message } = await assertRejects(resync, ReplicationError);
      assertEquals(message.includes(`${limits.resyncsPerMinuteMax} resyncs began within a minute`), true, message);
      stage.clock.shiftMs += MINUTE_MS;
      await resync();
      await opener.close(session);
    }),
});
