/** The wall clock is put forward and back, while the database is followed and while the program is away. */
import { readRecords } from "../../lib/database/shadow_files.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { assert, assertEquals, assertGreater, assertMatch } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { WatchedStage } from "./watched_stage.ts";

const DAYS_MS = 30 * 24 * 3_600_000;
const MINUTE_MS = 60_000;

/** How far ahead of the real clock the newest record of index 0 is. */
function aheadMs(stage: WatchedStage): number {
  const path = stage.shadowPath(0);
  const records = readRecords(new DenoFileSystem(), path.replace(/wal$/, "commits"), Deno.statSync(path).size);
  return (records.at(-1)?.capturedAtMs ?? 0) - Date.now();
}

function steps(name: string, run: (stage: WatchedStage) => Promise<void>): void {
  Deno.test(`WatchedDatabase, ${name}`, () => WatchedStage.with({}, run));
}

steps("when the clock was ahead while it followed: times are right again at the next capture", async (stage) => {
  stage.clock.wallShiftMs = DAYS_MS;
  await stage.commit();
  assertGreater(aheadMs(stage), DAYS_MS - MINUTE_MS);
  stage.clock.wallShiftMs = 0;
  await stage.commit();
  assertGreater(MINUTE_MS, aheadMs(stage));
  assertMatch(stage.text, /WARN .*The clock was put back: .* before=.* now=/);
  await stage.expectNothingLost();
});

steps("when the clock goes back by seconds: times stand still and nothing is said", async (stage) => {
  await stage.commit();
  stage.clock.wallShiftMs = -MINUTE_MS / 2;
  await stage.commit();
  assertGreater(aheadMs(stage), -MINUTE_MS / 4);
  assert(!stage.text.includes(" WARN "), stage.text);
});

steps("when the clock goes forward: times follow it", async (stage) => {
  await stage.commit();
  stage.clock.wallShiftMs = DAYS_MS;
  await stage.commit();
  assertGreater(aheadMs(stage), DAYS_MS - MINUTE_MS);
  assert(!stage.text.includes(" WARN "), stage.text);
});

steps("when the clock was ahead at the start before: the history goes on with right times", async (stage) => {
  stage.clock.wallShiftMs = DAYS_MS;
  await stage.commit();
  await stage.database.rememberTime(Date.now() + DAYS_MS);
  const { generation } = stage;
  await stage.release();
  stage.clock.wallShiftMs = 0;
  const again = stage.again(new DenoFileSystem());
  again.start();
  try {
    await again.opened;
    assertMatch(stage.text, /WARN .*What was captured last carries a time in the future: .* captured_at=/);
    await stage.application.run("INSERT INTO entry VALUES ('later')");
    const moment = await again.captureNow();
    assertEquals(moment.position.generation, generation);
    assertGreater(MINUTE_MS, moment.timeMs - Date.now()); // What a snapshot would be given.
    await again.rememberTime(moment.timeMs);
    assertEquals(Deno.readTextFileSync(`${stage.state}/latest`), `${moment.timeMs}\n`);
  } finally {
    await again.stop();
    await again.release();
  }
});

steps(
  "when a generation ends in the future: the next one is later, also after a start, and it is said",
  async (stage) => {
    stage.clock.wallShiftMs = DAYS_MS;
    await stage.commit();
    stage.clock.wallShiftMs = 0;
    const { generation } = stage;
    await stage.database.startGeneration("a test wants one");
    await until(() => stage.generation !== generation, "another generation");
    assertMatch(stage.text, /WARN .*The generation before ends in the future .* until=/);
    await stage.commit();
    assertGreater(aheadMs(stage), DAYS_MS - MINUTE_MS);
    await stage.release();
    const again = stage.again(new DenoFileSystem());
    again.start();
    try {
      await again.opened;
      await stage.application.run("INSERT INTO entry VALUES ('later')");
      assertGreater((await again.captureNow()).timeMs - Date.now(), DAYS_MS - MINUTE_MS);
    } finally {
      await again.stop();
      await again.release();
    }
  },
);
