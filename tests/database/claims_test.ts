/** What the shadow WAL keeps for those who still need it, over the beginning of another generation. */
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { assert, assertEquals, assertGreater, assertNotEquals } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { WatchedStage } from "./watched_stage.ts";

function shadowIndexes(stage: WatchedStage): number[] {
  return [...Deno.readDirSync(`${stage.state}/shadow/${stage.generation}`)]
    .filter(({ name }) => name.endsWith(".wal")).map(({ name }) => parseInt(name, 16)).sort((a, b) => a - b);
}

function claims(name: string, work: (stage: WatchedStage) => Promise<void>): void {
  Deno.test({ name, timeout: 30_000, fn: () => WatchedStage.with({}, work) });
}

/** Looks again and again, as it happens after each capture, for what nobody needs. */
async function expectHeld(stage: WatchedStage, indexes: readonly number[]): Promise<void> {
  for (let i = 0; i < 5; i++) {
    const before = stage.database.position()?.offset ?? 0;
    await stage.application.run("INSERT INTO entry VALUES (1)");
    await until(() => (stage.database.position()?.offset ?? 0) > before, "a capture by the watch itself");
  }
  assertEquals(shadowIndexes(stage), indexes);
  assertEquals(stage.database.oldestIndex(), indexes[0]);
}

claims(
  "WatchedDatabase.claim() keeps every index from the one that is needed, and nothing before it",
  async (stage) => {
    const claim = stage.database.claim();
    const { generation, index } = await stage.restart(3);
    assertEquals(index, 3);
    await expectHeld(stage, [0, 1, 2, 3]);
    claim.need({ generation, index: asIndex(2), offset: asOffset(0) });
    await until(async () => {
      await stage.commit();
      return stage.database.oldestIndex() === 2;
    }, "what is not needed to be removed");
    await expectHeld(stage, [2, 3]);
    claim.release();
    await until(async () => {
      await stage.commit();
      return stage.database.oldestIndex() === 3;
    }, "what nobody claims to be removed");
  },
);

claims(
  "A claim that is moved by a position of an older generation keeps what it kept of the present one",
  async (stage) => {
    const claim = stage.database.claim();
    const old = await stage.restart(3);
    await stage.database.startGeneration("a test asks for it");
    claim.need(old); // By whoever was still at work on it.
    const { generation, index } = await stage.restart(2);
    assertNotEquals(generation, old.generation);
    assertEquals(index, 2);
    claim.need({ ...old, index: asIndex(7) });
    await expectHeld(stage, [0, 1, 2]);
  },
);

claims("A claim on an index of a generation says nothing about that index of the next one", async (stage) => {
  const claim = stage.database.claim();
  const old = await stage.restart(3);
  claim.need(old);
  await stage.database.startGeneration("a test asks for it");
  await stage.restart(2);
  assertNotEquals(stage.generation, old.generation);
  await expectHeld(stage, [0, 1, 2]);
});

claims("A claim counts for nothing after the database was opened again in another generation", async (stage) => {
  const claim = stage.database.claim();
  const old = await stage.restart(3);
  claim.need(old);
  // The state is found under another lock, and of another history.
  Deno.writeTextFileSync(`${stage.state}/generation`, `${"0".repeat(16)}\n\n\n`);
  Deno.renameSync(`${stage.state}/lock`, `${stage.state}/lock.gone`);
  await until(() => {
    const generation = stage.database.generation();
    return generation !== undefined && generation !== old.generation;
  }, "the database to be opened again");
  assert(stage.text.includes("its state folder was deleted or replaced"), stage.text);
  await stage.restart(2);
  await expectHeld(stage, [0, 1, 2]);
});

claims("A claim still counts after the database was opened again in the same generation", async (stage) => {
  const claim = stage.database.claim();
  const { generation } = await stage.restart(3);
  claim.need({ generation, index: asIndex(1), offset: asOffset(0) });
  const opened = () => stage.lines.filter((line) => line.includes("Following")).length;
  const before = opened();
  Deno.renameSync(`${stage.state}/lock`, `${stage.state}/lock.gone`);
  await until(() => opened() > before, "the database to be opened again");
  assertGreater(before, 0);
  assertEquals(stage.generation, generation);
  await until(async () => {
    await stage.commit();
    return stage.database.oldestIndex() !== 0;
  }, "what is not needed to be removed");
  await expectHeld(stage, [1, 2, 3]);
});

Deno.test({
  name: "WatchedDatabase keeps no more than max-state-size, whoever claims it, and says so",
  timeout: 30_000,
  fn: () =>
    WatchedStage.with({ settings: { maxStateSizeBytes: 30_000 } }, async (stage) => {
      stage.database.claim(); // By somebody who never moves on.
      await stage.restart(8);
      await until(async () => {
        await stage.commit();
        return stage.database.oldestIndex() > 0;
      }, "what is too much to be removed");
      const held = shadowIndexes(stage);
      const bytes = held.map((index) => Deno.statSync(stage.shadowPath(index)).size);
      const complete = bytes.slice(0, -1).reduce((sum, size) => sum + size, 0);
      assert(complete <= 30_000, `${complete} bytes of complete indexes`);
      assertEquals(held.at(-1), stage.database.position()?.index);
      assert(stage.text.includes("The state is larger than max-state-size"), stage.text);
    }),
});

Deno.test({
  name: "WatchedDatabase keeps no more than max-state-size when nobody writes any more, whoever captured last",
  timeout: 60_000,
  fn: () =>
    WatchedStage.with({ settings: { maxStateSizeBytes: 5_000 } }, async (stage) => {
      stage.database.claim(); // By somebody who never moves on.
      // The watch captures most commits by itself; some it finds captured, by whoever asked for all.
      for (let round = 0; round < 30; round++) {
        const { index } = await stage.restart(1);
        await until(() => stage.database.oldestIndex() === index, `what is too much to be removed in round ${round}`);
      }
    }),
});

claims("What is left of a generation is removed when the next one is published, and not before", async (stage) => {
  const old = await stage.restart(1);
  const { removeTree } = DenoFileSystem.prototype;
  const presentAtRemoval: unknown[] = [];
  DenoFileSystem.prototype.removeTree = function (path) {
    if (path.endsWith(`/shadow/${old.generation}`)) presentAtRemoval.push(stage.generation);
    removeTree.call(this, path);
  };
  try {
    await stage.database.startGeneration("a test asks for it");
  } finally {
    DenoFileSystem.prototype.removeTree = removeTree;
  }
  assertNotEquals(stage.generation, old.generation);
  assertEquals(presentAtRemoval, [stage.generation]);
});
