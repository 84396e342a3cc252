/** What happens before writers are held up, and what only then. */
import { createLogger } from "../../lib/base/log.ts";
import { Checkpointer, type CheckpointWork } from "../../lib/database/checkpointer.ts";
import { ReadHold } from "../../lib/database/read_hold.ts";
import { WalIndex } from "../../lib/database/wal_index.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assertEquals } from "../support/assert.ts";
import { isLocked, LockByte } from "../support/locks.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test({
  name: "Checkpointer has the device begin with what is to be synced before it takes the write lock, and once",
  timeout: 30_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const path = `${folder}/app.db`;
      await using application = startOtherProcess();
      await application.open(path, { create: true });
      await application.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry (n)", "INSERT INTO entry VALUES (1)"]);
      const [files, driver] = [new DenoFileSystem(), createNodeDriver()];
      let walIndex: WalIndex | undefined;
      const hold = new ReadHold(() => driver.open(path, {}), () => walIndex ??= WalIndex.open(files, `${path}-shm`));
      hold.take();
      const acts: string[] = [];
      const act = (name: string) => {
        acts.push(isLocked(`${path}-shm`, Deno.pid, LockByte.write, "WRITE") ? `${name}, writers wait` : name);
      };
      const work: CheckpointWork = {
        hold,
        captured: () => -1, // Never all of it: only a pause might do.
        pump: () => Promise.resolve(true),
        handOver: () => Promise.resolve(true),
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
        copyBeside: () => Promise.reject(new Error("one frame needs no other thread")),
        uncopiedFrames: () => 1,
        noteCopied: () => {},
      };
      const log = createLogger({ level: "error", format: "text", now: () => new Date(0), writeLine: () => {} });
      const checkpointer = new Checkpointer(work, new SystemClock(), log, 1_000);
      await checkpointer.run(true, new AbortController().signal);
      assertEquals(acts, ["sync ahead", "look", "capture, writers wait"]);
      for (const connection of hold.surrender()) connection.close();
      walIndex?.close();
    }),
});
