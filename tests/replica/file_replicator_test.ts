import { ReplicationError } from "../../lib/base/errors.ts";
import { createLogger } from "../../lib/base/log.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { asIndex, asOffset, comparePositions } from "../../lib/position/position.ts";
import { FileReplicator } from "../../lib/replica/file_replicator.ts";
import { RawStore } from "../../lib/store/raw_store.ts";
import { assert, assertEquals, assertFalse, assertGreater, assertMatch, assertRejects } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { GENERATION, offsetOf, ShadowStage } from "../database/shadow_stage.ts";
import { type Fault, FaultyClient } from "./faulty_client.ts";
import { ShadowSource } from "./shadow_source.ts";

class Stage {
  readonly source: ShadowSource;
  readonly client: FaultyClient;
  readonly store: RawStore;
  readonly replicator: FileReplicator;
  readonly lines: string[] = [];
  readonly root: string;

  constructor(shadow: ShadowStage, syncIntervalMs: number, root = `${shadow.folder}/replica`) {
    this.source = new ShadowSource(shadow);
    this.root = root;
    this.client = new FaultyClient(new FileReplicaClient(shadow.files, this.root));
    this.store = new RawStore(this.client);
    this.replicator = this.another(syncIntervalMs);
  }

  another(syncIntervalMs = 0): FileReplicator {
    return new FileReplicator({
      source: this.source,
      store: this.store,
      place: this.root,
      clock: new SystemClock(),
      log: createLogger({
        level: "info",
        format: "text",
        now: () => new Date(0),
        writeLine: (line) => this.lines.push(line.slice("1970-01-01T00:00:00.000Z ".length)),
      }),
      syncIntervalMs,
    });
  }

  isCaughtUp(replicator = this.replicator): boolean {
    const captured = this.source.position();
    const { position } = replicator;
    return captured !== undefined && position !== undefined && position.generation === captured.generation &&
      comparePositions(position, captured) >= 0;
  }

  caughtUp(replicator = this.replicator): Promise<void> {
    return until(() => this.isCaughtUp(replicator), `the replica to be caught up:\n${this.lines.join("\n")}`);
  }

  wal(index = 0, generation = GENERATION): Uint8Array {
    return Deno.readFileSync(`${this.root}/generations/${generation}/wal/${`${index}`.padStart(16, "0")}.wal`);
  }

  errors(): readonly string[] {
    return this.lines.filter((line) => line.startsWith("ERROR"));
  }
}

function test(name: string, work: (stage: Stage) => Promise<void>, syncIntervalMs = 0): void {
  Deno.test({
    name: `FileReplicator ${name}`,
    timeout: 20_000,
    fn: () =>
      ShadowStage.with(async (shadow) => {
        const stage = new Stage(shadow, syncIntervalMs);
        try {
          await work(stage);
        } finally {
          await stage.replicator.stop();
          stage.source.shadow.close();
        }
      }),
  });
}

test("has the name of its type when none is given, and no position before it has begun", async (stage) => {
  const { replicator } = stage;
  assertEquals([replicator.name, replicator.type, replicator.position], ["file", "file", undefined]);
  assertFalse(replicator.isSnapshotting);
  assertFalse(stage.isCaughtUp());
  await replicator.stop();
});

test("makes a snapshot, then copies WAL and records, index after index, as they come", async (stage) => {
  const { source, replicator } = stage;
  const [first, second] = [source.stage.life(2, 1), source.stage.life(1, 1)];
  source.capture(first, 2);
  await replicator.start();
  await stage.caughtUp();
  assertEquals(source.images, 1);
  assertEquals(stage.wal(), first.slice(0, offsetOf(2)));
  source.capture(first, 3);
  await stage.caughtUp();
  assertEquals(stage.wal(), first);
  source.closeIndex();
  source.capture(second, 2);
  await stage.caughtUp();
  assertEquals(stage.wal(1), second);
  const records = await stage.store.records(GENERATION, asIndex(0));
  assertEquals(records.map(({ end, indexClosed }) => [end, indexClosed]), [
    [asOffset(offsetOf(2)), false],
    [asOffset(offsetOf(3)), false],
    [asOffset(offsetOf(3)), true],
  ]);
  assertEquals(replicator.position, source.position());
  assertEquals(source.images, 1);
});

test("is snapshotting from its start until a snapshot exists, and then never again", async (stage) => {
  const { source, replicator } = stage;
  const image = Promise.withResolvers<void>();
  source.duringImage = () => {
    assert(replicator.isSnapshotting);
    image.resolve();
  };
  await replicator.start();
  assertEquals([replicator.isSnapshotting, source.pauses], [true, 1]);
  await image.promise;
  await stage.caughtUp();
  assertEquals([replicator.isSnapshotting, source.pauses], [false, 0]);
  await replicator.start();
  await stage.caughtUp();
  assertEquals([replicator.isSnapshotting, source.pauses], [false, 0]);
  assertEquals(source.images, 1);
});

