/**
 * A replica that is behind, has lost its tail, or whose last object is damaged is brought back by the least that does it: WAL
 * of the shadow WAL, else the pages that changed, else a snapshot. Never by a new generation, and no point in between is of
 * mixed pages.
 */
import { DatabaseSync } from "node:sqlite";
import type { Generation } from "../../lib/position/generation.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../support/assert.ts";
import { copyFolder } from "../support/copied_folder.ts";
import { type Daemon, until } from "../support/daemon.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { type Scene, withScene } from "./scene.ts";

const MARKS = 20;
/** The table that nobody touches: what a snapshot has to carry, and nothing else has. */
const BALLAST_BYTES = 3_000_000;

type Means = "segments" | "catch-up" | "snapshot";

interface Repair {
  readonly scene: Scene;
  readonly generation: Generation;
  /** Puts the replica back to what it was some indexes ago. */
  readonly rollBack: () => void;
}

function prepare(application: DatabaseSync): void {
  application.exec("CREATE TABLE mark(id INTEGER PRIMARY KEY, v, pad); CREATE TABLE ballast(body)");
  application.exec(`INSERT INTO ballast VALUES(randomblob(${BALLAST_BYTES}))`);
  const statement = application.prepare("INSERT INTO mark(v, pad) VALUES(0, randomblob(3000))");
  for (let i = 0; i < MARKS; i++) statement.run();
}

/** Transactions over many pages: of a database of mixed pages the marks are not all the same. */
function turn(application: DatabaseSync, times: number): void {
  for (let i = 0; i < times; i++) application.exec("UPDATE mark SET v = v + 1, pad = randomblob(3000)");
}

async function indexes(application: DatabaseSync, scene: Scene, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    turn(application, 2);
    // Another checkpoint may be under way.
    await until(() => application.prepare("PRAGMA wal_checkpoint(RESTART)").get()?.["busy"] === 0, "a checkpoint");
    turn(application, 1);
    await scene.replicated();
    keepShadow(scene);
  }
}

/** The shadow WAL as a machine keeps it that is slow to let go of it: by further names of its files. */
function keepShadow(scene: Scene): void {
  copyLinks(`${scene.state}/shadow`, `${scene.folder}/shadow`);
}

function putShadowBack(scene: Scene): void {
  copyLinks(`${scene.folder}/shadow`, `${scene.state}/shadow`);
}

function copyLinks(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyLinks(`${from}/${name}`, `${to}/${name}`);
    else if (/\.(wal|commits)$/.test(name)) linkUnlessThere(`${from}/${name}`, `${to}/${name}`);
  }
}

/** The daemon may remove the file at any time. */
function linkUnlessThere(from: string, to: string): void {
  try {
    Deno.linkSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists || error instanceof Deno.errors.NotFound)) throw error;
  }
}

function bytesOf(folder: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    bytes += isDirectory ? bytesOf(`${folder}/${name}`) : Deno.statSync(`${folder}/${name}`).size;
  }
  return bytes;
}

/** Drafts are no part of a replica yet. */
function isDraft(name: string): boolean {
  return name.endsWith(".tmp");
}

/** Every point is a whole state of the database. */
async function expectWholePoints(scene: Scene, generation: Generation): Promise<void> {
  const points = await scene.points(generation);
  assertGreater(points.size, 3);
  await withTemporaryFolder((folder) => {
    for (const [position, image] of points) {
      Deno.writeFileSync(`${folder}/point.db`, image);
      using database = new DatabaseSync(`${folder}/point.db`, { readOnly: true });
      assertEquals(database.prepare("PRAGMA integrity_check").get(), { integrity_check: "ok" }, position);
      const { kinds } = database.prepare("SELECT count(DISTINCT v) kinds FROM mark").get() ?? {};
      assertEquals(kinds, 1, `${position} holds pages of several transactions`);
    }
    return Promise.resolve();
  });
}

function means(daemon: Daemon): Means {
  if (daemon.saying("Making a snapshot").length > 0) return "snapshot";
  return daemon.saying("Caught up").length > 0 ? "catch-up" : "segments";
}

