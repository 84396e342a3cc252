/**
 * How long the database file is taken to stand still: under one hold, and those that took its place beside it. A checkpoint
 * behind it writes into the file, and is nobody who copies another database over it.
 */
import type { OpenDatabase } from "../../lib/database/open_database.ts";
import type { HoldFacts } from "../../lib/database/read_hold.ts";
import { RestingFile, type RestJudgement } from "../../lib/database/resting_file.ts";
import type { ShadowWal } from "../../lib/database/shadow_wal.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { FILE_SETTLES_MS } from "../../lib/database/still_file.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { sleep } from "../support/daemon.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { wrappedDriver } from "../support/wrapped_driver.ts";
import { WatchedStage } from "./watched_stage.ts";

interface Stage {
  readonly file: RestingFile;
  readonly hold: { facts: HoldFacts | undefined };
  write(): void;
  judge(): Promise<RestJudgement>;
}

function factsAt(mark: number, salt1 = 1): HoldFacts {
  return { mark, salt: { salt1, salt2: 2 }, onSlotZero: false };
}

function resting(name: string, run: (stage: Stage) => Promise<void>): void {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      const path = `${folder}/app.db`;
      const hold: Stage["hold"] = { facts: factsAt(7) };
      const open = { path, hold } as unknown as OpenDatabase;
      const shadow = { pages: undefined } as unknown as ShadowWal;
      const file = new RestingFile(open, shadow, { files: new DenoFileSystem(), clock: new SystemClock() });
      const write = () => Deno.writeTextFileSync(path, "more", { append: true });
      write();
      file.begin();
      assertEquals(await file.judge(), "none");
      await run({ file, hold, write, judge: () => file.judge() });
    });
  Deno.test({ name, fn });
}

/** The next hold takes the place of the present one. */
function handOver({ file, hold }: Stage, next: HoldFacts): void {
  file.handOver(hold.facts, next);
  hold.facts = next;
}

resting("RestingFile.judge() sees what is written under the hold that found all copied", async ({ write, judge }) => {
  write();
  assertEquals(await judge(), "pending");
});

resting("RestingFile.judge() sees it as well under a hold of the same frames that took its place", async (stage) => {
  for (let i = 0; i < 3; i++) handOver(stage, factsAt(7));
  stage.write();
  handOver(stage, factsAt(7));
  assertEquals(await stage.judge(), "pending");
});

for (const [what, next] of [["more", factsAt(8)], ["another life's", factsAt(7, 3)]] as const) {
  resting(
    `RestingFile.judge() takes no checkpoint for another file once the hold reads ${what} frames`,
    async (stage) => {
      handOver(stage, next);
      stage.write();
      assertEquals(await stage.judge(), "none");
      stage.write();
      stage.file.begin();
      assertEquals(await stage.judge(), "none", "how it looked before means nothing any more");
    },
  );
}

resting("RestingFile.judge() says nothing after a hold that was taken when the last one was let go", async (stage) => {
  stage.hold.facts = undefined;
  stage.write();
  assertEquals(await stage.judge(), "none");
  stage.hold.facts = factsAt(7);
  assertEquals(await stage.judge(), "none");
  stage.file.begin();
  stage.write();
  assertEquals(await stage.judge(), "pending");
});

resting("RestingFile.continueUnder() goes on where nothing can have been copied in between", async (stage) => {
  const [before, next] = [stage.hold.facts, factsAt(0, 0)];
  stage.hold.facts = next;
  stage.file.continueUnder(before, next);
  stage.write();
  assertEquals(await stage.judge(), "pending");
});

/** Something that happens just before a hold of ours is opened that would otherwise have read nothing new. */
class LateCommit {
  beforeHold: () => void = () => {};
  readonly driver = wrappedDriver((real) => ({
    execute: (sql) => {
      if (sql === "BEGIN") this.beforeHold();
      real.execute(sql);
    },
    values: (sql) => real.values(sql),
    allValues: (sql) => real.allValues(sql),
    close: () => real.close(),
  }));
}

/** A device whose syncs take their time. */
class SlowSyncs extends DenoFileSystem {
  override open(...words: Parameters<DenoFileSystem["open"]>): ReturnType<DenoFileSystem["open"]> {
    const handle = super.open(...words);
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      await sleep(30);
      await sync();
    };
    return handle;
  }
}

/** Another process opens the database, commits and closes it, before this returns. */
function commitElsewhere(path: string): void {
  const code = `import { DatabaseSync } from "node:sqlite";
    const database = new DatabaseSync(${JSON.stringify(path)}, { timeout: 5000 });
    database.exec("INSERT INTO entry VALUES (randomblob(20000))");
    database.close();`;
  const { success, stderr } = new Deno.Command(Deno.execPath(), { args: ["eval", code] }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
}

Deno.test({
  name:
    "A commit that comes while the hold is handed over at rest, and its copying, are nobody who overwrites the file",
  timeout: 120_000,
  fn: () => {
    const late = new LateCommit();
    const settings = { minCheckpointPages: 1, checkpointIntervalMs: 10 };
    return WatchedStage.with({ driver: late.driver, files: new SlowSyncs(), settings }, async (stage) => {
      const { generation } = stage;
      stage.database.claim(); // So that all of it is still there at the end.
      for (let round = 0; round < 8; round++) {
        await stage.commit();
        let holdsLeft = round % 4;
        late.beforeHold = () => {
          if (holdsLeft-- > 0) return;
          late.beforeHold = () => {};
          commitElsewhere(stage.path);
        };
        await sleep(FILE_SETTLES_MS + 500);
        assertEquals([stage.text.includes("overwritten"), stage.generation], [false, generation], stage.text);
      }
      await stage.expectNothingLost();
    });
  },
});