test("writes nothing that a restore would take for older than what ends in the future there", async (stage) => {
  const { source, replicator } = stage;
  const endsMs = Date.now() + 3_600_000;
  source.nowMs = () => endsMs;
  const wal = source.stage.life(2, 1);
  source.capture(wal, 3);
  await replicator.start();
  await stage.caughtUp();
  await replicator.stop();
  source.latestMs = -1; // The state was deleted, and the clock put right.
  source.nowMs = () => Date.now();
  await source.startGeneration("there is no earlier state");
  source.capture(source.stage.life(2, 1), 3);
  const again = stage.another();
  await again.start();
  await stage.caughtUp(again);
  await again.stop();
  assertMatch(source.begun.at(-1) ?? "", /^the replica holds a generation that ends in the future, at 20/);
  assertEquals([source.begun.length, source.notBeforeMs() >= endsMs], [2, true]);
  await again.start();
  await stage.caughtUp(again);
  await again.stop();
  assertEquals(source.begun.length, 2);
});

test("goes on at once, and says nothing, when a generation begins under a sync", async (stage) => {
  const { source, replicator } = stage;
  source.duringImage = () => {
    source.duringImage = () => {};
    source.startGeneration("the test wants it");
    throw new ReplicationError("unavailable", "Cannot read the generation: a new one has begun");
  };
  await replicator.start();
  await stage.caughtUp();
  assertEquals([stage.errors(), source.images, source.begun.length], [[], 2, 1]);
});

test("leaves the snapshotting state on errors too, leaves no half snapshot, and tries again", async (stage) => {
  const { source, replicator } = stage;
  let failures = 2;
  source.duringImage = () => {
    if (failures-- > 0) throw new ReplicationError("unavailable", "Cannot read the database: it is gone");
  };
  source.capture(source.stage.life(2), 2);
  await replicator.start();
  await until(() => replicator.trouble !== undefined, "trouble");
  assertEquals([replicator.isSnapshotting, source.pauses], [false, 0]);
  assertEquals([...Deno.readDirSync(`${stage.root}/generations/${GENERATION}/snapshots`)], []);
  await stage.caughtUp();
  assertEquals(source.images, 3);
  assertEquals(stage.errors().length, 1, stage.lines.join("\n"));
  await until(() => replicator.trouble === undefined, "the end of the trouble");
  assertMatch(stage.lines.join("\n"), /The replica is well again/);
});

test("goes on where it was after stop() and start(), and start() ends what ran before", async (stage) => {
  const { source, replicator } = stage;
  const wal = source.stage.life(2, 1, 1);
  source.capture(wal, 2);
  await replicator.start();
  await stage.caughtUp();
  await replicator.stop();
  assertEquals(replicator.position, undefined);
  source.capture(wal, 3);
  await replicator.start();
  await replicator.start();
  await stage.caughtUp();
  source.capture(wal, 4);
  await stage.caughtUp();
  assertEquals(stage.wal(), wal);
  assertEquals(source.images, 1);
});

test("continues a replica that another run has left, closing record included", async (stage) => {
  const { source } = stage;
  const [first, second] = [source.stage.life(2), source.stage.life(1, 1)];
  source.capture(first, 2);
  await stage.replicator.start();
  await stage.caughtUp();
  await stage.replicator.stop();
  source.closeIndex();
  for (const frames of [1, 2]) {
    source.capture(second, frames);
    const next = stage.another();
    await next.start();
    await stage.caughtUp(next);
    assert(await next.finish(source.position()));
    await next.stop();
  }
  const records = await stage.store.records(GENERATION, asIndex(0));
  assertEquals(records.map(({ indexClosed }) => indexClosed), [false, true]);
  assertEquals(stage.wal(1), second);
  assertEquals(source.images, 1);
});

test("follows a generation that changes while it runs", async (stage) => {
  const { source, replicator } = stage;
  source.capture(source.stage.life(2), 2);
  await replicator.start();
  await stage.caughtUp();
  await source.startGeneration("the test says so");
  const wal = source.stage.life(3);
  source.capture(wal, 3);
  await stage.caughtUp();
  assertEquals(replicator.position, source.position());
  assertEquals(stage.wal(0, source.shadow.generation), wal);
  assertEquals(source.images, 2);
  assertEquals(stage.errors(), []);
});

const noSpace = new ReplicationError("no-space", "Cannot write x: no space left on the device");

