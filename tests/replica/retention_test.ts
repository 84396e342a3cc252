import { asIndex } from "../../lib/position/position.ts";
import {
  applyRetention,
  type DeletionOutcome,
  lookAtRetention,
  type RetentionTools,
} from "../../lib/replica/retention.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const HOUR = 3_600_000;
const OURS = asGeneration("00000000000000aa");
const THEIRS = asGeneration("00000000000000bb");

interface Scene {
  readonly ours: ReplicaBuilder;
  readonly theirs: ReplicaBuilder;
  readonly tools: RetentionTools;
  readonly stop: AbortController;
  /** What was done, in order. */
  readonly done: string[];
  readonly outcomes: DeletionOutcome[];
}

/** Our generation with two snapshots that are too old and one that is not; one of another host that is long silent. */
function test(name: string, work: (scene: Scene) => Promise<void>): void {
  Deno.test(name, () =>
    withTemporaryFolder(async (folder) => {
      const nowMs = Date.now();
      const ours = new ReplicaBuilder(folder, { generation: OURS, startMs: nowMs });
      const theirs = new ReplicaBuilder(folder, { generation: THEIRS, startMs: nowMs });
      const wal = new WalBuilder();
      const end = wal.commit(1, [1, 1]);
      await theirs.snapshot(0, 0, imageOf(4096, 1));
      await theirs.wal(0, wal.bytes(), { end, databasePages: 1 });
      for (const [index, hours] of [0, 10, 99].entries()) {
        const atMs = nowMs + hours * HOUR;
        await ours.snapshot(index, 0, imageOf(4096, 1), atMs);
        await ours.wal(index, wal.bytes(), { end, databasePages: 1, atMs });
        if (index < 2) await ours.close(index, atMs);
      }
      const stop = new AbortController();
      const done: string[] = [];
      const outcomes: DeletionOutcome[] = [];
      const tools: RetentionTools = {
        store: ours.store,
        policy: { retentionMs: 24 * HOUR },
        nowMs: () => nowMs + 100 * HOUR,
        own: () => OURS,
        signal: stop.signal,
        note: (outcome) => {
          outcomes.push(outcome);
          const { deletion, kind } = outcome;
          done.push(`${kind} ${deletion.kind === "generation" ? "bb" : `${deletion.kind} ${deletion.index}`}`);
        },
      };
      await work({ ours, theirs, tools, stop, done, outcomes });
    }));
}

test("applyRetention() does what the plan says, in its order", async ({ ours, tools, done }) => {
  await applyRetention(await lookAtRetention(tools), tools);
  assertEquals(done, ["deleted snapshot 0", "deleted wal 0", "deleted bb"]);
  assertEquals(await ours.store.generations(), [OURS]);
  const { snapshots, wals } = await ours.store.catalog(OURS);
  const left = [asIndex(1), asIndex(2)];
  assertEquals([snapshots.map(({ index }) => index), wals.map(({ index }) => index)], [left, left]);
  assertEquals((await lookAtRetention(tools)).deletions, []);
});

test("applyRetention() stops between two deletions when the signal is aborted", async ({ tools, stop, done }) => {
  const stopping: RetentionTools = {
    ...tools,
    note: (outcome) => {
      stop.abort();
      return tools.note(outcome);
    },
  };
  await applyRetention(await lookAtRetention(tools), stopping);
  assertEquals(done, ["deleted snapshot 0"]);
});

test("applyRetention() lets a generation stay that somebody wrote to after the plan", async (scene) => {
  const { theirs, tools, done, outcomes } = scene;
  const plan = await lookAtRetention(tools);
  await theirs.snapshot(1, 0, imageOf(4096, 1), tools.nowMs() - HOUR);
  await applyRetention(plan, tools);
  assertEquals(done.at(-1), "skipped bb");
  const [last] = outcomes.slice(-1);
  assertMatch(last?.kind === "skipped" ? last.reason : "", /^somebody wrote to it meanwhile/);
});

test("applyRetention() lets a generation stay when the one that was to remain is gone", async (scene) => {
  const { ours, tools, done } = scene;
  const plan = await lookAtRetention(tools);
  assertEquals(plan.haven, OURS);
  for (const index of [0, 1, 2]) await ours.store.removeSnapshot(OURS, asIndex(index));
  await applyRetention(plan, tools);
  assertEquals(done.at(-1), "skipped bb");
  assertEquals(await ours.store.generations(), [OURS, THEIRS]);
});

test("applyRetention() leaves our generation alone when another one is written by now", async ({ tools, done }) => {
  const plan = await lookAtRetention(tools);
  await applyRetention(plan, { ...tools, own: () => THEIRS });
  assertEquals(done, ["skipped snapshot 0", "skipped wal 0", "skipped bb"]);
});
