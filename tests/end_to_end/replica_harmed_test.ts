/**
 * Somebody harms a replica while nothing is written: everybody who is asked says that it is not safe until the daemon has
 * mended it, which it does by itself, and the log says what of the history is lost.
 */
import { DatabaseSync } from "node:sqlite";
import type { Layout } from "../../lib/position/object_names.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type Daemon, startReplicate, until } from "../support/daemon.ts";
import { comparePages } from "../support/database_image.ts";
import { THINGS } from "../support/things.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

/** Larger than any file may become while the mend is held up. */
const BALLAST_BYTES = 3_000_000;
const HELD_UP_BYTES = 1 << 20;
/** A signal for files that become too large, which ends a process, is not what this is about. */
const UNHARMED_BY_LIMITS = ["sh", "-c", `trap '' XFSZ; exec "$0" "$@"`];

interface Harm {
  readonly what: string;
  readonly harm: (scene: Scene, generation: string) => void;
  /** What status finds by itself, when the daemon has not looked yet. */
  readonly shown: RegExp;
  /** What of the history is lost, as the log says it. */
  readonly lost: RegExp;
}

const HARMS: readonly Harm[] = [
  {
    what: "holds the history of another database in its place",
    harm: ({ folder, replica }) => {
      Deno.renameSync(replica, `${replica}-away`);
      Deno.renameSync(`${folder}/other-replica`, replica);
    },
    shown: /^it no longer holds what was written to it$/,
    lost: /; states before \S+ are lost$/,
  },
  {
    what: "has lost an index in its middle",
    harm: ({ replica }, generation) => {
      const folder = `${replica}/generations/${generation}/wal`;
      for (const { name } of Deno.readDirSync(folder)) if (/^0*2[._]/.test(name)) Deno.removeSync(`${folder}/${name}`);
    },
    shown: /^generations\/\S+\/wal\/0*2\S* is missing \(expected every index from /,
    lost: /; states before \S+ are lost, but for those up to [0-9a-f]{16}\/0{15}1:\d+$/,
  },
  {
    what: "has lost its only snapshot",
    harm: ({ replica }, generation) => {
      const folder = `${replica}/generations/${generation}/snapshots`;
      for (const { name } of Deno.readDirSync(folder)) Deno.removeSync(`${folder}/${name}`);
    },
    shown: /^generations\/\S+\/snapshots\/0*0\.snapshot\S* is missing \(expected the snapshot /,
    lost: /; states before \S+ are lost$/,
  },
  {
    what: "was emptied",
    harm: ({ replica }, generation) => Deno.removeSync(`${replica}/generations/${generation}`, { recursive: true }),
    shown: /^it no longer holds what was written to it$/,
    lost: /; states before \S+ are lost$/,
  },
];

function configOf(scene: Scene, replicaKeys: string): string {
  const config = `${scene.folder}/tailrace.yml`;
  const replica = `{path: ${scene.replica}, layout: ${scene.layout}, sync-interval: 0s, ${replicaKeys}}`;
  Deno.writeTextFileSync(config, `addr: 127.0.0.1:0\ndbs: [{path: ${scene.database}, replicas: [${replica}]}]\n`);
  return config;
}

/** A replica of another database, of the same layout, beside ours. */
async function makeOther(scene: Scene): Promise<void> {
  const path = `${scene.folder}/other.db`;
  using other = new DatabaseSync(path);
  other.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(n); INSERT INTO t VALUES(1)");
  const config = `${scene.folder}/other.yml`;
  const replica = `{path: ${scene.folder}/other-replica, layout: ${scene.layout}}`;
  Deno.writeTextFileSync(config, `dbs: [{path: ${path}, replicas: [${replica}]}]\n`);
  assertEquals((await runTailrace(["replicate", "--once", "--config", config])).code, 0);
}

/** Several indexes on the replica behind one snapshot, everything replicated and proven, and nobody writes any more. */
async function replicateAll(scene: Scene, config: string): Promise<Daemon> {
  await makeOther(scene);
  const application = scene.application();
  application.exec(`INSERT INTO entry(body) VALUES(randomblob(${BALLAST_BYTES}))`);
  application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const daemon = startReplicate(["--config", config], { wrapper: UNHARMED_BY_LIMITS });
  await daemon.line("Snapshot done");
  for (let index = 0; index < 3; index++) {
    insert(application, 2);
    await until(() => application.prepare("PRAGMA wal_checkpoint(RESTART)").get()?.["busy"] === 0, "a checkpoint");
    insert(application, 1);
    await scene.replicated();
  }
  assertEquals((await runTailrace(["verify", "--config", config])).code, 0);
  await until(async () => (await statusOf(config)).code === 0, "status to say that all is safe");
  return daemon;
}

async function statusOf(config: string): Promise<{ code: number; problem: string; advice: string; grade: string }> {
  const { code, stdout } = await runTailrace(["status", "--json", "--config", config]);
  const [first] = JSON.parse(stdout).problems;
  return { code, problem: first?.problem ?? "", advice: first?.advice ?? "", grade: first?.grade ?? "" };
}

interface Told {
  readonly status: number;
  readonly replica: { readonly condition: string; readonly problem: string | null; readonly cause: string | null };
  readonly metrics: string;
}

async function told(daemon: Daemon): Promise<Told> {
  const address = /metrics=(http:\S+)\/metrics/.exec(await daemon.line("Serving metrics and health"))?.[1] ?? "";
  const health = await fetch(`${address}/health`);
  const { databases: [{ replicas: [replica] }] } = JSON.parse(await health.text());
  return { status: health.status, replica, metrics: await (await fetch(`${address}/metrics`)).text() };
}

/** Resolves when a look at the replica has ended. */
async function nextLook(daemon: Daemon): Promise<void> {
  const lastLook = async () =>
    /^tailrace_replica_last_look_timestamp_seconds\S* (\S+)$/m.exec((await told(daemon)).metrics)?.[1];
  const before = await lastLook();
  await until(async () => await lastLook() !== before, "a look at the replica");
}

function limitFileSize(daemon: Daemon, limit: number | "unlimited"): void {
  const words = ["--pid", String(daemon.pid), `--fsize=${limit}:unlimited`];
  assertEquals(new Deno.Command("prlimit", { args: words }).outputSync().code, 0);
}

/** What the real program restores by itself is the database, page by page. */
async function expectRestored(scene: Scene): Promise<void> {
  const output = `${scene.folder}/restored.db`;
  const { code, stderr } = await runTailrace(["restore", "-o", output, `file://${scene.replica}`]);
  assertEquals(code, 0, stderr);
  assertEquals(comparePages(scene.image(), Deno.readFileSync(output)).different, []);
}

async function generationOf(scene: Scene): Promise<string> {
  return (await scene.generations()).at(-1) ?? "";
}

function harmed(name: string, layout: Layout, fn: (scene: Scene) => Promise<void>): void {
  Deno.test({ name: `an idle replica (${layout}) that ${name}`, timeout: 120_000, fn: () => withScene(fn, layout) });
}

for (const layout of ["raw", "litestream"] as const) {
  for (const { what, harm, shown, lost } of HARMS) {
    harmed(`${what} is trouble until the daemon has mended it by itself`, layout, async (scene) => {
      const config = configOf(scene, "replica-check-interval: 50ms");
      await using daemon = await replicateAll(scene, config);
      const generation = await generationOf(scene);
      limitFileSize(daemon, HELD_UP_BYTES);
      await daemon.whileStopped(() => harm(scene, generation));

      const said = await daemon.line("The replica can no longer be restored to its end: ");
      assertMatch(said, /; it is mended now$|; it is mended now .*replica=/);
      await daemon.line("the file would exceed the largest size allowed");
      const unmended = await told(daemon);
      assertEquals([unmended.status, unmended.replica.condition, unmended.replica.cause], [503, "trouble", "look"]);
      assertMatch(unmended.replica.problem ?? "", /^it can no longer be restored to its end: /);
      for (const series of ["restorable", "well"]) {
        assertMatch(unmended.metrics, new RegExp(`^tailrace_replica_${series}\\{.*\\} 0$`, "m"));
      }
      const { code, problem, grade } = await statusOf(config);
      assertEquals([code, grade], [4, "damaged"], problem);

      limitFileSize(daemon, "unlimited");
      const mended = await daemon.line("The replica can be restored to its end again");
      assertMatch(mended.replace(/ (database|replica)=\S+/g, ""), lost);
      await until(async () => (await told(daemon)).status === 200, "health to be well again");
      assertMatch((await told(daemon)).metrics, /^tailrace_replica_restorable\{.*\} 1$/m);
      assertEquals((await statusOf(config)).code, 0);
      assertEquals(await daemon.stop(), 0);
      await scene.end();
      await expectRestored(scene);
    });

    harmed(`${what} is found by status at once, whose advice mends it as it is printed`, layout, async (scene) => {
      const config = configOf(scene, "replica-check-interval: 24h");
      await using daemon = await replicateAll(scene, config);
      const generation = await generationOf(scene);
      await daemon.whileStopped(() => harm(scene, generation));
      const { code, problem, grade, advice } = await statusOf(config);
      assertEquals([code, grade], [4, "damaged"], problem);
      assertMatch(problem, shown);
      const wanted = `tailrace snapshot --config ${config} --replica file ${scene.database}`;
      assertEquals(advice, wanted);
      const [, ...words] = advice.split(" ");
      const { code: made, stderr } = await runTailrace(words);
      assertEquals(made, 0, stderr);
      await daemon.line("The replica can be restored to its end again");
      assertEquals((await statusOf(config)).code, 0);
      assertEquals(await daemon.stop(), 0);
      await scene.end();
      await expectRestored(scene);
    });
  }
}

for (const layout of ["raw", "litestream"] as const) {
  harmed("was harmed while no daemon runs is mended by what status advises", layout, async (scene) => {
    const config = configOf(scene, "replica-check-interval: 24h");
    await using daemon = await replicateAll(scene, config);
    assertEquals(await daemon.stop(), 0);
    HARMS.find(({ what }) => what.endsWith("in its middle"))?.harm(scene, await generationOf(scene));
    const { code, advice } = await statusOf(config);
    assertEquals([code, advice], [4, `tailrace snapshot --config ${config} --replica file ${scene.database}`]);
    assertEquals((await runTailrace(advice.split(" ").slice(1))).code, 0);
    assertEquals((await statusOf(config)).grade, "trouble"); // No daemon follows it, and nothing else.
    await scene.end();
    await expectRestored(scene);
  });

  harmed("was emptied since the last look is mended before the daemon ends with 0", layout, async (scene) => {
    const config = configOf(scene, "replica-check-interval: 24h");
    await using daemon = await replicateAll(scene, config);
    const generation = await generationOf(scene);
    await daemon.whileStopped(() => Deno.removeSync(`${scene.replica}/generations/${generation}`, { recursive: true }));
    assertEquals(await daemon.stop(), 0);
    assertEquals(daemon.saying("The replica can no longer be restored to its end").length, 1, daemon.text);
    await scene.end();
    await expectRestored(scene);
  });
}

harmed(
  "has lost a segment in the middle of its newest index is mended by the daemon by itself",
  "litestream",
  async (scene) => {
    const config = configOf(scene, "replica-check-interval: 50ms");
    await using daemon = await replicateAll(scene, config);
    const application = scene.application();
    for (let segment = 0; segment < 3; segment++) {
      insert(application, 1);
      await scene.replicated();
    }
    for (let look = 0; look < 2; look++) await nextLook(daemon); // The second one began after they were there.
    const folder = `${scene.replica}/generations/${await generationOf(scene)}/wal`;
    const segments = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => /^0*3_/.test(name)).sort();
    assert(segments.length >= 3, segments.join());
    await daemon.whileStopped(() => Deno.removeSync(`${folder}/${segments[1]}`));
    await daemon.line(`wal/00000003_*.wal.lz4: 1 of ${segments.length} segments that were there is missing`);
    // It is written once more from the shadow WAL.
    assertMatch(await daemon.line("The replica can be restored to its end again"), /; no state is lost/);
    const verified = await runTailrace(["verify", "--config", config]);
    assertEquals(verified.code, 0, verified.stdout);
    insert(application, 1);
    application.close();
    assertEquals(await daemon.stop(), 0);
    await expectRestored(scene);
  },
);

/** Nothing of it may be opened: who does so waits for ever, or reads without end. */
const ENDLESS = ["a pipe", "a full folder", "an endless link"];

for (const layout of ["raw", "litestream"] as const) {
  for (const thing of ENDLESS) {
    harmed(
      `has ${thing} in the place of its newest WAL ends nothing, and gets a new generation`,
      layout,
      async (scene) => {
        const config = configOf(scene, "replica-check-interval: 100ms");
        await using daemon = await replicateAll(scene, config);
        const generations = await scene.generations();
        const folder = `${scene.replica}/generations/${generations.at(-1)}/wal`;
        await daemon.whileStopped(() => {
          const newest = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => /\.wal/.test(name))
            .sort().at(-1);
          const [path, aside] = [`${folder}/${newest}`, `${scene.folder}/aside`];
          Deno.renameSync(path, aside);
          THINGS[thing]?.(path, aside);
        });
        const application = scene.application();
        insert(application, 20);
        // While it is mended, `snapshot` tells what it is mended for.
        await until(async () => (await scene.generations()).length > generations.length, "a new generation");
        const made = await runTailrace(["snapshot", "--config", config, scene.database]);
        assertEquals(made.code, 0, made.stderr);
        insert(application, 20);
        application.close();
        assertEquals(await daemon.stop(), 0, daemon.text);
        await expectRestored(scene);
      },
    );
  }
}

Deno.test({
  name:
    "a replica whose folder is empty may be one that is not mounted: it is trouble, and is begun anew on purpose only",
  timeout: 120_000,
  fn: () =>
    withScene(async (scene) => {
      const config = configOf(scene, "replica-check-interval: 50ms");
      await using daemon = await replicateAll(scene, config);
      await daemon.whileStopped(() => Deno.removeSync(`${scene.replica}/generations`, { recursive: true }));
      assertStringIncludes(await daemon.line("is it mounted?"), `mkdir -p ${scene.replica}/generations`);
      const { status, replica } = await told(daemon);
      assertEquals([status, replica.condition], [503, "trouble"]);
      assert(["look", "replication"].includes(replica.cause ?? ""), "whichever of the two met it last");
      assertEquals((await statusOf(config)).code, 1);
      assert(!Array.from(Deno.readDirSync(scene.replica)).some(({ name }) => name === "generations"));
      Deno.mkdirSync(`${scene.replica}/generations`);
      await daemon.line("The replica is well again");
      await until(async () => (await told(daemon)).status === 200, "health to be well again");
      assertEquals(await daemon.stop(), 0);
      await scene.end();
      await expectRestored(scene);
    }),
});