const faults: readonly (readonly [string, string, Fault["at"]])[] = [
  ["before it writes WAL", ".wal", "before"],
  ["after 1 byte of WAL", ".wal", 1],
  ["in the middle of a frame", ".wal", 700],
  ["at the end of a frame", ".wal", 536],
  ["when all WAL is written", ".wal", "after"],
  ["before it writes records", ".commits", "before"],
  ["in the middle of a record", ".commits", 30],
  ["when the records are written", ".commits", "after"],
];

for (const [when, suffix, at] of faults) {
  test(`retries, without a change, a device that fails ${when}, and says so once`, async (stage) => {
    const { source, replicator, client } = stage;
    const wal = source.stage.life(2, 1, 2, 1);
    source.capture(wal, 2);
    await replicator.start();
    await stage.caughtUp();
    let failures = 2;
    client.judge = (kind, key) =>
      kind !== "assemble" && key.endsWith(suffix) && failures-- > 0 ? { at, error: noSpace } : undefined;
    source.capture(wal, 5);
    await stage.caughtUp();
    assertGreater(client.failures, 0);
    assertEquals(stage.errors().length, 1, stage.lines.join("\n"));
    assertMatch(stage.errors().join(), /no space left on the device/);
    source.capture(wal, 6);
    await stage.caughtUp();
    assertEquals(stage.wal(), wal);
    const records = await stage.store.records(GENERATION, asIndex(0));
    assertEquals(records.at(-1)?.end, asOffset(offsetOf(6)));
    assertEquals([source.images, source.begun.length], [1, 0]);
  });
}

test("never claims a position that the device did not take", async (stage) => {
  const { source, replicator, client } = stage;
  const wal = source.stage.life(2, 1);
  source.capture(wal, 2);
  await replicator.start();
  await stage.caughtUp();
  const { position } = replicator;
  client.judge = () => ({ at: "before", error: noSpace });
  source.capture(wal, 3);
  await until(() => client.failures > 2, "failures");
  assertFalse(stage.isCaughtUp());
  assert(replicator.position === undefined || replicator.position.offset === position?.offset);
  const error = await assertRejects(() => replicator.finish(stage.source.position()), ReplicationError);
  assertEquals(error.code, "no-space");
  client.judge = () => undefined;
  assert(await replicator.finish(stage.source.position()));
  assert(stage.isCaughtUp());
});

