/** Each step after the application's last close, by itself: what must be known before it, and what is told of it afterwards. */
import { Departure } from "../../lib/database/departure.ts";
import type { Follower } from "../../lib/database/follower.ts";
import type { HoldKeeper } from "../../lib/database/hold_keeper.ts";
import { letGo, type OpenDatabase, openDatabase } from "../../lib/database/open_database.ts";
import { passiveCheckpoint } from "../../lib/database/read_hold.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assertEquals, assertLessOrEqual, assertThrows } from "../support/assert.ts";
import { type OtherProcess, startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

interface Stage {
  readonly path: string;
  readonly open: OpenDatabase;
  readonly application: OtherProcess;
  readonly departure: Departure;
  readonly doubts: string[];
  isCaughtUp: boolean;
  isDurable: boolean;
  /** What comes of comparing the wal-index before with the one after. */
  isBridged: boolean;
  /** Copies what is in the WAL, and takes the hold anew, which then rests on slot 0. */
  copy(): void;
  walBytes(): number;
}

/** The application has committed and closed; nothing was copied, since we have the database open. */
function staged(name: string, run: (stage: Stage) => Promise<void> | void): void {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      const path = `${folder}/app.db`;
      const [files, driver, clock] = [new DenoFileSystem(), createNodeDriver(), new SystemClock()];
      await using application = startOtherProcess();
      await application.open(path, { create: true });
      await application.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry (n)", "INSERT INTO entry VALUES (1)"]);
      const open = await openDatabase(files, driver, path, {
        enableWal: false,
        mayBeEncrypted: false,
        hasReplaced: false,
      });
      await application.close();
      const doubts: string[] = [];
      const follower = {
        isCaughtUp: () => stage.isCaughtUp,
        bridge: () => stage.isBridged,
        captureCommitted: () => Promise.resolve("same"),
        noteDoubt: (reason: string) => {
          doubts.push(reason);
          return false;
        },
      } as unknown as Follower;
      const keeper = { settle: () => Promise.resolve() } as unknown as HoldKeeper;
      const stage: Stage = {
        ...{ path, open, application, doubts, isCaughtUp: true, isDurable: true, isBridged: true },
        departure: new Departure(open, follower, keeper, { files, clock }, () => stage.isDurable),
        copy: () => {
          open.hold.release();
          assertEquals(passiveCheckpoint(open.hold.free).busy, false);
          open.hold.take();
        },
        walBytes: () => Deno.statSync(`${path}-wal`).size,
      };
      try {
        await run(stage);
      } finally {
        letGo(files, driver, open);
      }
    });
  Deno.test({ name, timeout: 30_000, fn });
}

staged(
  "Departure.truncate() empties only a WAL that is captured, durable and copied, and nobody else's",
  async (stage) => {
    const { path, departure, application } = stage;
    const isRefused = (why: string) => assertEquals([departure.truncate(), stage.walBytes() > 0], [false, true], why);
    isRefused("nothing is copied");
    stage.copy();
    stage.isCaughtUp = false;
    isRefused("not all is captured");
    stage.isCaughtUp = true;
    stage.isDurable = false;
    isRefused("what is captured is not durable");
    stage.isDurable = true;
    await application.open(path);
    await application.run("SELECT * FROM entry");
    isRefused("somebody else has it open");
    await application.close();
    assertEquals([departure.truncate(), stage.walBytes()], [true, 0]);
  },
);

staged("Departure.truncate() has emptied nothing for good where somebody may have committed meanwhile", (stage) => {
  stage.copy();
  stage.isBridged = false;
  assertEquals([stage.departure.truncate(), stage.walBytes()], [false, 0]);
});

staged("Departure.look() takes a file that changed, and not by a checkpoint, for another one", async (stage) => {
  const { path, departure, doubts, application } = stage;
  let seconds = 0;
  const touch = () => Deno.utimeSync(path, ++seconds, seconds);
  const look = () => departure.look(() => Promise.resolve());
  await look();
  assertEquals(await look(), true, "nothing has changed");
  await application.open(path);
  await application.run("SELECT * FROM entry");
  touch();
  assertEquals(await look(), true, "the application is there, and may do so");
  await application.close();
  await look();
  touch();
  assertEquals([await look(), doubts], [false, [`${path} was overwritten in place`]]);
});

staged("Departure.look() does not take a checkpoint for another file, whole or not", async (stage) => {
  const { path, application } = stage;
  const look = () => stage.departure.look(() => Promise.resolve());
  await look();
  await application.open(path);
  await application.runAll(["INSERT INTO entry VALUES (2)", "PRAGMA wal_checkpoint(PASSIVE)"]); // Up to our hold.
  await application.close();
  assertEquals([await look(), stage.doubts], [true, []]);
  stage.copy();
  stage.isDurable = false; // So that nothing more is done.
  assertEquals([await look(), await look(), stage.doubts], [true, true, []]);
});

staged(
  "Departure.look() tries at once after who was gone before it could see him, whatever failed before",
  async (stage) => {
    const { path, application, departure } = stage;
    let tries = 0;
    const look = () =>
      departure.look(() => {
        tries++;
        return Promise.resolve();
      });
    while (tries < 6) await look(); // Of copies that copy nothing; the next one is put off for 640 ms.
    await application.open(path);
    await application.run("INSERT INTO entry VALUES (2)");
    await application.close();
    await look();
    assertLessOrEqual(departure.nextLookMs ?? Infinity, 20);
  },
);

staged("A connection that is opened later is one to the same file, or none", ({ path, open }) => {
  Deno.copyFileSync(path, `${path}.other`);
  for (const connection of open.hold.surrender()) connection.close();
  Deno.renameSync(`${path}.other`, path);
  const { message } = assertThrows(() => open.hold.take(), ReplicationError);
  assertEquals(message, `Cannot go on with ${path}: another file has its name now`);
});
