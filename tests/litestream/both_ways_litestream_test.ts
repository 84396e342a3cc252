/** The two programs on each other's replicas, both real, beside a real application. */
import { DatabaseSync } from "node:sqlite";
import { equalBytes } from "../../lib/base/bytes.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { aKeyPair } from "../support/age.ts";
import { type Daemon, sleep, startReplicate, until } from "../support/daemon.ts";
import { databaseImage } from "../support/database_image.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { matrixTest } from "./support/matrix.ts";
import {
  type LitestreamDatabase,
  litestreamGenerations,
  litestreamSnapshots,
  type LitestreamSource,
  litestreamWal,
  restoreWithLitestream,
  sourceWords,
  startLitestream,
} from "./support/real_litestream.ts";

const OURS = { writer: "tailrace", reader: "litestream" } as const;
const THEIRS = { writer: "litestream", reader: "tailrace" } as const;
const IN_TURNS = { writer: "both in turns", reader: "both" } as const;

class Scene {
  readonly folder: string;
  readonly database: string;
  readonly replica: string;
  readonly config: string;
  readonly application: DatabaseSync;
  #outputs = 0;

  constructor(folder: string) {
    this.folder = folder;
    this.database = `${folder}/app.db`;
    this.replica = `${folder}/replica`;
    this.config = `${folder}/litestream.yml`;
    this.application = new DatabaseSync(this.database, { timeout: 5_000 });
    this.application.exec("PRAGMA journal_mode = WAL; CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
  }

  insert(rows: number, bytes = 900): void {
    for (let i = 0; i < rows; i++) this.application.exec(`INSERT INTO entry(body) VALUES(randomblob(${bytes}))`);
  }

  get source(): LitestreamDatabase {
    return { path: this.database, replicas: [{ path: this.replica }], minCheckpointPageCount: 40 };
  }

  /** Ours, with a config that Litestream would take as it is. */
  async ours(more: Record<string, unknown> = {}): Promise<Daemon> {
    const replica = { "path": this.replica, "sync-interval": "20ms", ...more };
    const db = { "path": this.database, "min-checkpoint-page-count": 40, "replicas": [replica] };
    Deno.writeTextFileSync(this.config, JSON.stringify({ dbs: [db] }));
    const daemon = startReplicate(["--config", this.config]);
    await daemon.ready();
    await daemon.line("Snapshot done");
    return daemon;
  }

  image(): Uint8Array {
    return databaseImage(this.database, `${this.folder}/scratch`);
  }

  /** A moment at which the replica holds what the database is. */
  async point(): Promise<{ readonly at: Date; readonly image: Uint8Array }> {
    const image = this.image();
    await until(async () => equalBytes(await this.byOurs(), image), "the replica to hold what was written");
    const at = new Date();
    await sleep(60); // What comes next has another time.
    return { at, image };
  }

  output(): string {
    return `${this.folder}/restored-${this.#outputs++}.db`;
  }

  async byLitestream(source: LitestreamSource = this.replica, timestamp?: Date): Promise<Uint8Array> {
    const output = this.output();
    const { code, stderr } = await restoreWithLitestream(source, output, timestamp === undefined ? {} : { timestamp });
    assertEquals(code, 0, stderr);
    return Deno.readFileSync(output);
  }

  async byOurs(source: LitestreamSource = this.replica, timestamp?: Date): Promise<Uint8Array> {
    const output = this.output();
    const flags = ["-o", output, ...(timestamp === undefined ? [] : ["-timestamp", timestamp.toISOString()])];
    const { code, stderr } = await runTailrace(["restore", ...sourceWords(source, flags)]);
    assertEquals(code, 0, stderr);
    return Deno.readFileSync(output);
  }
}

function test(row: Parameters<typeof matrixTest>[0], prove: (scene: Scene) => Promise<void>): void {
  matrixTest(row, () =>
    withTemporaryFolder(async (folder) => {
      const scene = new Scene(folder);
      try {
        await prove(scene);
      } finally {
        scene.application.close();
      }
    }));
}

/** Some WAL indexes, with pauses in which each program syncs. */
async function write(scene: Scene, rounds = 6): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    scene.insert(25);
    scene.application.exec("UPDATE entry SET body = randomblob(500) WHERE n % 7 = 0");
    await sleep(120);
  }
}