test("waits for the sync interval, and then copies everything at once", async (stage) => {
  const { source, replicator } = stage;
  const wal = source.stage.life(...Array<number>(40).fill(1));
  source.capture(wal, 1);
  await replicator.start();
  await stage.caughtUp();
  for (let frames = 2; frames <= 40; frames++) {
    source.capture(wal, frames);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assertFalse(stage.isCaughtUp());
  await stage.caughtUp();
  assertEquals(stage.wal(), wal);
}, 150);

test("refuses a flipped bit in the shadow WAL, and begins anew", async (stage) => {
  const { source, replicator } = stage;
  const wal = source.stage.life(2, 1);
  source.capture(wal, 2);
  await replicator.start();
  await stage.caughtUp();
  await replicator.stop();
  source.capture(wal, 3);
  const path = source.stage.path("0000000000000000.wal");
  const damaged = Deno.readFileSync(path);
  damaged[offsetOf(2) + 100] = (damaged[offsetOf(2) + 100] ?? 0) ^ 1;
  Deno.writeFileSync(path, damaged);
  await replicator.start();
  await until(() => source.begun.length > 0, "a new generation");
  assertMatch(source.begun.join(), /a frame of the shadow WAL is damaged/);
  assertEquals(stage.wal(), wal.slice(0, offsetOf(2)));
});

test("begins anew beside a replica that is ahead, or that holds other WAL", async (stage) => {
  const { source, replicator } = stage;
  const wal = source.stage.life(2, 1, 1);
  source.capture(wal, 4);
  await replicator.start();
  await stage.caughtUp();
  await replicator.stop();
  const ahead = stage.wal();
  source.shadow.close();
  source.shadow = source.stage.create(); // The state of an earlier time.
  source.capture(wal, 2);
  await replicator.start();
  await until(() => source.begun.length > 0, "a new generation");
  assertEquals(source.begun, ["the replica is ahead of this host"]);
  await stage.caughtUp();
  await replicator.stop();

  source.shadow.close();
  source.shadow = source.stage.create();
  source.capture(source.stage.life(3, 3), 6);
  await replicator.start();
  await until(() => source.begun.length > 1, "another generation");
  assertEquals(source.begun[1], "the replica holds other WAL than this host captured");
  assertEquals(stage.wal(0, GENERATION as Generation), ahead);
});

test("begins anew beside another program that writes the same generation just now", async (stage) => {
  const { source, replicator } = stage;
  stage.client.rest = () => Promise.resolve(); // It goes on at once.
  const own = source.stage.life(1, 1);
  source.capture(own, 1);
  await replicator.start();
  await stage.caughtUp();
  await ShadowStage.with(async (shadow) => { // A copy of its state, of a machine that was cloned.
    const copy = new Stage(shadow, 0, stage.root);
    const others = shadow.life(1, 2);
    copy.source.capture(others, 1);
    await copy.replicator.start();
    await copy.caughtUp();
    assertEquals([copy.source.position(), copy.source.images], [source.position(), 0]);
    source.capture(own, 2);
    await stage.caughtUp();
    copy.source.capture(others, 3);
    await until(() => copy.source.begun.length > 0, "a generation of its own");
    assertMatch(copy.source.begun.join(), /^Cannot append to .*wal: another program writes there, too$/);
    copy.source.capture(others, 3);
    await copy.caughtUp();
    await copy.replicator.stop();
    copy.source.shadow.close();
  });
  assertEquals(stage.wal(), own);
  assertEquals(source.begun, []);
});

test("makes another snapshot where the shadow WAL no longer holds what the replica lacks", async (stage) => {
  const { source, replicator } = stage;
  const lives = [1, 2, 3].map(() => source.stage.life(2));
  source.capture(lives[0] ?? new Uint8Array(), 2);
  await replicator.start();
  await stage.caughtUp();
  await replicator.stop();
  for (const life of lives.slice(1)) {
    source.closeIndex();
    source.capture(life, 2);
  }
  source.shadow.syncNow();
  source.shadow.removeBefore(asIndex(2));
  await replicator.start();
  await stage.caughtUp();
  assertEquals([source.images, source.begun.length], [2, 0]);
  assertMatch(stage.lines.join("\n"), /the WAL at the replica's end is no longer at hand/);
  const { snapshots } = await stage.store.catalog(GENERATION);
  assertEquals(snapshots.map(({ index }) => index), [asIndex(0), asIndex(2)]);
});

test("finishes a snapshot that was cut off before its record", async (stage) => {
  const { source, replicator, client } = stage;
  source.capture(source.stage.life(2), 2);
  let failures = 1;
  client.judge = (_kind, key) =>
    key.endsWith(".record") && failures-- > 0 ? { at: "before", error: noSpace } : undefined;
  await replicator.start();
  await stage.caughtUp();
  const { snapshots } = await stage.store.catalog(GENERATION);
  assertEquals(snapshots.map(({ index, record }) => [index, record?.end]), [[asIndex(0), asOffset(offsetOf(2))]]);
});

test("refuses a snapshot that is asked for when nobody makes any more, and makes it once it is started", async (stage) => {
  const { source, replicator } = stage;
  source.capture(source.stage.life(1), 1);
  for (const end of [() => replicator.finish(undefined), () => replicator.stop()]) {
    await replicator.start();
    await stage.caughtUp();
    const position = await replicator.makeSnapshot(replicator.snapshotsMade - 1);
    assertEquals(position, replicator.position);
    await end();
    await assertRejects(() => replicator.makeSnapshot(0), ReplicationError, "replication is being stopped");
  }
});

test("tells whoever asked for a snapshot of a fault of the program, and makes the next one that was asked for", async (stage) => {
  const { source, replicator, client } = stage;
  source.capture(source.stage.life(1), 1);
  await replicator.start();
  await stage.caughtUp();
  source.closeIndex();
  let faults = 1;
  client.judge = (kind) =>
    kind === "assemble" && faults-- > 0 ? { at: "before", error: new TypeError("a fault") } : undefined;
  const asked = [1, 2].map(() => replicator.makeSnapshot(replicator.snapshotsMade));
  const [first, second] = await Promise.allSettled(asked);
  assertEquals(first?.status === "rejected" && first.reason.message, "a fault");
  assertEquals(second?.status, "fulfilled");
});

test("begins anew where the present index has a snapshot that does not serve, and is never replaced", async (stage) => {
  const { source, replicator } = stage;
  source.capture(source.stage.life(2), 2);
  await replicator.start();
  await stage.caughtUp();
  await replicator.stop();
  const snapshot = `${stage.root}/generations/${GENERATION}/snapshots/${"0".repeat(16)}.snapshot`;
  Deno.truncateSync(snapshot, 512);
  await replicator.start();
  await until(() => replicator.position?.generation === source.generation() && source.begun.length > 0, "a generation");
  assertMatch(source.begun[0] ?? "", / bytes \(expected .*, and the present index has a snapshot that does not serve$/);
  assertEquals([source.begun.length, Deno.statSync(snapshot).size], [1, 512]);
  await until(() => stage.lines.some((line) => line.includes("can be restored to its end again")), "the mend");
  assertEquals(replicator.look.brokenBecause, undefined);
});
