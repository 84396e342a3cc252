import { ReplicationError } from "../../lib/base/errors.ts";
import { applyRetention, type RetentionTools } from "../../lib/replica/retention.ts";
import { planRetention, type RetentionPlan } from "../../lib/replica/retention_plan.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { examineGenerations } from "../../lib/restore/restorable.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { aStore, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const HOUR = 3_600_000;
/** Later than every file that a test writes, by more than retention and a day. */
const NOW = Date.now() + 1_000 * HOUR;
const OURS = "00000000000000aa";

/** Four indexes, with snapshots in 0 and 2 long ago and in 3 just now; and two foreign generations that were left. */
async function aReplica(folder: string, layout: Layout = "raw"): Promise<string> {
  const root = `${folder}/replica`;
  const ours = new ReplicaBuilder(root, { generation: OURS, startMs: NOW - 100 * HOUR, layout });
  for (let index = 0; index < 4; index++) {
    if (index === 0 || index === 2) await ours.snapshot(index, 0, imageOf(4096, 1, 2));
    const wal = new WalBuilder();
    const end = wal.commit(2, [1, index]);
    await ours.wal(index, wal.bytes(), { end, databasePages: 2 });
    if (index < 3) await ours.close(index);
  }
  await ours.snapshot(3, 4152, imageOf(4096, 1, 2), NOW - HOUR);
  for (const [generation, hours] of [["00000000000000bb", 400], ["00000000000000cc", 300]] as const) {
    const other = new ReplicaBuilder(root, { generation, startMs: NOW - hours * HOUR, layout });
    await other.snapshot(0, 0, imageOf(4096, 1));
  }
  return root;
}

async function planFor(store: GenerationStore): Promise<RetentionPlan> {
  const generations = await examineGenerations(store);
  return planRetention({ generations, own: asGeneration(OURS), nowMs: NOW, policy: { retentionMs: 24 * HOUR } });
}

/** What was done, a line each. */
async function apply(plan: RetentionPlan, root: string, overrides: Partial<RetentionTools> = {}): Promise<string[]> {
  const lines: string[] = [];
  const tools: RetentionTools = {
    store: aStore(root),
    policy: { retentionMs: 24 * HOUR },
    nowMs: () => NOW,
    signal: new AbortController().signal,
    note: (outcome) => {
      const { deletion } = outcome;
      const which = deletion.kind === "generation" ? deletion.generation.slice(-2) : deletion.index;
      lines.push(`${outcome.kind} ${deletion.kind} ${which}${outcome.kind === "skipped" ? `: ${outcome.reason}` : ""}`);
    },
    ...overrides,
  };
  try {
    await applyRetention(plan, tools);
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error;
    lines.push(error.message);
  }
  return lines;
}

const EVERYTHING = [
  "deleted snapshot 0",
  "deleted wal 0",
  "deleted wal 1",
  "deleted generation bb",
  "deleted generation cc",
];

for (const layout of ["raw", "litestream"] as const) {
  Deno.test(`applyRetention() does what the plan says, and leaves nothing for the next one (${layout})`, () =>
    withTemporaryFolder(async (folder) => {
      const root = await aReplica(folder, layout);
      const store = () => aStore(root, layout);
      assertEquals(await apply(await planFor(store()), root, { store: store() }), EVERYTHING);
      const [left, ...others] = await examineGenerations(store());
      assertEquals([left?.restorable, others], ["whole", []]);
      assertEquals(left?.catalog.snapshots.map(({ index }) => Number(index)), [2, 3]);
      assertEquals(left?.catalog.wals.map(({ index }) => Number(index)), [2, 3]);
      assertEquals((await planFor(store())).deletions, []);
    }));
}

Deno.test("applyRetention() stops between two deletions, and the next plan goes on from there", () =>
  withTemporaryFolder(async (folder) => {
    const root = await aReplica(folder);
    const abort = new AbortController();
    const lines: string[] = [];
    await apply(await planFor(aStore(root)), root, {
      signal: abort.signal,
      note: ({ kind, deletion }) => {
        lines.push(`${kind} ${deletion.kind}`);
        if (lines.length === 2) abort.abort();
      },
    });
    assertEquals(lines, ["deleted snapshot", "deleted wal"]);
    assertEquals(await apply(await planFor(aStore(root)), root), EVERYTHING.slice(2));
  }));

Deno.test("applyRetention() leaves a foreign generation to which somebody wrote after the plan", () =>
  withTemporaryFolder(async (folder) => {
    const root = await aReplica(folder);
    const plan = await planFor(aStore(root));
    await new ReplicaBuilder(root, { generation: "00000000000000bb", startMs: NOW - HOUR }).snapshot(
      1,
      0,
      imageOf(4096, 2),
    );
    const lines = await apply(plan, root);
    assertMatch(lines[3] ?? "", /^skipped generation bb: somebody wrote to it meanwhile, at \S+Z$/);
    assertEquals(lines[4], "deleted generation cc");
    assertEquals((await aStore(root).generations()).length, 2);
  }));

Deno.test("applyRetention() leaves a foreign generation in which a snapshot is being made", () =>
  withTemporaryFolder(async (folder) => {
    const root = await aReplica(folder);
    const plan = await planFor(aStore(root));
    const draft = `${root}/generations/00000000000000cc/snapshots/snapshot.tmp`;
    Deno.writeTextFileSync(draft, "half");
    Deno.utimeSync(draft, new Date(NOW), new Date(NOW - HOUR));
    assertMatch((await apply(plan, root))[4] ?? "", /^skipped generation cc: somebody wrote to it meanwhile/);
  }));

Deno.test("applyRetention() removes no other generation once the one that was to remain is gone", () =>
  withTemporaryFolder(async (folder) => {
    const root = await aReplica(folder);
    const plan = await planFor(aStore(root));
    await aStore(root).removeGeneration(asGeneration(OURS));
    const why = `generation ${OURS} was to remain, and can no longer be restored`;
    assertEquals((await apply(plan, root)).slice(3), [
      `skipped generation bb: ${why}`,
      `skipped generation cc: ${why}`,
    ]);
    assertEquals((await aStore(root).generations()).length, 2);
  }));

Deno.test("applyRetention() ends with the error of the device, and says what was done before", () =>
  withTemporaryFolder(async (folder) => {
    const root = await aReplica(folder);
    const gone = new ReplicationError("unavailable", "Cannot remove: the device is gone");
    const failing = Object.assign(aStore(root), { removeWal: () => Promise.reject(gone) });
    assertEquals(await apply(await planFor(aStore(root)), root, { store: failing }), [
      "deleted snapshot 0",
      "Cannot remove: the device is gone",
    ]);
    assertEquals(await apply(await planFor(aStore(root)), root), EVERYTHING.slice(1));
  }));

Deno.test("two that apply one plan side by side do not disturb each other", () =>
  withTemporaryFolder(async (folder) => {
    const root = await aReplica(folder);
    const plan = await planFor(aStore(root));
    const both = await Promise.all([apply(plan, root), apply(plan, root)]);
    assertEquals(both, [EVERYTHING, EVERYTHING]);
    assertEquals((await examineGenerations(aStore(root))).map(({ restorable }) => restorable), ["whole"]);
  }));

Deno.test("applyRetention() throws what is no error of the device", () =>
  withTemporaryFolder(async (folder) => {
    const root = await aReplica(folder);
    const broken = Object.assign(aStore(root), { removeSnapshot: () => Promise.reject(new TypeError("broken")) });
    const plan = await planFor(aStore(root));
    await assertRejects(() => apply(plan, root, { store: broken }), TypeError);
  }));
