import { ReplicationError } from "../../lib/base/errors.ts";
import { createLogger } from "../../lib/base/log.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import type { Generation } from "../../lib/position/generation.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { comparePositions } from "../../lib/position/position.ts";
import { FileReplicator } from "../../lib/replica/file_replicator.ts";
import type { UpkeepPolicy } from "../../lib/replica/upkeep.ts";
import { gatherFacts } from "../../lib/restore/gather.ts";
import { planRestore } from "../../lib/restore/plan.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { LitestreamStore } from "../../lib/store/litestream_store.ts";
import { RawStore } from "../../lib/store/raw_store.ts";
import { GENERATION, ShadowStage } from "../database/shadow_stage.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";
import { imageOf } from "../support/wal_builder.ts";
import { FaultyClient } from "./faulty_client.ts";
import { ShadowSource } from "./shadow_source.ts";

const HOUR = 3_600_000;
const POLICY: UpkeepPolicy = { retentionMs: 24 * HOUR, retentionCheckIntervalMs: HOUR, snapshotIntervalMs: 0 };
const FOREIGN = "00000000000000bb" as Generation;

class Stage {
  readonly clock = new SimulatedClock(Date.now());
  readonly lines: string[] = [];
  readonly source: ShadowSource;
  readonly root: string;
  readonly client: FaultyClient;
  readonly store: GenerationStore;
  readonly replicator: FileReplicator;
  readonly layout: Layout;
  /** Whether the loop waits for time to pass at all. */
  readonly sleeps: boolean;

  constructor(shadow: ShadowStage, layout: Layout, policy: UpkeepPolicy) {
    this.layout = layout;
    this.sleeps = policy.retentionMs > 0;
    this.source = new ShadowSource(shadow);
    this.source.nowMs = () => this.clock.now().getTime();
    this.root = `${shadow.folder}/replica`;
    this.client = new FaultyClient(new FileReplicaClient(shadow.files, this.root));
    this.store = layout === "raw" ? new RawStore(this.client) : new LitestreamStore(this.client);
    this.replicator = new FileReplicator({
      source: this.source,
      store: this.store,
      place: this.root,
      clock: this.clock,
      log: createLogger({
        level: "info",
        format: "text",
        now: () => new Date(0),
        writeLine: (line) => this.lines.push(line.slice("1970-01-01T00:00:00.000Z ".length)),
      }),
      syncIntervalMs: 0,
      upkeep: policy,
    });
  }

  /** Everything is replicated, and the loop waits for a change or for time to pass. */
  async calm(): Promise<void> {
    await until(() => {
      const captured = this.source.position();
      const { position } = this.replicator;
      const isCaughtUp = position?.generation === captured.generation && comparePositions(position, captured) >= 0;
      return isCaughtUp && (this.clock.sleeping > 0 || !this.sleeps);
    }, `the replica to be caught up and calm:\n${this.lines.join("\n")}`);
  }

  /** Begins the next index with one transaction. */
  async nextIndex(): Promise<void> {
    this.source.closeIndex();
    await this.write();
  }

  async write(): Promise<void> {
    this.source.capture(this.source.stage.life(2), 2);
    await this.calm();
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.calm();
  }

  async held(generation: Generation = GENERATION): Promise<readonly [snapshots: number[], wals: number[]]> {
    const { snapshots, wals } = await this.another().catalog(generation);
    return [snapshots.map(({ index }) => Number(index)), wals.map(({ index }) => Number(index))];
  }

  async holds(snapshots: number[], wals: number[]): Promise<void> {
    let seen = "";
    const wanted = JSON.stringify([snapshots, wals]);
    await until(async () => {
      seen = JSON.stringify(await this.held());
      return seen === wanted;
    }, `the replica to hold ${wanted}:\n${this.lines.join("\n")}`).catch((error) => {
      throw new Error(`It holds ${seen}`, { cause: error });
    });
    await this.calm();
  }

  another(): GenerationStore {
    const client = new FileReplicaClient(this.source.stage.files, this.root);
    return this.layout === "raw" ? new RawStore(client) : new LitestreamStore(client);
  }

  /** The newest position that a restore reaches is the captured one. */
  async isRestorable(): Promise<void> {
    const target = { kind: "latest", generation: GENERATION } as const;
    const plan = planRestore(await gatherFacts(this.another(), target), target);
    assert(plan.kind === "plan", plan.kind === "refused" ? plan.problem : "");
    const { index, offset } = this.source.position();
    assertEquals([plan.end.index, plan.end.offset], [index, offset]);
  }

  saying(text: string): string[] {
    return this.lines.filter((line) => line.includes(text));
  }
}