test({ ...OURS, feature: "replicate, list, restore" }, async (scene) => {
  scene.insert(30);
  await using daemon = await scene.ours();
  await write(scene);
  assertEquals(await daemon.stop(), 0);
  const image = scene.image();
  assertEquals(await scene.byLitestream(), image);
  assertEquals(await scene.byOurs(), image);
  const [generation] = await litestreamGenerations(scene.replica);
  const snapshots = await litestreamSnapshots(scene.replica);
  const segments = await litestreamWal(scene.replica);
  assertEquals(snapshots.map((row) => row.generation), [generation?.generation]);
  assert((segments.at(-1)?.index ?? 0) >= 2, "several indexes were written");
  const listed = JSON.parse((await runTailrace(["wal", "--json", `file://${scene.replica}`])).stdout);
  assertEquals([...new Set(segments.map(({ index }) => index))], listed.wal.map((row: { index: number }) => row.index));
});

test({ ...OURS, feature: "points in time" }, async (scene) => {
  scene.insert(30);
  await using daemon = await scene.ours();
  const points: { at: Date; image: Uint8Array }[] = [];
  for (let i = 0; i < 4; i++) {
    await write(scene, 2);
    points.push(await scene.point());
  }
  await write(scene, 1);
  assertEquals(await daemon.stop(), 0);
  for (const { at, image } of points) {
    assertEquals(await scene.byLitestream(scene.replica, at), image);
    assertEquals(await scene.byOurs(scene.replica, at), image);
  }
});

test({ ...OURS, feature: "age" }, async (scene) => {
  const { identity, recipient } = await aKeyPair();
  scene.insert(30);
  await using daemon = await scene.ours({ age: { identities: [identity], recipients: [recipient] } });
  await write(scene, 3);
  assertEquals(await daemon.stop(), 0);
  const source = { config: scene.config, database: scene.database };
  assertEquals(await scene.byLitestream(source), scene.image());
  assertEquals(await scene.byOurs(source), scene.image());
  const { code, stderr } = await runTailrace(["restore", "-o", scene.output(), `file://${scene.replica}`]);
  assertEquals(code, 1);
  assertMatch(stderr, /it is encrypted with age/);
});

test({ ...OURS, feature: "a snapshot while the application writes" }, async (scene) => {
  scene.application.exec("PRAGMA synchronous = OFF");
  scene.insert(4_000, 3_000);
  const replicating = scene.ours();
  for (let i = 0; i < 60; i++) {
    scene.insert(20, 3_000);
    scene.application.exec("UPDATE entry SET body = randomblob(2500) WHERE n % 50 = 1");
    await sleep(5);
  }
  await using daemon = await replicating;
  await write(scene, 2);
  assertEquals(await daemon.stop(), 0);
  assertEquals(await scene.byLitestream(), scene.image());
  assertEquals(await scene.byOurs(), scene.image());
});

test({ ...OURS, feature: "a resync: written and closed last while we were away" }, async (scene) => {
  scene.insert(60);
  {
    await using daemon = await scene.ours();
    await write(scene, 3);
    assertEquals(await daemon.stop(), 0);
  }
  scene.insert(25);
  scene.application.exec("DELETE FROM entry WHERE n % 3 = 0; VACUUM");
  scene.application.close(); // The last to close it: the WAL is gone.
  scene.application.open();
  await using daemon = startReplicate(["--config", scene.config]);
  await daemon.line("Resynced");
  await write(scene, 2);
  const point = await scene.point();
  await write(scene, 2);
  assertEquals(await daemon.stop(), 0);
  assertEquals(daemon.saying("Making a snapshot"), []);
  assertEquals((await litestreamGenerations(scene.replica)).length, 1);
  assertEquals(await scene.byLitestream(), scene.image());
  assertEquals(await scene.byOurs(), scene.image());
  assertEquals(await scene.byLitestream(scene.replica, point.at), point.image);
  assertEquals(await scene.byOurs(scene.replica, point.at), point.image);
});