function repairs(what: string, layout: Layout, wanted: Means, harm: (repair: Repair) => Promise<void> | void): void {
  Deno.test({
    name: `replicate repairs a ${layout} replica that ${what}: ${wanted}`,
    timeout: 60_000,
    fn: () =>
      withScene(async (scene) => {
        const application = scene.application();
        prepare(application);
        await using first = scene.daemon();
        await first.line("Snapshot done");
        await indexes(application, scene, 3);
        turn(application, 1);
        await scene.replicated();
        const kept = `${scene.folder}/kept`;
        await first.whileStopped(() => copyFolder(scene.replica, kept, isDraft));
        await indexes(application, scene, 4);
        turn(application, 3);
        await scene.replicated();
        assertEquals(await first.stop(), 0);
        const [generation] = await scene.generations();
        assert(generation !== undefined);
        const rollBack = () => {
          Deno.removeSync(scene.replica, { recursive: true });
          copyFolder(kept, scene.replica);
        };
        putShadowBack(scene);
        const whole = bytesOf(scene.replica);
        await harm({ scene, generation, rollBack });
        const before = bytesOf(scene.replica);

        await using daemon = scene.daemon();
        await daemon.ready();
        await scene.replicated();
        turn(application, 2);
        await scene.replicated();
        if (wanted === "snapshot") await daemon.line("Snapshot done");
        if (wanted === "catch-up") await daemon.line("Caught up");
        assertEquals(means(daemon), wanted, daemon.text);
        const uploaded = bytesOf(scene.replica) - before;
        if (wanted === "snapshot") assertGreater(uploaded, BALLAST_BYTES);
        else assertLess(uploaded, BALLAST_BYTES / 2 + (wanted === "segments" ? whole - before : 0));
        assertEquals(daemon.saying("A new generation begins"), []);
        assertEquals(await daemon.stop(), 0);
        application.close();
        await scene.expectEqual();
        assertEquals(await scene.generations(), [generation]);
        if (wanted !== "snapshot") await expectWholePoints(scene, generation);
      }, layout),
  });
}

async function newestObject({ scene, generation }: Repair, back = 1): Promise<string> {
  const names = [...Deno.readDirSync(`${scene.replica}/generations/${generation}/wal`)]
    .map(({ name }) => name).filter((name) => !name.endsWith(".commits")).sort();
  return await Promise.resolve(`${scene.replica}/generations/${generation}/wal/${names.at(-back)}`);
}

async function flipInNewest(repair: Repair): Promise<void> {
  const path = await newestObject(repair);
  const bytes = Deno.readFileSync(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  Deno.writeFileSync(path, bytes);
}

async function flipAtEnd(repair: Repair): Promise<void> {
  const path = await newestObject(repair);
  const bytes = Deno.readFileSync(path);
  const at = bytes.length - 1_000;
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  Deno.writeFileSync(path, bytes);
}

async function cutNewest(repair: Repair): Promise<void> {
  const path = await newestObject(repair);
  Deno.truncateSync(path, Math.floor(Deno.statSync(path).size / 2));
}

/** The shadow WAL holds its newest index only, as it does once everything was replicated. */
function shorten({ scene, generation }: Repair): void {
  const folder = `${scene.state}/shadow/${generation}`;
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => /\.(wal|commits)$/.test(name));
  for (const name of names.sort().slice(0, -2)) Deno.removeSync(`${folder}/${name}`);
}

function forgetChanges({ scene, generation }: Repair): void {
  Deno.removeSync(`${scene.state}/shadow/${generation}/changes`);
}

for (const layout of ["raw", "litestream"] as const) {
  repairs("has lost its last object", layout, "segments", async (repair) => {
    const path = await newestObject(repair);
    Deno.removeSync(path);
    if (layout === "raw") Deno.removeSync(path.replace(/\.wal$/, ".commits"));
  });
  repairs("has lost half of its last object", layout, "segments", cutNewest);
  repairs("was put back by some indexes", layout, "segments", ({ rollBack }) => rollBack());
  repairs("was put back, and its last object cut", layout, "segments", async (repair) => {
    repair.rollBack();
    await cutNewest(repair);
  });
  repairs("was put back further than the shadow WAL goes", layout, "catch-up", (repair) => {
    repair.rollBack();
    shorten(repair);
  });
  repairs("was put back further than the shadow WAL goes, its last object cut", layout, "catch-up", async (repair) => {
    repair.rollBack();
    shorten(repair);
    await cutNewest(repair);
  });
  repairs("was put back, its changes unknown", layout, "snapshot", (repair) => {
    repair.rollBack();
    shorten(repair);
    forgetChanges(repair);
  });
  repairs("has lost its snapshot", layout, "snapshot", ({ scene, generation }) => {
    Deno.removeSync(`${scene.replica}/generations/${generation}/snapshots`, { recursive: true });
  });
  repairs("has lost an index in its middle", layout, "snapshot", ({ scene, generation }) => {
    const folder = `${scene.replica}/generations/${generation}/wal`;
    for (const { name } of Deno.readDirSync(folder)) {
      if (/^0*2[._]/.test(name)) Deno.removeSync(`${folder}/${name}`);
    }
  });
}
repairs("has a flipped bit at its end", "raw", "segments", flipAtEnd);
repairs("has a flipped bit in its last object", "litestream", "segments", flipInNewest);