function test(name: string, policy: Partial<UpkeepPolicy>, work: (stage: Stage) => Promise<void>): void {
  for (const layout of ["raw", "litestream"] as const) {
    Deno.test({
      name: `FileReplicator (${layout}) ${name}`,
      timeout: 30_000,
      fn: () =>
        ShadowStage.with(async (shadow) => {
          const stage = new Stage(shadow, layout, { ...POLICY, ...policy });
          try {
            stage.source.capture(shadow.life(2), 2);
            await stage.replicator.start();
            await stage.calm();
            await work(stage);
          } finally {
            await stage.replicator.stop();
            stage.source.shadow.close();
          }
        }),
    });
  }
}

test("makes a snapshot when the newest is older than the interval, in an index without one", {
  snapshotIntervalMs: 6 * HOUR,
}, async (stage) => {
  await stage.pass(5 * HOUR);
  await stage.nextIndex();
  assertEquals(await stage.held(), [[0], [0, 1]]);
  await stage.pass(HOUR);
  await stage.holds([0, 1], [0, 1]);
  await stage.isRestorable();
  assertMatch(stage.saying("Making a snapshot").at(-1) ?? "", /as long ago as snapshot-interval says/);
  await stage.pass(7 * HOUR); // Nothing was written since: no other is needed.
  await stage.nextIndex();
  await stage.holds([0, 1, 2], [0, 1, 2]);
  assertEquals([stage.source.images, stage.source.pauses, stage.replicator.trouble], [3, 0, undefined]);
});

test("never makes a snapshot where there is one, but in the next index", {
  snapshotIntervalMs: 6 * HOUR,
}, async (stage) => {
  const life = stage.source.stage.life(2, 2);
  await stage.nextIndex();
  await stage.pass(6 * HOUR);
  await stage.holds([0, 1], [0, 1]);
  stage.source.closeIndex();
  stage.source.capture(life, 2);
  await stage.calm();
  await stage.pass(6 * HOUR);
  await stage.holds([0, 1, 2], [0, 1, 2]);
  await stage.pass(12 * HOUR);
  stage.source.capture(life, 4);
  await stage.calm();
  assertEquals(stage.source.images, 3);
  await stage.nextIndex();
  await stage.holds([0, 1, 2, 3], [0, 1, 2, 3]);
});

test(
  "makes a snapshot when none is retained, and removes what lies before it when that is old too",
  {},
  async (stage) => {
    await stage.nextIndex();
    await stage.nextIndex();
    await stage.pass(24 * HOUR - 1);
    assertEquals(stage.source.images, 1);
    await stage.pass(HOUR);
    await stage.holds([0, 2], [0, 1, 2]);
    await stage.isRestorable();
    await stage.pass(HOUR);
    await stage.holds([0, 2], [0, 1, 2]); // What lies between the two is within the retention.
    await stage.pass(24 * HOUR);
    await stage.holds([2], [2]);
    await stage.isRestorable();
    await stage.nextIndex();
    await stage.holds([2, 3], [2, 3]);
    assertMatch(stage.saying("Retention removed").join("\n"), /snapshots=1 wal_indexes=2/);
  },
);

test("checks no retention where it is 0", { retentionMs: 0 }, async (stage) => {
  await stage.nextIndex();
  stage.clock.advance(900 * HOUR);
  await stage.nextIndex();
  await stage.nextIndex();
  assertEquals([await stage.held(), stage.source.images], [[[0], [0, 1, 2, 3]], 1]);
});

test("goes on replicating while it makes a scheduled snapshot", { snapshotIntervalMs: HOUR }, async (stage) => {
  const { source, replicator, client, clock } = stage;
  await stage.nextIndex();
  const life = source.stage.life(2);
  source.duringImage = () => {
    source.duringImage = () => {};
    source.closeIndex();
    source.capture(life, 2);
    clock.advance(200);
  };
  const seen: unknown[] = [];
  client.judge = (kind, key) => {
    if (kind === "write" && key.includes("/snapshots/")) seen.push(stage.layout === "raw" ? replicator.position : "-");
    return undefined;
  };
  await stage.pass(HOUR);
  await stage.holds(stage.layout === "raw" ? [0, 2] : [0, 1], [0, 1, 2]);
  assertEquals(seen, [stage.layout === "raw" ? source.position() : "-"]);
  await stage.isRestorable();
});

test("breaks a scheduled snapshot off when it is stopped", { snapshotIntervalMs: HOUR }, async (stage) => {
  await stage.nextIndex();
  let stopped: Promise<boolean> | undefined;
  stage.source.duringImage = () => {
    stopped ??= stage.replicator.finish(stage.source.position());
  };
  stage.clock.advance(HOUR);
  await until(() => stopped !== undefined, "the snapshot to begin");
  assertEquals(await stopped, true);
  assertEquals([await stage.held(), stage.saying("ERROR")], [[[0], [0, 1]], []]);
  const names = [...Deno.readDirSync(`${stage.root}/generations/${GENERATION}/snapshots`)].map(({ name }) => name);
  assert(names.every((name) => !name.endsWith(".tmp")), names.join());
});

