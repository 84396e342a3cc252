import { ReplicationError } from "../../lib/base/errors.ts";
import { readRecords } from "../../lib/database/shadow_files.ts";
import { ShadowWal } from "../../lib/database/shadow_wal.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { COMMIT_RECORD_SIZE } from "../../lib/store/commit_record.ts";
import { parseWalHeader } from "../../lib/wal/header.ts";
import { assert, assertEquals, assertFalse, assertGreater, assertRejects, assertThrows } from "../support/assert.ts";
import { openBelow } from "../support/open_below.ts";
import { capture, FRAME, GENERATION, offsetOf, ShadowStage } from "./shadow_stage.ts";

const WAL_0 = "0000000000000000.wal";
const COMMITS_0 = "0000000000000000.commits";
const WAL_1 = "0000000000000001.wal";

function test(name: string, work: (stage: ShadowStage) => Promise<void> | void): void {
  Deno.test(name, () => ShadowStage.with(work));
}

function records(stage: ShadowStage, shadow: ShadowWal, index = 0) {
  return readRecords(stage.files, shadow.commitsPath(asIndex(index)), shadow.endOf(asIndex(index))?.end ?? 0);
}

test("ShadowWal.create() makes an empty one that begins at index 0, offset 0", (stage) => {
  const shadow = stage.create();
  assertEquals([shadow.generation, shadow.index, shadow.offset], [GENERATION, asIndex(0), asOffset(0)]);
  assertEquals([shadow.life, shadow.oldestIndex()], [undefined, asIndex(0)]);
  assertEquals(shadow.endOf(asIndex(0)), { end: asOffset(0), closed: false });
  assertEquals(shadow.endOf(asIndex(1)), undefined);
  assertEquals([...Deno.readDirSync(`${stage.folder}/${GENERATION}`)], []);
  assert(shadow.isSynced);
  shadow.close();
});

test("ShadowWal.publish() moves the end, adds one record, and asks for a sync", async (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 1, 3);
  capture(shadow, wal, 2, 1_000);
  assertEquals(shadow.endOf(asIndex(0)), { end: asOffset(offsetOf(2)), closed: false });
  assertFalse(shadow.isSynced);
  await shadow.sync();
  assert(shadow.isSynced);
  capture(shadow, wal, 6, 1_001, true);
  assertEquals(shadow.offset, asOffset(offsetOf(6)));
  shadow.syncNow();
  assert(shadow.isSynced);
  assertEquals(Deno.readFileSync(stage.path(WAL_0)), wal);
  assertEquals(
    records(stage, shadow).map(({ start, end, capturedAtMs, capturedLate, indexClosed, databasePages }) => ({
      start,
      end,
      capturedAtMs,
      capturedLate,
      indexClosed,
      databasePages,
    })),
    [
      [0, 2, 1_000, false],
      [2, 6, 1_001, true],
    ].map(([start, end, capturedAtMs, capturedLate]) => ({
      start: asOffset(start === 0 ? 0 : offsetOf(Number(start))),
      end: asOffset(offsetOf(Number(end))),
      capturedAtMs: Number(capturedAtMs),
      capturedLate: Boolean(capturedLate),
      indexClosed: false,
      databasePages: 50,
    })),
  );
  shadow.close();
});

test("ShadowWal.writeFrames() without publish() leaves the end where it was, also for those who open it", (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 1, 3);
  capture(shadow, wal, 2, 1_000);
  shadow.writeFrames(2, wal.subarray(offsetOf(2), offsetOf(5))); // The last transaction is cut in two.
  assertEquals(shadow.offset, asOffset(offsetOf(2)));
  shadow.close();
  const opened = stage.open();
  assertEquals(opened.offset, asOffset(offsetOf(3)), "whole transactions are adopted");
  assert(records(stage, opened).at(-1)?.capturedLate);
  opened.close();
});

test("ShadowWal.writeFrames() refuses to change what is published", (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 1);
  capture(shadow, wal, 2, 1_000);
  assertThrows(() => shadow.writeFrames(1, wal.subarray(offsetOf(1))), Error, "published frames never change");
  shadow.close();
});

/** Every sync of a file ends as this does. */
function holdUpSyncs({ files }: ShadowStage): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  const { open } = files;
  files.open = (...words) => Object.assign(open(...words), { sync: () => gate.promise });
  return gate;
}

