/** What is committed is decided by the wal-index, not by the WAL; against the real SQLite. */
import { RunningChecksum } from "../../lib/wal/checksum.ts";
import {
  COMMIT_SIZE_AT,
  FRAME_CHECKSUM_AT,
  FRAME_HEADER_SIZE,
  frameSize,
  offsetAfter,
  storedChecksum,
  SUMMED_HEADER_SIZE,
} from "../../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { scanFrames } from "../../lib/wal/scanner.ts";
import { viewOf } from "../../lib/base/bytes.ts";
import { assert, assertEquals, assertGreater, assertNotEquals } from "../support/assert.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { LockStage } from "./lock_stage.ts";

const ACTIONS = import.meta.resolve("./lock_actions.ts");

function fact(name: string, run: (stage: LockStage) => Promise<void>): void {
  Deno.test({
    name: `Commit: ${name}`,
    timeout: 20_000,
    fn: async () => {
      await using stage = await LockStage.set();
      await run(stage);
    },
  });
}

/** One more transaction for the end of the WAL, with a valid chain: the last frame again, its page changed. */
function anotherTransaction(wal: Uint8Array, stage: LockStage): Uint8Array {
  const { mxFrame, databasePages, pageSize } = stage.header();
  const last = offsetAfter(mxFrame, pageSize) - frameSize(pageSize);
  const frame = wal.slice(last, last + frameSize(pageSize));
  const view = viewOf(frame);
  view.setUint32(COMMIT_SIZE_AT, databasePages);
  frame.fill(0x5a, -16);
  const sum = new RunningChecksum();
  sum.set(storedChecksum(viewOf(wal), last));
  const { littleEndian } = stage.walHeader();
  sum.update(view, 0, SUMMED_HEADER_SIZE, littleEndian);
  sum.update(view, FRAME_HEADER_SIZE, pageSize, littleEndian);
  view.setUint32(FRAME_CHECKSUM_AT, sum.value().s0);
  view.setUint32(FRAME_CHECKSUM_AT + 4, sum.value().s1);
  return frame;
}

function committedByChain(stage: LockStage): number {
  const header = stage.walHeader();
  return scanFrames(stage.walBytes().subarray(WAL_HEADER_SIZE), header, header.checksum).committedFrames;
}

fact("a commit frame with a valid chain beyond mxFrame is none, and the next commit overwrites it", async (stage) => {
  const hold = stage.hold();
  const { mxFrame, pageSize } = stage.header();
  const end = offsetAfter(mxFrame, pageSize);
  const ghost = anotherTransaction(stage.walBytes(), stage);
  Deno.writeFileSync(stage.walPath, ghost, { append: true });
  assertEquals(committedByChain(stage), mxFrame + 1);
  hold.execute("ROLLBACK");
  stage.hold(hold); // Nobody adopts it while -shm is alive.
  assertEquals(stage.header().mxFrame, mxFrame);
  assertEquals(await stage.application.run("SELECT count(*) FROM entry"), [[1]]);

  await stage.commit();
  assertEquals(stage.header().mxFrame, mxFrame + 1);
  assertEquals(await stage.application.run("PRAGMA integrity_check"), [["ok"]]);
  const replaced = stage.walBytes().subarray(end, end + frameSize(pageSize));
  assertNotEquals(replaced, ghost);
  assertEquals(storedChecksum(viewOf(replaced), 0), stage.header().checksum);
});

fact(
  "a transaction that spills is in the WAL before it is committed, and never when it is rolled back",
  async (stage) => {
    const { mxFrame, pageSize } = stage.header();
    await stage.application.runAll(["PRAGMA cache_size = 5", "PRAGMA cache_spill = 5", "BEGIN"]);
    await stage.commit(500);
    assertGreater(stage.walBytes().length, offsetAfter(mxFrame + 5, pageSize));
    assertEquals(stage.header().mxFrame, mxFrame);
    await stage.application.run("ROLLBACK");
    assertEquals(stage.header().mxFrame, mxFrame);
    await stage.commit();
    assertGreater(stage.header().mxFrame, mxFrame);
    assertEquals(await stage.application.run("SELECT count(*) FROM entry"), [[2]]);
  },
);

fact("the wal-index agrees with wal_checkpoint(NOOP) and with the WAL at every step", async (stage) => {
  const looker = stage.connect();
  const agree = () => {
    const { mxFrame, backfilled, salt, checksum, pageSize, databasePages } = stage.header();
    assertEquals(looker.values("PRAGMA wal_checkpoint(NOOP)"), [0, mxFrame, backfilled]);
    assertEquals(looker.values("PRAGMA page_count"), [databasePages]);
    assertEquals(looker.values("PRAGMA page_size"), [pageSize]);
    if (mxFrame === 0) return;
    assertEquals(stage.walHeader().salt, salt);
    assertEquals(
      storedChecksum(viewOf(stage.walBytes()), offsetAfter(mxFrame - 1, pageSize) || WAL_HEADER_SIZE),
      checksum,
    );
  };
  agree();
  for (const mode of ["PASSIVE", "FULL", "RESTART", "TRUNCATE"]) {
    await stage.commit(3);
    agree();
    await stage.checkpoint(mode);
    agree();
    await stage.commit();
    agree();
  }
});

fact("a header torn by a killed writer is repaired by wal_checkpoint(NOOP), under our hold", async (stage) => {
  stage.hold();
  const looker = stage.connect();
  looker.values("SELECT 1 FROM entry");
  const { mxFrame, salt, backfilled } = stage.header();
  await using vandal = startOtherProcess();
  await vandal.call(ACTIONS, "tearWalIndex", stage.shmPath);
  assertEquals(stage.walIndex.read(), undefined);
  assertEquals(looker.values("PRAGMA wal_checkpoint(NOOP)"), [0, mxFrame, backfilled]);
  const repaired = stage.header();
  assertEquals([repaired.mxFrame, repaired.salt], [mxFrame, salt]);
  await stage.commit();
  assert(stage.header().mxFrame > mxFrame);
});

fact("a repair of a torn header adopts every commit frame with a valid chain", async (stage) => {
  const looker = stage.hold();
  const { mxFrame } = stage.header();
  Deno.writeFileSync(stage.walPath, anotherTransaction(stage.walBytes(), stage), { append: true });
  await using vandal = startOtherProcess();
  await vandal.call(ACTIONS, "tearWalIndex", stage.shmPath);
  looker.execute("ROLLBACK");
  looker.values("PRAGMA wal_checkpoint(NOOP)");
  assertEquals(stage.header().mxFrame, mxFrame + 1);
});