test("tries a snapshot that failed again at the next interval, and goes on meanwhile", {
  snapshotIntervalMs: 6 * HOUR,
}, async (stage) => {
  await stage.nextIndex();
  stage.source.duringImage = () => {
    throw new ReplicationError("unavailable", "Cannot read the database: it is away", { advice: "mount it" });
  };
  stage.clock.advance(6 * HOUR);
  await until(() => stage.saying("it is away").length === 1, "the error to be said");
  await stage.nextIndex();
  assertEquals([stage.replicator.trouble, stage.saying("it is away").length], [undefined, 1]);
  assertEquals(await stage.held(), [[0], [0, 1, 2]]);
  assertEquals(stage.replicator.upkeepTrouble, "Cannot read the database: it is away");
  assertEquals(stage.replicator.advice, "mount it");
  stage.source.duringImage = () => {};
  await stage.pass(HOUR);
  await stage.holds([0, 2], [0, 1, 2]);
  await until(() => stage.replicator.upkeepTrouble === undefined, "the trouble to be over");
  assertEquals(stage.saying("it is away").length, 1);
});

test("logs a retention check that fails, and checks again at the next interval", {}, async (stage) => {
  const foreign = await aForeign(stage);
  Deno.renameSync(`${foreign}/wal`, `${foreign}/elsewhere`);
  Deno.symlinkSync(`${foreign}/elsewhere`, `${foreign}/wal`);
  await stage.pass(HOUR);
  await until(() => stage.saying("ERROR").length === 1, "the error to be said");
  assertEquals(stage.replicator.trouble, undefined);
  assertMatch(stage.replicator.upkeepTrouble ?? "", /it is a symbolic link/);
  await stage.nextIndex();
  await stage.pass(HOUR);
  await until(() => stage.saying("ERROR").length === 2, "the error to be said again");
  Deno.removeSync(`${foreign}/wal`);
  Deno.renameSync(`${foreign}/elsewhere`, `${foreign}/wal`);
  await stage.pass(50 * HOUR);
  await until(() => stage.saying("Retention removed a generation").length === 1, "the generation to go");
  assertEquals(await stage.another().generations(), [GENERATION]);
  await until(() => stage.replicator.upkeepTrouble === undefined, "the trouble to be over");
});

test("removes another host's generation when nothing came for retention and a day", {}, async (stage) => {
  await aForeign(stage);
  await stage.pass(47 * HOUR);
  await stage.nextIndex();
  assertEquals((await stage.another().generations()).length, 2);
  await stage.pass(2 * HOUR);
  await until(async () => (await stage.another().generations()).length === 1, "the generation to go");
  assertMatch(stage.saying("Retention removed a generation")[0] ?? "", /nothing was written since/);
  await stage.isRestorable();
});

test("makes space by retention on a replica that has none left", {}, async (stage) => {
  await stage.nextIndex();
  await stage.pass(25 * HOUR);
  await stage.holds([0, 1], [0, 1]);
  const old = stage.layout === "raw" ? "0000000000000000.wal" : "00000000_00000000.wal.lz4";
  const isFull = () =>
    [...Deno.readDirSync(`${stage.root}/generations/${GENERATION}/wal`)].some(({ name }) => name === old);
  stage.client.judge = (kind, key) =>
    kind !== "assemble" && key.includes("/wal/") && isFull()
      ? { at: "before", error: new ReplicationError("no-space", "Cannot write: the device is full") }
      : undefined;
  stage.source.closeIndex();
  stage.source.capture(stage.source.stage.life(2), 2);
  await until(() => stage.replicator.trouble !== undefined, "the trouble");
  await until(() => stage.clock.sleeping > 0, "the pause before another try");
  stage.clock.advance(25 * HOUR);
  await until(() => !isFull(), "space to be made");
  await until(() => stage.clock.sleeping > 0, "the pause before another try");
  await stage.pass(20_000);
  await stage.holds([1, 2], [1, 2]);
  assertEquals(stage.replicator.trouble, undefined);
});

/** A generation of another host, written now. */
async function aForeign(stage: Stage): Promise<string> {
  const options = { generation: FOREIGN, layout: stage.layout, startMs: stage.clock.now().getTime() - HOUR };
  await new ReplicaBuilder(stage.root, options).snapshot(0, 0, imageOf(4096, 1));
  const base = `${stage.root}/generations/${FOREIGN}`;
  Deno.mkdirSync(`${base}/wal`, { recursive: true });
  return base;
}