test("ShadowWal.isSynced and a second sync() wait for the one that is under way", async (stage) => {
  const shadow = stage.create();
  const gate = holdUpSyncs(stage);
  const wal = stage.life(2, 1);
  capture(shadow, wal, 2, 1_000);
  const first = shadow.sync();
  await Promise.resolve();
  assertFalse(shadow.isSynced);
  let isSecondDone = false;
  const second = shadow.sync().then(() => isSecondDone = true);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assertEquals([isSecondDone, shadow.isSynced], [false, false]);
  gate.resolve();
  await Promise.all([first, second]);
  assert(shadow.isSynced);
  shadow.close();
});

test("ShadowWal.sync() that fails has whoever waits for it fail as well", async (stage) => {
  const shadow = stage.create();
  const gate = holdUpSyncs(stage);
  capture(shadow, stage.life(2), 2, 1_000);
  const syncs = [shadow.sync(), shadow.sync()].map((sync) => assertRejects(() => sync, ReplicationError));
  gate.reject(new Error("the device is gone"));
  for (const { message } of await Promise.all(syncs)) assert(message.includes("the device is gone"), message);
  assertFalse(shadow.isSynced);
  shadow.close();
});

test("ShadowWal.closeIndex() adds the closing record and makes the next index the present one", async (stage) => {
  const shadow = stage.create();
  const [first, second] = [stage.life(2), stage.life(1, 1)];
  capture(shadow, first, 2, 1_000);
  shadow.closeIndex(1_005);
  assertEquals([shadow.index, shadow.offset, shadow.life], [asIndex(1), asOffset(0), undefined]);
  assertEquals(shadow.endOf(asIndex(0)), { end: asOffset(offsetOf(2)), closed: true });
  assertEquals(shadow.endOf(asIndex(1)), { end: asOffset(0), closed: false });
  const [, closing] = records(stage, shadow);
  assertEquals([closing?.start, closing?.end, closing?.indexClosed], [
    asOffset(offsetOf(2)),
    asOffset(offsetOf(2)),
    true,
  ]);
  capture(shadow, second, 1, 1_006);
  await shadow.sync();
  assertEquals(Deno.readFileSync(stage.path(WAL_1)), second.slice(0, offsetOf(1)));
  shadow.close();
});

test("ShadowWal times never decrease, whatever the clock does, also after it was opened again", (stage) => {
  const shadow = stage.create();
  const wal = stage.life(1, 1, 1);
  capture(shadow, wal, 1, 5_000);
  capture(shadow, wal, 2, 4_000);
  shadow.close();
  const opened = stage.open(3_000);
  capture(opened, wal, 3, 3_500);
  opened.closeIndex(3_600);
  assertEquals(records(stage, opened).map(({ capturedAtMs }) => capturedAtMs), [5_000, 5_000, 5_000, 5_000]);
  opened.close();
});

test("ShadowWal.forget() takes back a life that never got a frame, and nothing else", (stage) => {
  const shadow = stage.create();
  const [first, second] = [stage.life(2), stage.life(2)];
  const parsed = parseWalHeader(first);
  assert(parsed.ok);
  shadow.begin(parsed.header, first);
  shadow.forget();
  assertEquals(shadow.life, undefined);
  capture(shadow, second, 2, 1_000);
  assertThrows(() => shadow.forget(), Error, "only an index without published frames is forgotten");
  assertEquals(Deno.readFileSync(stage.path(WAL_0)), second);
  shadow.close();
});

test("ShadowWal.open() goes on where it was, life after life", async (stage) => {
  const shadow = stage.create();
  const lives = [stage.life(2, 1), stage.life(3), stage.life(1, 1)];
  for (const life of lives.slice(0, 2)) {
    capture(shadow, life, 3, 1_000);
    shadow.closeIndex(1_001);
  }
  capture(shadow, lives[2] ?? new Uint8Array(), 1, 1_002);
  const { life, index, offset } = shadow;
  await shadow.sync();
  shadow.close();
  const opened = stage.open();
  assertEquals([opened.index, opened.offset, opened.oldestIndex()], [index, offset, asIndex(0)]);
  assertEquals(opened.life, life);
  assertEquals(opened.closedLife, undefined);
  for (const older of [0, 1]) {
    assertEquals(opened.endOf(asIndex(older)), { end: asOffset(offsetOf(3)), closed: true });
  }
  capture(opened, lives[2] ?? new Uint8Array(), 2, 1_003);
  await opened.sync();
  assertEquals(Deno.readFileSync(stage.path("0000000000000002.wal")), lives[2]);
  opened.close();
});

