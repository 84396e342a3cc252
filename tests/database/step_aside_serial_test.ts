/**
 * Where an application's checkpoint waits for the one slot that our holds share (`shared_slot_fact_serial_test.ts`), we let go of it
 * for a moment; and what proves afterwards that nothing was missed.
 */
import { WalCapture } from "../../lib/database/wal_capture.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { SqliteConnection } from "../../lib/sqlite/driver.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { heldSlots, isLocked, LockByte } from "../support/locks.ts";
import { wrappedDriver } from "../support/wrapped_driver.ts";
import { LockStage } from "./lock_stage.ts";
import { ShadowStage } from "./shadow_stage.ts";
import { WatchedStage } from "./watched_stage.ts";

/** Tells which connections of ours are in a transaction, and what is about to begin one. */
class Arrangement {
  readonly holding = new Set<SqliteConnection>();
  opened = 0;
  /** Called before anything that may give a slot the newest mark. */
  beforeReading: () => void = () => {};
  readonly driver = wrappedDriver((real) => {
    this.opened++;
    return {
      execute: (sql) => {
        if (sql === "BEGIN") this.beforeReading();
        real.execute(sql);
        if (sql === "BEGIN") this.holding.add(real);
        if (sql === "ROLLBACK") this.holding.delete(real);
      },
      values: (sql) => {
        if (sql.startsWith("PRAGMA wal_checkpoint")) this.beforeReading();
        return real.values(sql);
      },
      allValues: (sql) => real.allValues(sql),
      close: () => {
        this.holding.delete(real);
        real.close();
      },
    };
  });
}

const ASKED_MS = 60;

/**
 * Puts our hold onto the very slot that the application's checkpoint is waiting for: it met that slot with an older mark, and
 * between two of its tries a hold gets it that has the newest one. Resolves with the time.
 */
function takeTheSlotThatIsWaitedFor(stage: WatchedStage, arrangement: Arrangement): Promise<number> {
  const shm = `${stage.path}-shm`;
  const { pid } = stage.application;
  const arranged = Promise.withResolvers<number>();
  const before = Deno.statSync(`${stage.path}-wal`).size;
  arrangement.beforeReading = () => {
    if (Deno.statSync(`${stage.path}-wal`).size === before) return; // Nothing was committed yet.
    arrangement.beforeReading = () => {};
    try {
      const deadline = performance.now() + 5_000;
      const waits = () =>
        isLocked(shm, pid, LockByte.write, "WRITE") && isLocked(shm, pid, LockByte.checkpoint, "WRITE");
      while (!waits()) assertLess(performance.now(), deadline, "the checkpoint to wait");
      spin(ASKED_MS); // Only its tries for our slot come after these locks.
      assert(waits(), "the checkpoint still waits");
      assertEquals(heldSlots(shm, Deno.pid), [1]);
      const [holding] = arrangement.holding;
      assert(holding !== undefined && arrangement.holding.size === 1, "one connection holds");
      holding.execute("ROLLBACK");
      holding.execute("BEGIN");
      holding.values("PRAGMA user_version");
      assertEquals(heldSlots(shm, Deno.pid), [1]);
      arranged.resolve(performance.now());
    } catch (error) {
      arranged.reject(error);
    }
  };
  return arranged.promise;
}

/** Blocks, so that nothing of the watch runs meanwhile. */
function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

const PATIENCE_MS = 4_000;

