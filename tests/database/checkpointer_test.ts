/** What happens before writers are held up and what only then, and where the copy before it runs. */
import { createLogger } from "../../lib/base/log.ts";
import { Checkpointer, type CheckpointWork } from "../../lib/database/checkpointer.ts";
import { decideCopyPlace } from "../../lib/database/copy_place.ts";
import { ReadHold } from "../../lib/database/read_hold.ts";
import { WalIndex } from "../../lib/database/wal_index.ts";
import { type Clock, SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assertEquals } from "../support/assert.ts";
import { isLocked, LockByte } from "../support/locks.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

interface Stage {
  readonly path: string;
  readonly work: CheckpointWork;
  /** What is logged. */
  readonly lines: readonly string[];
  checkpointer(work: CheckpointWork, clock?: Clock): Checkpointer;
}

/** A database with some frames, of which something is always left to be captured. */
function staged(name: string, run: (stage: Stage) => Promise<void>): void {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      const path = `${folder}/app.db`;
      await using application = startOtherProcess();
      await application.open(path, { create: true });
      await application.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry (n)", "INSERT INTO entry VALUES (1)"]);
      const [files, driver] = [new DenoFileSystem(), createNodeDriver()];
      let walIndex: WalIndex | undefined;
      const hold = new ReadHold(() => driver.open(path, {}), () => walIndex ??= WalIndex.open(files, `${path}-shm`));
      hold.take();
      const work: CheckpointWork = {
        hold,
        captured: () => -1,
        pump: () => Promise.resolve(true),
        handOver: () => Promise.resolve(true),
        captureNow: () => "captured",
        tailBytes: () => 0,
        syncAhead: () => Promise.resolve(),
        copyBeside: () => Promise.reject(new Error("one frame needs no other thread")),
        uncopiedFrames: () => 1,
        uncopiedBytes: () => 4_096,
        noteCopied: () => {},
      };
      const lines: string[] = [];
      const writeLine = (line: string) => void lines.push(line.replace(/^\S+ /, ""));
      const log = createLogger({ level: "info", format: "text", now: () => new Date(0), writeLine });
      const checkpointer = (its: CheckpointWork, clock: Clock = new SystemClock()) =>
        new Checkpointer(its, clock, log, 1_000);
      await run({ path, work, lines, checkpointer });
      for (const connection of hold.surrender()) connection.close();
      walIndex?.close();
    });
  Deno.test({ name, timeout: 30_000, fn });
}

staged(
  "Checkpointer has the device begin with what is to be synced before it takes the write lock, and once; it knows the pause",
  async ({ path, work, checkpointer }) => {
    const acts: string[] = [];
    const act = (name: string) => {
      acts.push(isLocked(`${path}-shm`, Deno.pid, LockByte.write, "WRITE") ? `${name}, writers wait` : name);
    };
    const noted: CheckpointWork = {
      ...work,
      captureNow: () => {
        act("capture");
        return "captured";
      },
      tailBytes: () => {
        act("look");
        return 0;
      },
      syncAhead: () => {
        act("sync ahead");
        return Promise.resolve();
      },
    };
    const its = checkpointer(noted);
    assertEquals(its.msSincePause, Infinity);
    await its.run(true, new AbortController().signal);
    assertEquals(acts, ["sync ahead", "look", "capture, writers wait"]);
    assertEquals(Number.isFinite(its.msSincePause), true);
  },
);

staged("Checkpointer copies beside the loop once a copy was slow, until one is quick again", async (stage) => {
  const copies: string[] = [];
  let [nowMs, tookMs] = [0, 0];
  const clock = new SystemClock();
  Object.defineProperty(clock, "monotonicMs", { value: () => nowMs += tookMs });
  const work: CheckpointWork = {
    ...stage.work,
    copyBeside: () => {
      copies.push("beside");
      return Promise.resolve({ busy: true, log: -1, checkpointed: -1 });
    },
  };
  const checkpointer = stage.checkpointer(work, clock);
  const run = async (ms: number) => {
    tookMs = ms;
    const before = copies.length;
    await checkpointer.run(false, new AbortController().signal);
    if (copies.length === before) copies.push("loop");
  };
  for (const ms of [1, 500, 500, 1, 1]) await run(ms);
  assertEquals(copies, ["loop", "loop", "beside", "beside", "loop"]);
});

staged(
  "Checkpointer says once why checkpoints fail, and when they succeed again",
  async ({ work, lines, checkpointer }) => {
    let problem: string | undefined;
    const its = checkpointer({
      ...work,
      uncopiedBytes: () => 1 << 30,
      copyBeside: () =>
        problem === undefined
          ? Promise.resolve({ busy: false, log: 1, checkpointed: 1 })
          : Promise.reject(new Error(problem)),
    });
    for (const next of [undefined, "disk full", "disk full", "disk full", "no more threads", undefined, undefined]) {
      problem = next;
      await its.run(false, new AbortController().signal);
    }
    assertEquals(lines, [
      'WARN  A checkpoint failed and is tried again reason="disk full"',
      'WARN  A checkpoint failed and is tried again reason="no more threads"',
      "INFO  Checkpoints succeed again",
    ]);
  },
);

const rows: readonly (readonly [string, number, boolean, boolean, "loop" | "beside"])[] = [
  ["what is small", 1_000 * 4_096, false, false, "loop"],
  ["as many pages of the largest size", 1_000 * 65_536, false, false, "beside"],
  ["what is larger, before the write lock", 9_000 * 4_096, true, false, "loop"],
  ["what is large, before the write lock", 90_000 * 4_096, true, false, "beside"],
  ["what is small, on a slow device", 4_096, true, true, "beside"],
];

for (const [what, bytes, isHurried, isDeviceSlow, wanted] of rows) {
  Deno.test(`decideCopyPlace() of ${what}: ${wanted}`, () => {
    assertEquals(decideCopyPlace({ bytes, isHurried, isDeviceSlow }), wanted);
  });
}