test("ShadowWal.open() knows the life that was closed last, with and without a beginning of the next", (stage) => {
  const shadow = stage.create();
  const [first, second] = [stage.life(2), stage.life(1)];
  capture(shadow, first, 2, 1_000);
  const { life } = shadow;
  shadow.closeIndex(1_001);
  shadow.close();
  for (const leftOver of [undefined, second.subarray(0, 32), second.subarray(0, 10), second.subarray(0, 300)]) {
    if (leftOver !== undefined) Deno.writeFileSync(stage.path(WAL_1), leftOver);
    const opened = stage.open();
    assertEquals([opened.index, opened.life], [asIndex(1), undefined]);
    assertEquals(opened.closedLife, life);
    assertEquals(opened.endOf(asIndex(0)), { end: asOffset(offsetOf(2)), closed: true });
    opened.close();
  }
  const opened = stage.open();
  capture(opened, second, 1, 1_002);
  assertEquals(Deno.readFileSync(stage.path(WAL_1)), second);
  opened.close();
});

test("ShadowWal.removeBefore() removes complete indexes below, and never the present one", (stage) => {
  const shadow = stage.create();
  for (let i = 0; i < 3; i++) {
    capture(shadow, stage.life(1), 1, 1_000);
    shadow.closeIndex(1_000);
  }
  shadow.syncNow();
  capture(shadow, stage.life(1), 1, 1_000);
  shadow.removeBefore(asIndex(2));
  assertEquals(shadow.oldestIndex(), asIndex(2));
  assertEquals([shadow.endOf(asIndex(0)), shadow.endOf(asIndex(1))], [undefined, undefined]);
  const names = () => [...Deno.readDirSync(`${stage.folder}/${GENERATION}`)].map(({ name }) => name).sort();
  const kept = [2, 3].flatMap((index) => [`000000000000000${index}.commits`, `000000000000000${index}.wal`]);
  assertEquals(names(), kept);
  shadow.removeBefore(asIndex(99));
  assertEquals(names(), kept.slice(2));
  assertEquals(shadow.markAt(asIndex(2), asOffset(offsetOf(1))), undefined);
  shadow.close();
  const opened = stage.open();
  assertEquals([opened.oldestIndex(), opened.index], [asIndex(3), asIndex(3)]);
  opened.close();
});

test("ShadowWal.markAt() gives salts and sums of every published frame, and of nothing else", (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 1);
  capture(shadow, wal, 2, 1_000);
  const parsed = parseWalHeader(wal);
  assert(parsed.ok);
  for (const frames of [1, 2]) {
    const mark = shadow.markAt(asIndex(0), asOffset(offsetOf(frames)));
    const view = new DataView(wal.buffer, offsetOf(frames - 1));
    assertEquals(mark, {
      salt: parsed.header.salt,
      checksum: { s0: view.getUint32(16), s1: view.getUint32(20) },
    });
  }
  for (const [index, offset] of [[0, 0], [0, offsetOf(3)], [1, offsetOf(1)]] as const) {
    assertEquals(shadow.markAt(asIndex(index), asOffset(offset)), undefined);
  }
  shadow.close();
});

/** A life of three captures: 2, 1 and 2 frames. */
function threeCaptures(stage: ShadowStage): Uint8Array {
  const shadow = stage.create();
  const wal = stage.life(2, 1, 1, 1);
  [2, 3, 5].forEach((frames, slot) => capture(shadow, wal, frames, 1_000 + slot));
  shadow.close();
  return wal;
}

const ENDS = [0, 2, 3, 4, 5].map((frames) => frames === 0 ? 0 : offsetOf(frames));

