/** What the removing verbs of every generation store must do, however its layout names and groups its files. */
import { ReplicationError } from "../../lib/base/errors.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import type { ReplicaClient } from "../../lib/clients/client.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { gatherFacts } from "../../lib/restore/gather.ts";
import { lostSnapshot } from "../../lib/restore/history.ts";
import { planRestore } from "../../lib/restore/plan.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { GenerationStore, SnapshotImage } from "../../lib/store/generation_store.ts";
import { snapshotState } from "../../lib/store/snapshot_state.ts";
import { assert, assertEquals, assertNotEquals, assertRejects } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { aWholeImage, nothingToBring } from "../support/image.ts";
import { EPOCH_MS } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

type MakeStore = (client: ReplicaClient) => GenerationStore;

const GENERATION = asGeneration("00000000000000aa");
const OTHER = asGeneration("00000000000000bb");
const PAGE_SIZE = 4096;

/** `make` is called for each look with a client of the same folder: nothing may be remembered from one to the next. */
export function testStoreRemoval(layout: string, make: MakeStore): void {
  for (const { name, run } of REMOVAL_CONTRACT) {
    Deno.test(
      `${layout} store: ${name}`,
      () => withTemporaryFolder((folder) => run({ root: `${folder}/replica`, make })),
    );
  }
}

interface Stage {
  readonly root: string;
  readonly make: MakeStore;
}

interface RemovalTest {
  readonly name: string;
  readonly run: (stage: Stage) => Promise<void>;
}

type Removal = (store: GenerationStore) => Promise<void>;

