/** All of a history is proven, not its newest state alone: what is exchanged, moved or forged in it is told, and named. */
import type { Layout } from "../../lib/position/object_names.ts";
import { formatIndex, type Index } from "../../lib/position/position.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import type { ReplicaReport } from "../../lib/verify/report.ts";
import { verifyReplica } from "../../lib/verify/verify.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type Exchange, EXCHANGES, exchangeScene, takeFromOther } from "../support/exchanged_history.ts";
import { NEWEST_UP_TO_EQUAL } from "../support/ladder_options.ts";
import { manyCommits } from "../support/many_commits.ts";
import { RecordedDatabase, type RecordingOptions } from "../support/recorded_database.ts";
import { aStore } from "../support/replica_builder.ts";
import { withoutHomes } from "../support/older_records.ts";
import { restoreTools } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const LAYOUTS = ["raw", "litestream"] as const;
const HISTORY = { actions: 40, restarts: 25, snapshots: 15, pageSize: 1024, hasChecksums: true } as const;
const ELSEWHERE = "00000000000000bb";

async function verify(folder: string, store: GenerationStore): Promise<ReplicaReport> {
  const scratch = `${folder}/scratch`;
  Deno.mkdirSync(scratch, { recursive: true });
  const clock = Object.assign(new SystemClock(), { sleep: () => Promise.resolve() }); // Nobody waits for the second look.
  const tools = { ...restoreTools({ clock }), folder: scratch, keep: false };
  const replica = { name: "file", store };
  const report = await verifyReplica({ replica, url: "file:///replica" }, NEWEST_UP_TO_EQUAL, tools);
  assertEquals([...Deno.readDirSync(scratch)], []);
  return report;
}

function problems({ findings }: ReplicaReport): string {
  return findings.map(({ problem }) => problem).join("\n");
}

async function recorded(folder: string, options: Partial<RecordingOptions>): Promise<RecordedDatabase> {
  Deno.mkdirSync(folder, { recursive: true });
  return await RecordedDatabase.make(folder, { ...HISTORY, seed: 1, ...options });
}

Deno.test("verifyReplica() tells some of a thousand records that are wrong, and how many more there are", () =>
  withTemporaryFolder(async (folder) => {
    for (const layout of LAYOUTS) {
      await manyCommits(`${folder}/${layout}`, layout, { commits: 1_000, databasePages: 3 });
      const told = (await verify(folder, aStore(`${folder}/${layout}`, layout))).findings
        .filter(({ rung }) => rung === "intact").map(({ problem }) => problem);
      assertEquals(told.length, 17, told.join("\n"));
      assertMatch(told[0] ?? "", /the record that ends at 568 says 3 pages \(expected 2, as its last frame says\)$/);
      assertMatch(told[16] ?? "", /: 984 more of its records say what is not so$/);
    }
  }));

for (const layout of LAYOUTS) {
  for (const [seed, pageSize] of [[1, 1024], [2, 4096], [3, 512], [4, 1024]] as const) {
    Deno.test(`verifyReplica() proves every record of a ${layout} history with pages of ${pageSize} bytes, seed ${seed}`, () =>
      withTemporaryFolder(async (folder) => {
        const { replica, points } = await recorded(folder, { seed, pageSize, layout });
        const report = await verify(folder, replica.store);
        assertEquals(problems(report), "");
        const { snapshots, wals } = await replica.store.catalog(replica.generation);
        const closed = wals.filter(({ lastRecord }) => lastRecord?.indexClosed === true);
        // Of the first snapshot there is nothing else to compare with, unless it was taken behind a commit.
        const states = points.length + closed.length + snapshots.length - 1;
        const says = report.rungs.find(({ rung }) => rung === "intact")?.says ?? "";
        assertStringIncludes(says, `; ${states} recorded states have the source's checksum`);
      }));
  }

  for (const exchange of EXCHANGES.filter(({ layouts }) => layouts.includes(layout))) {
    for (const version of [1, 2]) {
      Deno.test(`verifyReplica() tells ${exchange.kind} in a ${layout} history of version ${version}, and names it`, () =>
        withTemporaryFolder(async (folder) => {
          const { replica } = await recorded(folder, { layout });
          await expectTold(folder, exchange, version, aStore(replica.root, layout), replica.root);
        }));
    }
  }

  for (const whose of ["another database", "another generation"] as const) {
    for (const version of [1, 2]) {
      Deno.test(`verifyReplica() tells an index that is ${whose}'s in a ${layout} history of version ${version}`, () =>
        withTemporaryFolder(async (folder) => {
          const { replica } = await recorded(folder, { layout });
          const seed = whose === "another database" ? 9 : 1;
          const other = await recorded(`${folder}/other`, { layout, seed, replica: { generation: ELSEWHERE } });
          const apply: Exchange["apply"] = (scene) =>
            takeFromOther(scene, other.replica.root, other.replica.generation);
          const named: Exchange["named"] = ({ older }) => older;
          const exchange = { kind: whose, layouts: LAYOUTS, named, apply };
          await expectTold(folder, exchange, version, aStore(replica.root, layout), replica.root);
        }));
    }
  }
}

async function expectTold(
  folder: string,
  { apply, named, isOddInVersion1 = false }: Exchange,
  version: number,
  store: GenerationStore,
  root: string,
): Promise<void> {
  const [generation] = await store.generations();
  assert(generation !== undefined);
  const scene = await exchangeScene(root, store, generation);
  await apply(scene);
  await store.rest?.();
  const { layout } = scene;
  if (version === 1) withoutHomes(root);
  const report = await verify(folder, aStore(root, layout));
  const isOdd = version === 1 && isOddInVersion1;
  assertEquals(report.outcome, isOdd ? "pass" : "fail", problems(report));
  const told = isOdd ? report.suspicions.join("\n") : problems(report);
  assertMatch(told, new RegExp(named(scene).map((index) => namesOf(layout, index)).join("|")));
}

function namesOf(layout: Layout, index: Index): string {
  return layout === "raw" ? `${formatIndex(index)}\\.` : `/${index.toString(16).padStart(8, "0")}[._]`;
}