for (const mode of ["FULL", "RESTART", "TRUNCATE"]) {
  Deno.test({
    name: `WatchedDatabase steps aside for a ${mode} that waits for the slot of its holds, and misses nothing`,
    timeout: 30_000,
    fn: () => {
      const arrangement = new Arrangement();
      return WatchedStage.with({ driver: arrangement.driver }, async (stage) => {
        const { application, database } = stage;
        database.claim(); // Everything captured stays.
        const { generation } = stage;
        // From then on it hands over between two connections; opening the second one reads, too.
        await until(() => arrangement.opened === 2 && arrangement.holding.size === 1, "the first hand-over");
        await application.runAll([`PRAGMA busy_timeout = ${PATIENCE_MS}`]);
        const arranged = takeTheSlotThatIsWaitedFor(stage, arrangement);
        const checkpoint = application.runAll(["INSERT INTO entry VALUES ('last')", `PRAGMA wal_checkpoint(${mode})`]);
        const ended = checkpoint.then(([row]) => ({ row, at: performance.now() }));
        const [start, { row, at }] = await Promise.all([arranged, ended]);
        assertEquals(row?.[0], 0, "the checkpoint was complete");
        assertLess(at - start, 1_000);
        await stage.commit(5);
        assertEquals(stage.generation, generation, stage.text);
        assertEquals(stage.lines.filter((line) => / (WARN|ERROR) /.test(line)), []);
        await stage.expectNothingLost();
      });
    },
  });
}

interface Bridge {
  /** What the application does while nobody holds its WAL. */
  readonly meanwhile: (stage: LockStage) => Promise<unknown>;
  readonly isBridged: boolean;
}

const COMMIT_LARGE = "INSERT INTO entry VALUES (zeroblob(30000))";

const BRIDGES: Readonly<Record<string, Bridge>> = {
  "nothing happened": { meanwhile: () => Promise.resolve(), isBridged: true },
  "more was committed to the same life": { meanwhile: (stage) => stage.commit(3), isBridged: true },
  "the WAL was emptied": { meanwhile: (stage) => stage.checkpoint("TRUNCATE"), isBridged: true },
  "the WAL was restarted and has every transaction since": {
    meanwhile: async (stage) => {
      await stage.checkpoint("TRUNCATE");
      await stage.commit(3);
      await stage.application.run(COMMIT_LARGE);
    },
    isBridged: true,
  },
  "the WAL was restarted twice and has every transaction since": {
    meanwhile: async (stage) => {
      await stage.checkpoint("TRUNCATE");
      await stage.checkpoint("TRUNCATE");
      await stage.commit(2);
    },
    isBridged: true,
  },
  "one transaction was written before the restart": {
    meanwhile: async (stage) => {
      await stage.commit();
      await stage.checkpoint("TRUNCATE");
      await stage.commit(3);
    },
    isBridged: false,
  },
  "one transaction was written before the WAL was emptied": {
    meanwhile: async (stage) => {
      await stage.commit();
      await stage.checkpoint("TRUNCATE");
    },
    isBridged: false,
  },
  "one transaction was written between two restarts": {
    meanwhile: async (stage) => {
      await stage.checkpoint("TRUNCATE");
      await stage.commit();
      await stage.checkpoint("RESTART");
      await stage.commit(4);
    },
    isBridged: false,
  },
};

for (const [what, { meanwhile, isBridged }] of Object.entries(BRIDGES)) {
  Deno.test({
    name: `WalCapture.bridge() ${isBridged ? "shows that nothing was missed" : "is in doubt"} when ${what}`,
    timeout: 20_000,
    fn: () =>
      ShadowStage.with(async (shadowStage) => {
        await using stage = await LockStage.set();
        const wal = new DenoFileSystem().open(stage.walPath, "read");
        const shadow = shadowStage.create();
        try {
          const capture = new WalCapture(wal, shadow, new SystemClock(), { late: false });
          const before = stage.header();
          const hold = { mark: before.mxFrame, salt: before.salt, onSlotZero: false };
          assertEquals((await capture.capture(before, hold)).kind, "captured");
          assert(capture.isCaughtUp(before));
          await meanwhile(stage);
          const after = stage.header();
          assertEquals(capture.bridge(before, after), isBridged);
          if (!isBridged) return;
          // What the bridge leads to is captured, though the mark of the hold from before says nothing about it.
          const next = { mark: after.mxFrame, salt: after.salt, onSlotZero: false };
          const { kind } = await capture.capture(after, next);
          assert(kind !== "doubt" && capture.isCaughtUp(after), kind);
        } finally {
          shadow.close();
          wal.close();
        }
      }),
  });
}