test({ ...OURS, feature: "a replica that was brought forward by the pages that changed" }, async (scene) => {
  scene.insert(600);
  const kept = `${scene.folder}/kept`;
  {
    await using daemon = await scene.ours();
    await write(scene, 2);
    assertEquals(await daemon.stop(), 0);
    copyFolder(scene.replica, kept);
  }
  {
    await using daemon = startReplicate(["--config", scene.config]);
    await daemon.ready();
    await write(scene, 4);
    assertEquals(await daemon.stop(), 0);
  }
  // The replica is that of some time ago, and the shadow WAL holds its newest index only.
  Deno.removeSync(scene.replica, { recursive: true });
  copyFolder(kept, scene.replica);
  const [generation] = await litestreamGenerations(scene.replica);
  const shadow = `${scene.folder}/.app.db-tailrace/shadow/${generation?.generation}`;
  for (const name of namesIn(shadow).filter((name) => /\.(wal|commits)$/.test(name)).slice(0, -2)) {
    Deno.removeSync(`${shadow}/${name}`);
  }
  await using daemon = startReplicate(["--config", scene.config]);
  await daemon.line("Caught up");
  await write(scene, 2);
  const point = await scene.point();
  await write(scene, 2);
  assertEquals(await daemon.stop(), 0);
  assertEquals(daemon.saying("Making a snapshot"), []);
  assertEquals((await litestreamGenerations(scene.replica)).length, 1);
  assertEquals(await scene.byLitestream(), scene.image());
  assertEquals(await scene.byOurs(), scene.image());
  assertEquals(await scene.byLitestream(scene.replica, point.at), point.image);
  assertEquals(await scene.byOurs(scene.replica, point.at), point.image);
});

test({ ...THEIRS, feature: "replicate, list, restore" }, async (scene) => {
  scene.insert(30);
  await using litestream = startLitestream(scene.config, [scene.source]);
  await litestream.synced();
  await write(scene);
  await litestream.synced();
  assertEquals(await litestream.stop(), 0);
  const image = scene.image();
  assertEquals(await scene.byOurs(), image);
  assertEquals(await scene.byLitestream(), image);
  const { generations } = JSON.parse((await runTailrace(["generations", "--json", `file://${scene.replica}`])).stdout);
  const [generation] = await litestreamGenerations(scene.replica);
  assertEquals(generations.map((row: { generation: string }) => row.generation), [generation?.generation]);
  const { snapshots } = JSON.parse((await runTailrace(["snapshots", "--json", `file://${scene.replica}`])).stdout);
  const theirs = await litestreamSnapshots(scene.replica);
  assertEquals(snapshots.map((row: { index: number; bytes: number }) => [row.index, row.bytes]), [
    ...theirs.map(({ index, size }) => [index, size]),
  ]);
});

test({ ...THEIRS, feature: "points in time" }, async (scene) => {
  scene.insert(30);
  await using litestream = startLitestream(scene.config, [scene.source]);
  const points: { at: Date; image: Uint8Array }[] = [];
  for (let i = 0; i < 4; i++) {
    await write(scene, 2);
    await litestream.synced();
    await sleep(50);
    points.push({ at: new Date(), image: scene.image() });
    await sleep(50);
  }
  await write(scene, 1);
  await litestream.synced();
  assertEquals(await litestream.stop(), 0);
  for (const { at, image } of points) {
    assertEquals(await scene.byOurs(scene.replica, at), image);
    assertEquals(await scene.byLitestream(scene.replica, at), image);
  }
});

test({ ...THEIRS, feature: "age" }, async (scene) => {
  const { identity, recipient } = await aKeyPair();
  const age = { identities: [identity], recipients: [recipient] };
  scene.insert(30);
  await using litestream = startLitestream(scene.config, [
    { ...scene.source, replicas: [{ path: scene.replica, age }] },
  ]);
  await litestream.synced();
  await write(scene, 3);
  await litestream.synced();
  assertEquals(await litestream.stop(), 0);
  Deno.writeTextFileSync(
    `${scene.folder}/ours.yml`,
    JSON.stringify({ dbs: [{ path: scene.database, replicas: [{ path: scene.replica, age }] }] }),
  );
  assertEquals(await scene.byOurs({ config: `${scene.folder}/ours.yml`, database: scene.database }), scene.image());
});