test("ShadowWal.open() after a cut at any byte of the WAL ends at a commit before it, and goes on from there", (stage) => {
  const wal = threeCaptures(stage);
  const [wholeWal, wholeCommits] = [Deno.readFileSync(stage.path(WAL_0)), Deno.readFileSync(stage.path(COMMITS_0))];
  assertEquals(wholeWal, wal);
  for (let size = 0; size <= wal.length; size += size < 40 || size > wal.length - 2 * FRAME ? 1 : 37) {
    Deno.writeFileSync(stage.path(WAL_0), wholeWal.subarray(0, size));
    Deno.writeFileSync(stage.path(COMMITS_0), wholeCommits);
    const opened = stage.open();
    assertEquals<number>(opened.offset, ENDS.findLast((end) => end <= size) ?? -1, `cut at ${size}`);
    assertContiguous(stage, opened, opened.offset);
    capture(opened, wal, 5, 2_000);
    assertEquals(Deno.readFileSync(stage.path(WAL_0)), wholeWal);
    assertContiguous(stage, opened, offsetOf(5));
    opened.close();
  }
});

test("ShadowWal.open() after a cut at any byte of the records loses no frame", (stage) => {
  const wal = threeCaptures(stage);
  const wholeCommits = Deno.readFileSync(stage.path(COMMITS_0));
  assertEquals(wholeCommits.length, 3 * COMMIT_RECORD_SIZE);
  for (let size = 0; size <= wholeCommits.length; size++) {
    Deno.writeFileSync(stage.path(WAL_0), wal);
    Deno.writeFileSync(stage.path(COMMITS_0), wholeCommits.subarray(0, size));
    const opened = stage.open();
    assertEquals<number>(opened.offset, offsetOf(5), `cut at ${size}`);
    assertContiguous(stage, opened, offsetOf(5));
    opened.close();
    const again = stage.open();
    assertContiguous(stage, again, offsetOf(5));
    again.close();
  }
});

function assertContiguous(stage: ShadowStage, shadow: ShadowWal, end: number): void {
  let at = 0;
  for (const record of records(stage, shadow)) {
    assertEquals<number>(record.start, at);
    at = record.end;
  }
  assertEquals(at, end);
  assertEquals<number | undefined>(shadow.endOf(asIndex(0))?.end, end);
}

test("ShadowWal.open() refuses a WAL of which recorded frames are damaged", (stage) => {
  const wal = threeCaptures(stage);
  for (const at of [3, 20, 32 + 5, 32 + 100, offsetOf(4) + 30, offsetOf(5) - 1]) {
    const damaged = wal.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 4;
    Deno.writeFileSync(stage.path(WAL_0), damaged);
    const error = assertThrows(() => stage.open(), ReplicationError, "frames that were recorded are gone");
    assertEquals(error.code, "corrupt");
  }
});

test("ShadowWal.open() refuses an older index that is not complete", (stage) => {
  const shadow = stage.create();
  capture(shadow, stage.life(2), 2, 1_000);
  shadow.closeIndex(1_000);
  capture(shadow, stage.life(1), 1, 1_001);
  shadow.close();
  const commits = Deno.readFileSync(stage.path(COMMITS_0));
  const wal = Deno.readFileSync(stage.path(WAL_0));
  Deno.writeFileSync(stage.path(COMMITS_0), commits.subarray(0, COMMIT_RECORD_SIZE));
  assertThrows(() => stage.open(), ReplicationError, "it is not complete");
  Deno.writeFileSync(stage.path(COMMITS_0), commits);
  Deno.writeFileSync(stage.path(WAL_0), wal.subarray(0, wal.length - 1));
  assertThrows(() => stage.open(), ReplicationError, "it is not complete");
  Deno.writeFileSync(stage.path(WAL_0), wal);
  stage.open().close();
});

test("ShadowWal leaves no descriptor open", (stage) => {
  const openFiles = () => openBelow(stage.folder).length;
  const wal = threeCaptures(stage);
  assertGreater(wal.length, 0);
  const opened = stage.open();
  opened.closeIndex(1_000);
  capture(opened, stage.life(1), 1, 1_000);
  opened.syncNow();
  opened.close();
  assertEquals(openFiles(), 0);
});

const FAR_MS = 30 * 24 * 3_600_000;