const REMOVAL_CONTRACT: readonly RemovalTest[] = [
  {
    name: "removeSnapshot() and removeWal() take away one index, and nothing else",
    run: async (stage) => {
      await fill(stage, GENERATION);
      await look(stage).removeSnapshot(GENERATION, asIndex(0));
      assertEquals(await heldBy(stage, GENERATION), { snapshots: [2], wals: [0, 1, 2, 3] });
      await look(stage).removeWal(GENERATION, asIndex(1));
      assertEquals(await heldBy(stage, GENERATION), { snapshots: [2], wals: [0, 2, 3] });
      assertEquals(await newestPoint(stage, GENERATION), 3);
    },
  },
  {
    name: "removing passes over what is absent, and may be called again",
    run: async (stage) => {
      const store = look(stage);
      const all: Removal[] = [
        () => store.removeSnapshot(GENERATION, asIndex(7)),
        () => store.removeWal(GENERATION, asIndex(7)),
        () => store.removeGeneration(OTHER),
      ];
      for (const remove of all) await remove(store); // Not even a root is there.
      await fill(stage, GENERATION);
      const before = await namesBelow(stage.root);
      for (const remove of all) await remove(store);
      assertEquals(await namesBelow(stage.root), before);
      for (let i = 0; i < 2; i++) await store.removeGeneration(GENERATION);
      assertEquals(await store.generations(), []);
    },
  },
  {
    name: "removeGeneration() leaves no file and no folder of it, and other generations as they were",
    run: async (stage) => {
      await fill(stage, OTHER);
      const before = await namesBelow(stage.root);
      await fill(stage, GENERATION);
      assertNotEquals(await namesBelow(stage.root), before);
      await look(stage).removeGeneration(GENERATION);
      assertEquals(await namesBelow(stage.root), before);
      assertEquals(await look(stage).exists(), true);
      await look(stage).removeGeneration(OTHER);
      assertEquals([await look(stage).exists(), await look(stage).generations()], [true, []]);
    },
  },
  {
    name: "removeGeneration() takes unfinished snapshots along, which catalog() tells the time of",
    run: async (stage) => {
      await fill(stage, GENERATION);
      assertEquals((await look(stage).catalog(GENERATION)).unfinishedAtMs, undefined);
      await leaveDraft(stage, GENERATION);
      assert(((await look(stage).catalog(GENERATION)).unfinishedAtMs ?? 0) > 1.7e12);
      await look(stage).removeGeneration(GENERATION);
      assertEquals(await look(stage).generations(), []);
    },
  },
  {
    name: "removing leaves every name that is not of the layout, and the folders that hold one",
    run: async (stage) => {
      await fill(stage, GENERATION);
      const base = `${stage.root}/generations/${GENERATION}`;
      const foreign = [
        "notes.txt",
        "snapshots/0000000000000000.snapshot.bak",
        "wal/old/0000000000000000.wal",
        "wal/x.tmp",
      ];
      for (const name of foreign) {
        Deno.mkdirSync(`${base}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
        Deno.writeTextFileSync(`${base}/${name}`, "mine");
      }
      await look(stage).removeGeneration(GENERATION);
      assertEquals(
        await namesBelow(base),
        ["notes.txt", "snapshots", ...foreign.slice(1, 2), "wal", "wal/old", ...foreign.slice(2)].sort(),
      );
      assertEquals(await heldBy(stage, GENERATION), { snapshots: [], wals: [] });
    },
  },
  {
    name: "removing never goes through a symbolic link",
    run: async (stage) => {
      await fill(stage, GENERATION);
      const base = `${stage.root}/generations/${GENERATION}`;
      Deno.renameSync(`${base}/wal`, `${stage.root}/elsewhere`);
      Deno.symlinkSync(`${stage.root}/elsewhere`, `${base}/wal`);
      const before = await namesBelow(`${stage.root}/elsewhere`);
      const error = await assertRejects(() => look(stage).removeGeneration(GENERATION), ReplicationError);
      assertEquals(error.code, "corrupt");
      assertEquals(await namesBelow(`${stage.root}/elsewhere`), before);
    },
  },
  {
    name: "removal that is cut short anywhere is no damage, leaves what it left restorable, and can be finished",
    run: async (stage) => {
      for (const order of ["forward", "backward"] as const) {
        await cutShortEverywhere(stage, order, (store) => store.removeSnapshot(GENERATION, asIndex(0)));
        await cutShortEverywhere(stage, order, (store) => store.removeGeneration(GENERATION));
        await cutShortEverywhere(stage, order, async (store) => {
          await store.removeSnapshot(GENERATION, asIndex(0));
          for (const index of [0, 1]) await store.removeWal(GENERATION, asIndex(index));
        });
      }
    },
  },
  {
    name: "catalog() goes on when what it listed is removed by somebody else, after any of its reads",
    run: async (stage) => {
      for (let reads = 0;; reads++) {
        await look(stage).removeGeneration(GENERATION);
        await fill(stage, GENERATION);
        const client = new OvertakenClient(stage.root, reads, async () => {
          await look(stage).removeSnapshot(GENERATION, asIndex(0));
          for (const index of [0, 1]) await look(stage).removeWal(GENERATION, asIndex(index));
        });
        const catalog = await stage.make(client).catalog(GENERATION);
        const whole = catalog.snapshots.filter((entry) => snapshotState(catalog, entry).kind === "whole");
        const context = `after ${reads} reads`;
        assert(catalog.snapshots.every((entry) => snapshotState(catalog, entry).kind !== "corrupt"), context);
        for (const { promisedEnd } of catalog.wals) assertEquals(promisedEnd, undefined, context);
        const closed = catalog.wals.filter(({ lastRecord }) => lastRecord !== undefined).map(({ index }) =>
          Number(index)
        );
        for (const { index } of whole) {
          assertEquals(
            closed.filter((other) => other >= index),
            [0, 1, 2, 3].filter((other) => other >= index),
            context,
          );
        }
        if (!client.isOvertaken) return;
      }
    },
  },
  {
    name: "a generation that was removed can be written anew by the store that wrote it before",
    run: async (stage) => {
      const store = look(stage);
      await fillThrough(store, GENERATION);
      await store.removeGeneration(GENERATION);
      await fillThrough(store, GENERATION);
      assertEquals(await newestPoint(stage, GENERATION), 3);
    },
  },
];

/** The removal with the first, the second, ... call to the device failing, until none does. */
async function cutShortEverywhere(stage: Stage, order: Order, remove: Removal): Promise<void> {
  for (let calls = 0;; calls++) {
    await look(stage).removeGeneration(GENERATION);
    await fill(stage, GENERATION);
    const client = new StoppingClient(stage.root, calls, order);
    const stopped = await remove(stage.make(client)).then(() => false, () => true);
    assertEquals(stopped, client.isStopped);
    const catalog = await look(stage).catalog(GENERATION);
    const states = catalog.snapshots.map((entry) => snapshotState(catalog, entry).kind);
    const context = `${order}, ${calls} calls, ${states.join()}`;
    assert(!states.includes("corrupt"), `nothing looks damaged: ${context}`);
    const newest = await newestPoint(stage, GENERATION);
    assertEquals(newest, states.includes("whole") ? 3 : undefined, context);
    await remove(look(stage));
    const rest = await namesBelow(stage.root);
    await remove(look(stage));
    assertEquals(await namesBelow(stage.root), rest, context);
    if (!stopped) return;
  }
}

type Order = "forward" | "backward";

/** Removes so many objects one by one, in either order, then nothing more: a batch has no order to rely on. */
class StoppingClient extends FileReplicaClient {
  isStopped = false;
  #left: number;
  readonly #order: Order;

  constructor(root: string, calls: number, order: Order) {
    super(unsyncedFiles(), root);
    this.#left = calls;
    this.#order = order;
  }

  override async delete(keys: readonly string[]): Promise<void> {
    for (const key of this.#order === "forward" ? keys : keys.toReversed()) {
      this.#count();
      await super.delete([key]);
    }
  }

  override removeEmptyFolder(folder: string): Promise<void> {
    this.#count();
    return super.removeEmptyFolder(folder);
  }

  #count(): void {
    this.isStopped = this.#left-- <= 0;
    if (this.isStopped) throw new ReplicationError("unavailable", "Cannot remove: the device is gone");
  }
}

/** Before one of its reads something else happens. */
class OvertakenClient extends FileReplicaClient {
  isOvertaken = false;
  #left: number;
  readonly #happens: () => Promise<void>;

  constructor(root: string, reads: number, happens: () => Promise<void>) {
    super(unsyncedFiles(), root);
    this.#left = reads;
    this.#happens = happens;
  }

  override async read(key: string, offset: number, into: Uint8Array): Promise<number> {
    if (this.#left-- === 0) {
      this.isOvertaken = true;
      await this.#happens();
    }
    return await super.read(key, offset, into);
  }
}

function look({ root, make }: Stage): GenerationStore {
  return make(new FileReplicaClient(unsyncedFiles(), root));
}

/** Snapshots in index 0 and 2; four indexes with three syncs each, all but the last closed. */
async function fill(stage: Stage, generation: Generation): Promise<void> {
  await fillThrough(look(stage), generation);
}

async function fillThrough(store: GenerationStore, generation: Generation): Promise<void> {
  let atMs = EPOCH_MS;
  for (let i = 0; i < 4; i++) {
    if (i % 2 === 0) await writeSnapshot(store, generation, i, atMs += 1_000);
    const wal = new WalBuilder({ pageSize: PAGE_SIZE });
    let start = asOffset(0);
    for (let sync = 0; sync < 3; sync++) {
      const end = wal.commit(2, [1, i + sync], [2, i + sync + 1]);
      const record = recordOf("sync", start, end, atMs += 1_000);
      const pieces = [wal.bytes().subarray(start, end)];
      const isClosed = sync === 2 && i < 3;
      await store.appendWal(generation, asIndex(i), start, {
        next: () => Promise.resolve(pieces.shift() ?? new Uint8Array()),
        records: () => isClosed ? [record, { ...record, start: end, indexClosed: true }] : [record],
      });
      start = end;
    }
  }
}

async function writeSnapshot(store: GenerationStore, generation: Generation, index: number, atMs: number) {
  const image = imageOf(PAGE_SIZE, 1, 2);
  const record = recordOf("snapshot", 0, 0, atMs);
  await store.writeSnapshot(generation, aWholeImage(image, index, record), nothingToBring);
}

/** A snapshot whose writer was killed in the middle. */
async function leaveDraft(stage: Stage, generation: Generation): Promise<void> {
  const client = new FileReplicaClient(unsyncedFiles(), stage.root);
  const folder = `generations/${generation}/snapshots`;
  let found: string[] = [];
  const fail = async () => {
    found = (await client.list(folder)).map(({ name }) => name).filter((name) => name.endsWith(".tmp"));
    throw new ReplicationError("failed", "Cannot go on");
  };
  const image: SnapshotImage = {
    writeTo: async (target) => {
      await target.writeAt(new Uint8Array(1), 0);
      return await fail();
    },
    stream: () => Promise.resolve({ index: asIndex(7), next: fail, end: fail }),
  };
  await assertRejects(() => stage.make(client).writeSnapshot(generation, image, nothingToBring));
  assertEquals(found.length, 1, "it has one draft while it is written");
  for (const name of found) Deno.writeTextFileSync(`${stage.root}/${folder}/${name}`, "half");
}

function recordOf(kind: CommitRecord["kind"], start: number, end: number, capturedAtMs: number): CommitRecord {
  return {
    kind,
    pageSize: PAGE_SIZE,
    start: asOffset(start),
    end: asOffset(end),
    capturedAtMs,
    databasePages: 2,
    capturedLate: false,
    indexClosed: false,
  };
}

async function heldBy(stage: Stage, generation: Generation) {
  const { snapshots, wals } = await look(stage).catalog(generation);
  return { snapshots: snapshots.map(({ index }) => Number(index)), wals: wals.map(({ index }) => Number(index)) };
}

/**
 * The index that a restore of the newest point ends in; undefined when nothing can be restored. Whoever names a generation
 * whose snapshots are gone and whose WAL is not is told of a gap, since a removal that was cut short leaves what a loss does;
 * beside a newer generation nobody is told (`plan_test.ts`). Other damage is an error.
 */
async function newestPoint(stage: Stage, generation: Generation): Promise<number | undefined> {
  const target = { kind: "latest", generation } as const;
  const facts = await gatherFacts(look(stage), target);
  const plan = planRestore(facts, target);
  if (plan.kind === "plan") return plan.end.index;
  const isLost = facts.some(({ catalog }) => lostSnapshot(catalog) !== undefined);
  assertEquals(plan.code, isLost ? "gap" : "not-found", plan.problem);
  return undefined;
}

/** Every path below, sorted. */
async function namesBelow(path: string, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    names.push(`${prefix}${name}`);
    if (isDirectory) names.push(...await namesBelow(`${path}/${name}`, `${prefix}${name}/`));
  }
  return names.sort();
}
