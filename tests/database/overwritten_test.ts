/**
 * A database at rest, whose WAL is wholly copied and whose readers need nothing but the file, over which a backup is copied in
 * place. SQLite sees nothing of that; what is replicated from then on must all the same be what the application sees.
 */
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals } from "../support/assert.ts";
import { type Daemon, sleep, until } from "../support/daemon.ts";
import { comparePages } from "../support/database_image.ts";
import { heldSlots } from "../support/locks.ts";
import { insert, type Scene, withScene } from "../end_to_end/scene.ts";

const REST_MS = 300;

/** Until our only hold has stood on slot 0 for a while. */
async function untilAtRest(scene: Scene, daemon: Daemon): Promise<void> {
  let since = performance.now();
  await until(() => {
    if (heldSlots(`${scene.database}-shm`, daemon.pid).join() !== "0") since = performance.now();
    return performance.now() - since > REST_MS;
  }, "the database to be at rest");
}

/** A backup in WAL mode, as a copy of a closed database is. */
function backUp(application: DatabaseSync, path: string): void {
  application.prepare("VACUUM INTO ?").run(path);
  const copy = new DatabaseSync(path);
  copy.exec("PRAGMA journal_mode = WAL");
  copy.close();
}

/** As an operator does who knows no better. */
function copyInPlace(from: string, to: string): void {
  const { ino } = Deno.statSync(to);
  assertEquals(new Deno.Command("cp", { args: [from, to] }).outputSync().code, 0);
  assertEquals(Deno.statSync(to).ino, ino);
}

function overwritten(name: string, run: (scene: Scene, backup: string) => Promise<void>): void {
  Deno.test({ name, timeout: 30_000, fn: () => withScene((scene) => run(scene, `${scene.folder}/backup.db`)) });
}

const ROWS = 40;

/** A backup of so many rows, then more, all of it replicated and at rest. */
async function follow(scene: Scene, backup: string): Promise<{ daemon: Daemon; application: DatabaseSync }> {
  const application = scene.application();
  insert(application, ROWS);
  backUp(application, backup);
  insert(application, ROWS);
  const daemon = scene.configuredDaemon(["checkpoint-interval: 50ms"]);
  await daemon.line("Snapshot done");
  insert(application, 10);
  await untilAtRest(scene, daemon);
  await scene.replicated();
  return { daemon, application };
}

/** What the application sees once it is opened again is the backup; that, and what it writes then, is replicated. */
async function expectBackupReplicated(scene: Scene, daemon: Daemon): Promise<void> {
  const application = scene.connect();
  assertEquals(application.prepare("SELECT count(*) AS rows FROM entry").get()?.["rows"], ROWS);
  insert(application, 5);
  assertEquals(await daemon.stop(), 0, daemon.text);
  assertEquals(application.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  application.close();
  await scene.expectEqual();
}

overwritten(
  "A database at rest that is overwritten in place is said to be, and resynced",
  async (scene, backup) => {
    const { daemon } = await follow(scene, backup);
    const said = daemon.lines.length;
    copyInPlace(backup, scene.database);
    await daemon.line(`${scene.database} was overwritten in place`, said);
    await daemon.line("Resynced", said);
  },
);

overwritten(
  "A database at rest that is overwritten in place beside an application restores as the application sees it",
  async (scene, backup) => {
    const { daemon, application } = await follow(scene, backup);
    const [first] = await scene.generations();
    assert(first !== undefined);
    const before = scene.image();
    const said = daemon.lines.length;
    copyInPlace(backup, scene.database);
    await daemon.line(`${scene.database} was overwritten in place`, said);
    application.close(); // Its cache is that of the database that was there before.
    await expectBackupReplicated(scene, daemon);
    assertEquals((await scene.generations()).length, 1);
    const points = [...(await scene.points(first)).values()];
    assert(points.some((image) => comparePages(image, before).different.length === 0));
  },
);

overwritten(
  "A database at rest that nobody else has open and that is overwritten in place stays the backup",
  async (scene, backup) => {
    const { daemon, application } = await follow(scene, backup);
    application.close();
    await untilAtRest(scene, daemon);
    const said = daemon.lines.length;
    copyInPlace(backup, scene.database);
    await daemon.line(`${scene.database} was overwritten in place`, said);
    await sleep(REST_MS); // Whatever follows from it is done.
    await expectBackupReplicated(scene, daemon);
    assertEquals((await scene.generations()).length, 1);
  },
);
