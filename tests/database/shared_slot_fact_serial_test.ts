/**
 * The fact behind stepping aside: an application's checkpoint that has met our slot with an older mark waits for that slot.
 * Once a hold of ours has it with the newest mark, every next hold shares it, and handing over frees it never.
 */
import type { SqliteConnection } from "../../lib/sqlite/driver.ts";
import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "../support/assert.ts";
import { sleep, until } from "../support/daemon.ts";
import { isLocked, LockByte } from "../support/locks.ts";
import { LockStage } from "./lock_stage.ts";

const HAND_OVER_MS = 50;
/** The application's own patience. */
const SHORT_MS = 1_000;
const LONG_MS = 10_000;
/** Longer than SQLite's busy handler sleeps between two tries. */
const ASIDE_MAX_MS = 150;

interface Waiting {
  readonly stage: LockStage;
  /** Ours, on slot 1, with the newest mark. */
  readonly holding: SqliteConnection;
  /** The checkpoint's row and how long it took. */
  readonly ended: Promise<{ readonly row: readonly unknown[]; readonly ms: number }>;
  hasEnded(): boolean;
}

/** A checkpoint of the application met our slot with an older mark; by now a hold with the newest one stands there. */
async function arrange(stage: LockStage, mode: string, patienceMs: number): Promise<Waiting> {
  const holding = stage.hold();
  assertEquals(stage.ourSlots(), [1]);
  await stage.application.open(stage.path, { busyTimeoutMs: patienceMs }, "patient");
  await stage.application.run("SELECT count(*) FROM entry", "patient");
  await stage.commit();
  const start = performance.now();
  let isOver = false;
  const ended = stage.checkpoint(mode, "patient").then((row) => ({ row, ms: performance.now() - start }))
    .finally(() => isOver = true);
  ended.catch(() => {}); // A test that fails before it asks has the other process killed: let its own reason be told.
  const { pid } = stage.application;
  await until(() => isLocked(stage.shmPath, pid, LockByte.write, "WRITE"), "the checkpoint to have the write lock");
  await sleep(60); // Only its tries for our slot come after that lock.
  assert(!isOver && isLocked(stage.shmPath, pid, LockByte.checkpoint, "WRITE"), "the checkpoint waits");
  holding.execute("ROLLBACK");
  stage.hold(holding);
  assertEquals(stage.ourSlots(), [1], "the next hold got the very slot that is waited for");
  return { stage, holding, ended, hasEnded: () => isOver };
}

/** Hands over between two connections until the checkpoint has ended; how often. */
async function handOverUntilTheEnd({ stage, holding, hasEnded }: Waiting): Promise<number> {
  let [old, next] = [holding, stage.connect()];
  for (let times = 0;; times++) {
    await sleep(HAND_OVER_MS);
    if (hasEnded()) return times;
    stage.hold(next);
    old.execute("ROLLBACK");
    [old, next] = [next, old];
    if (!hasEnded()) assertEquals(stage.ourSlots(), [1], "both holds share one slot");
  }
}

for (const mode of ["FULL", "RESTART", "TRUNCATE"]) {
  Deno.test({
    name:
      `${mode} of an application waits out its timeout for a slot that up-to-date holds share, however often handed over`,
    timeout: 20_000,
    fn: async () => {
      await using stage = await LockStage.set();
      const waiting = await arrange(stage, mode, SHORT_MS);
      const times = await handOverUntilTheEnd(waiting);
      const { row, ms } = await waiting.ended;
      const { mxFrame } = stage.header();
      assertEquals(row, [1, mxFrame, mxFrame - 1], "busy, and the newest frame is not copied");
      assertGreaterOrEqual(ms, SHORT_MS);
      assertGreaterOrEqual(times, 2);
    },
  });

  Deno.test({
    name: `${mode} of an application gets a slot that is let go of for longer than it sleeps between two tries`,
    timeout: 20_000,
    fn: async () => {
      await using stage = await LockStage.set();
      const { mxFrame } = stage.header();
      const waiting = await arrange(stage, mode, LONG_MS);
      waiting.holding.execute("ROLLBACK");
      const released = performance.now();
      while (!waiting.hasEnded() && performance.now() - released < ASIDE_MAX_MS) await sleep(1);
      stage.hold(waiting.holding);
      const { row, ms } = await waiting.ended;
      assertEquals(row, mode === "TRUNCATE" ? [0, 0, 0] : [0, mxFrame + 1, mxFrame + 1]);
      assertLess(ms, LONG_MS / 2);
    },
  });
}