test("ShadowWal gives times that do not decrease when the clock goes back by little", (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 2, 2);
  capture(shadow, wal, 2, 50_000);
  capture(shadow, wal, 4, 1_000);
  assertEquals(records(stage, shadow).map(({ capturedAtMs }) => capturedAtMs), [50_000, 50_000]);
  assertEquals(shadow.takeClockStep(), undefined);
  shadow.close();
});

test("ShadowWal goes on with right times when the clock was ahead and is put right, and says so once", (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 2, 2);
  capture(shadow, wal, 2, FAR_MS);
  capture(shadow, wal, 4, 1_000);
  capture(shadow, wal, 6, 2_000);
  assertEquals(records(stage, shadow).map(({ capturedAtMs }) => capturedAtMs), [FAR_MS, 1_000, 2_000]);
  assertEquals(records(stage, shadow).map(({ capturedLate }) => capturedLate), [false, true, false]);
  assertEquals(shadow.takeClockStep(), { fromMs: FAR_MS, toMs: 1_000 });
  assertEquals(shadow.takeClockStep(), undefined);
  shadow.close();
});

test("ShadowWal says so where the clock is put back behind a snapshot that was given a time", (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 2, 2);
  capture(shadow, wal, 2, 1_000);
  assertEquals(shadow.giveTime(FAR_MS), { timeMs: FAR_MS, isBack: false });
  capture(shadow, wal, 4, 2_000);
  assertEquals(shadow.giveTime(1_500), { timeMs: 2_000, isBack: false });
  capture(shadow, wal, 6, 3_000);
  const times = records(stage, shadow).map(({ capturedAtMs, capturedLate }) => [capturedAtMs, capturedLate]);
  assertEquals(times, [[1_000, false], [2_000, true], [3_000, false]]);
  shadow.close();
});

test("ShadowWal says of a snapshot's time that it is before what was captured under a clock that was ahead", (stage) => {
  const shadow = stage.create();
  capture(shadow, stage.life(2), 2, FAR_MS);
  assertEquals(shadow.giveTime(1_000), { timeMs: 1_000, isBack: true });
  shadow.close();
});

test("ShadowWal.open() goes on with right times behind a time in the future", async (stage) => {
  const shadow = stage.create();
  const wal = stage.life(2, 2, 2);
  capture(shadow, wal, 2, FAR_MS);
  await shadow.sync();
  shadow.close();
  const opened = stage.open(1_000);
  assertEquals(opened.timeAt(1_000), 1_000);
  capture(opened, wal, 4, 1_500);
  assertEquals(records(stage, opened).map(({ capturedAtMs }) => capturedAtMs), [FAR_MS, 1_500]);
  opened.close();
});

test("ShadowWal.create() gives times later than a generation before it that ends in the future", (stage) => {
  const shadow = ShadowWal.create(stage.files, stage.folder, GENERATION, FAR_MS);
  const wal = stage.life(2, 2, 2);
  capture(shadow, wal, 2, 1_000);
  capture(shadow, wal, 4, 2_000);
  assertEquals(records(stage, shadow).map(({ capturedAtMs }) => capturedAtMs), [FAR_MS + 1, FAR_MS + 1]);
  shadow.close();
});

test("ShadowWal.create() gives times later than all before, whatever the clock says", (stage) => {
  const shadow = ShadowWal.create(stage.files, stage.folder, GENERATION, 5_000);
  capture(shadow, stage.life(2), 2, 1_000);
  assertEquals(records(stage, shadow).map(({ capturedAtMs }) => capturedAtMs), [5_001]);
  shadow.close();
});

test("ShadowWal.sync() that cannot open the folder says why, and what helps", async (stage) => {
  const files: FileSystem = Object.create(stage.files);
  const shadow = ShadowWal.create(files, stage.folder, GENERATION, 0);
  capture(shadow, stage.life(2), 2, 1_000);
  files.syncFolder = () => {
    throw new ReplicationError("unavailable", "Cannot sync folder /s: too many open files", { advice: "raise it" });
  };
  for (const sync of [() => shadow.sync(), () => Promise.try(() => shadow.syncNow())]) {
    const { message, advice } = await assertRejects(sync, ReplicationError);
    const reason = "cannot sync folder /s: too many open files";
    assertEquals([message, advice], [
      `Cannot make the shadow WAL ${stage.folder}/${GENERATION} durable: ${reason}`,
      "raise it",
    ]);
  }
  shadow.close();
});