test(
  { ...IN_TURNS, feature: "we take over a replica that Litestream began, and Litestream takes it back" },
  async (scene) => {
    scene.insert(30);
    const imageOfBoth = async () => {
      const image = scene.image();
      assertEquals(await scene.byOurs(), image);
      assertEquals(await scene.byLitestream(), image);
    };
    {
      await using litestream = startLitestream(scene.config, [scene.source]);
      await litestream.synced();
      await write(scene, 3);
      await litestream.synced();
      assertEquals(await litestream.stop(), 0);
    }
    const [first] = await litestreamGenerations(scene.replica);
    await imageOfBoth();
    {
      await using daemon = await scene.ours();
      await write(scene, 3);
      assertEquals(await daemon.stop(), 0);
    }
    await imageOfBoth();
    {
      await using litestream = startLitestream(scene.config, [scene.source]);
      await litestream.synced();
      await write(scene, 3);
      await litestream.synced();
      assertEquals(await litestream.stop(), 0);
    }
    await imageOfBoth();
    const generations = await litestreamGenerations(scene.replica);
    assert(generations.some(({ generation }) => generation === first?.generation), "nothing was deleted");
    assert(generations.length >= 2, "a new generation stands beside it");
    assert(namesIn(scene.folder).includes(".app.db-litestream"), "its state is where it was");
  },
);

/** The application has the database open all the time, and writes too little for a checkpoint in our turn. */
for (const isRemoved of [false, true]) {
  const feature = `Litestream goes on after us, its generation ${isRemoved ? "removed" : "left"}, the application open`;
  test({ ...IN_TURNS, feature }, async (scene) => {
    const inTurn = async () => {
      await using litestream = startLitestream(scene.config, [scene.source]);
      await litestream.synced();
      scene.insert(5);
      await litestream.synced();
      assertEquals(await litestream.stop(), 0);
    };
    const names = async () => (await litestreamGenerations(scene.replica)).map(({ generation }) => generation).sort();
    scene.insert(5);
    await inTurn();
    const [first] = await names();
    {
      await using daemon = await scene.ours();
      scene.insert(5);
      assertEquals(await daemon.stop(), 0);
    }
    const both = await names();
    assertEquals(both.length, 2, "ours stands beside it");
    if (isRemoved) Deno.removeSync(`${scene.folder}/.app.db-litestream/generation`);
    await inTurn();
    const after = await names();
    if (isRemoved) assertEquals(after.length, 3, "it begins a new one, as docs/litestream.md has it");
    else assertEquals(after, both, "it goes on with its old one");
    const { stdout } = await runTailrace(["generations", "--json", `file://${scene.replica}`]);
    const [newest] = JSON.parse(stdout).generations.toSorted((a: { end: string }, b: { end: string }) =>
      b.end < a.end ? -1 : 1
    );
    assertEquals(newest.generation === first, !isRemoved);
    const image = scene.image();
    assertEquals(await scene.byOurs(), image);
    assertEquals(await scene.byLitestream(), image);
  });
}

test({ ...IN_TURNS, feature: "Litestream takes over a replica that we began, and we take it back" }, async (scene) => {
  scene.insert(30);
  {
    await using daemon = await scene.ours();
    await write(scene, 3);
    assertEquals(await daemon.stop(), 0);
  }
  {
    await using litestream = startLitestream(scene.config, [scene.source]);
    await litestream.synced();
    await write(scene, 3);
    await litestream.synced();
    assertEquals(await litestream.stop(), 0);
  }
  assertEquals(await scene.byOurs(), scene.image());
  {
    const daemon = startReplicate(["--config", scene.config]);
    await daemon.ready();
    await write(scene, 3);
    assertEquals(await daemon.stop(), 0);
  }
  assertEquals(await scene.byOurs(), scene.image());
  assertEquals(await scene.byLitestream(), scene.image());
});

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
