/** The rows of the trouble table that the database causes: one clear sentence, the right exit code, nothing lost. */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { anotherUser, give } from "../support/another_user.ts";
import { startDaemon, startReplicate } from "../support/daemon.ts";
import { comparePages } from "../support/database_image.ts";
import { testSqliteLibrary } from "../support/sqlite_library.ts";
import { expectRefusal, insert, Scene, withScene } from "./scene.ts";

const LIBRARY = [`sqlite-library: ${testSqliteLibrary().includes("/") ? testSqliteLibrary() : "system"}`];

function trouble(row: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test({ name: `trouble: ${row}`, timeout: 30_000, fn: () => withScene(run) });
}

/** The program refuses to follow what is there and ends at once. */
async function expectEnd(scene: Scene, code: number, message: string, advice: string): Promise<void> {
  await using daemon = scene.daemon();
  assertEquals(await daemon.ended(), code);
  expectRefusal(daemon, message);
  const label = advice.startsWith("sqlite3 ") ? "Try" : "Advice";
  assertEquals(daemon.saying(`${label}: `).join(), advice === "" ? "" : `${label}: ${advice}`);
}

trouble("database path is a folder", async (scene) => {
  Deno.mkdirSync(scene.database);
  await expectEnd(scene, 2, `Cannot replicate ${scene.database}: it is a folder`, "name the database file in it");
  assertEquals([...Deno.readDirSync(`${scene.folder}/data`)].map(({ name }) => name), ["app.db"]);
});

trouble("database not SQLite", async (scene) => {
  const text = "Dear diary, ".repeat(500);
  Deno.writeTextFileSync(scene.database, text);
  await expectEnd(scene, 2, `Cannot replicate ${scene.database}: it is not a SQLite database`, "");
  assertEquals(Deno.readTextFileSync(scene.database), text);
  assertEquals(files(scene), [".app.db-tailrace", "app.db"]);
});

trouble("database not SQLite, shorter than a header", async (scene) => {
  Deno.writeTextFileSync(scene.database, "SQLite format 3\0");
  await expectEnd(scene, 2, `Cannot replicate ${scene.database}: it is not a SQLite database`, "");
});

trouble("database empty", async (scene) => {
  Deno.createSync(scene.database).close();
  await using daemon = scene.daemon();
  await daemon.line(`Waiting for ${scene.database}: it is empty (0 bytes)`);
  assertEquals(await daemon.stop(), 0);
  assertEquals(Deno.statSync(scene.database).size, 0);

  await using once = scene.daemon({ flags: ["--once"] });
  assertEquals(await once.ended(), 3);
  expectRefusal(once, `Cannot replicate ${scene.database} once: it is empty (0 bytes)`);
});

trouble("database unreadable", async (scene) => {
  const user = anotherUser(scene.folder);
  scene.application().close();
  give(user, `${scene.folder}/data`);
  Deno.chmodSync(scene.database, user.uid === Deno.uid() ? 0 : 0o600);
  await using daemon = scene.daemon(user.options);
  assertEquals(await daemon.ended(), 1);
  expectRefusal(daemon, `Cannot replicate ${scene.database}: it cannot be read`);
  assertMatch(daemon.text, /Advice: run as the application's user, or give this one read and write access/);
});

trouble("database unreadable, or only readable", async (scene) => {
  const user = anotherUser(scene.folder);
  scene.application().close();
  give(user, `${scene.folder}/data`);
  Deno.chmodSync(scene.database, 0o444);
  await using daemon = scene.daemon(user.options);
  assertEquals(await daemon.ended(), 1);
  expectRefusal(daemon, `Cannot replicate ${scene.database}: app.db cannot be written, which SQLite's locks need`);
});

trouble("database missing, then created", async (scene) => {
  await using once = scene.daemon({ flags: ["--once"] });
  assertEquals(await once.ended(), 3);
  expectRefusal(once, `Cannot replicate ${scene.database} once: it does not exist yet`);

  await using daemon = scene.daemon();
  await daemon.line(`Waiting for ${scene.database}: it does not exist yet`);
  const application = scene.application();
  insert(application, 20);
  await daemon.ready();
  insert(application, 20);
  assertEquals(await daemon.stop(), 0);
  application.close();
  await scene.expectEqual();
});

trouble("database in rollback-journal mode", async (scene) => {
  const application = scene.connect();
  application.exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
  insert(application, 20);
  const before = Deno.readFileSync(scene.database);
  await expectEnd(
    scene,
    2,
    `Cannot replicate ${scene.database}: it is in rollback-journal mode (should be in WAL mode, which ` +
      "enable-wal: true in the config sets)",
    `sqlite3 ${scene.database} 'PRAGMA journal_mode=WAL'`,
  );
  assertEquals(Deno.readFileSync(scene.database), before);
  assertEquals(files(scene), [".app.db-tailrace", "app.db"]);
});

trouble("database in rollback-journal mode, with enable-wal: true", async (scene) => {
  const application = scene.connect();
  application.exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
  insert(application, 20);
  application.close();
  await using daemon = scene.configuredDaemon(["enable-wal: true"]);
  await daemon.ready();
  const again = scene.application();
  assertEquals(again.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal");
  insert(again, 20);
  assertEquals(await daemon.stop(), 0);
  again.close();
  await scene.expectEqual();
});

trouble("database deleted while watched", async (scene) => {
  const application = scene.application();
  insert(application, 20);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  insert(application, 20);
  await daemon.until(async () => (await scene.store.records(...await scene.newestWal())).length > 1, "the next sync");
  const before = scene.image();
  await daemon.whileStopped(() => { // Else it may be at work on an empty WAL just then, and say so.
    application.close();
    for (const suffix of ["", "-wal", "-shm"]) Deno.removeSync(`${scene.database}${suffix}`);
  });
  await daemon.line(`${scene.database} was deleted or moved away`);
  assertEquals(await daemon.stop(), 1);
  assertEquals(daemon.saying("Cannot "), [
    `Cannot finish replica file of ${scene.database}: the database is no longer there`,
  ]);
  assertEquals(files(scene), [".app.db-tailrace"]);
  assertEquals(await scene.restored(), before);
});

trouble("database deleted while watched, and created anew", async (scene) => {
  const application = scene.application();
  insert(application, 20);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  application.close();
  const before = scene.image();
  for (const suffix of ["", "-wal", "-shm"]) Deno.removeSync(`${scene.database}${suffix}`);
  const anew = scene.application();
  anew.exec("CREATE TABLE another(a)");
  insert(anew, 5);
  await daemon.line("Resynced");
  insert(anew, 5);
  assertEquals(await daemon.stop(), 0);
  anew.close();
  await scene.expectEqual();
  const [generation] = await scene.generations();
  assert(generation !== undefined);
  const points = await scene.points(generation);
  assert([...points.values()].some((image) => comparePages(image, before).different.length === 0));
});

trouble("database replaced while watched", async (scene) => {
  const application = scene.application();
  insert(application, 20);
  const other = `${scene.folder}/data/other.db`;
  application.prepare("VACUUM INTO ?").run(other);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  insert(application, 50);
  application.close();
  // As an operator restores: the old -wal goes, then the new file takes the name.
  for (const suffix of ["-wal", "-shm"]) Deno.removeSync(`${scene.database}${suffix}`);
  Deno.renameSync(other, scene.database);
  const replaced = scene.application();
  insert(replaced, 5);
  await daemon.line("Resynced");
  assertEquals(daemon.saying("Letting go of the database").length, 1, daemon.text);
  insert(replaced, 5);
  assertEquals(await daemon.stop(), 0);
  assertEquals(replaced.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  replaced.close();
  await scene.expectEqual();
  assertEquals((await scene.generations()).length, 1);
});

for (const suffix of ["-shm", "-wal"]) {
  trouble(`database's ${suffix} deleted while watched`, async (scene) => {
    const application = scene.application();
    insert(application, 50);
    application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    insert(application, 20);
    await using daemon = scene.daemon();
    await daemon.line("Snapshot done");
    await daemon.whileStopped(() => { // Else it may copy and empty the WAL after the close, before anybody deletes it.
      application.close();
      Deno.removeSync(`${scene.database}${suffix}`);
    });
    await daemon.line(`${scene.database}${suffix} was deleted while it was in use`);
    await daemon.line("Following", daemon.lines.indexOf(daemon.saying("Following")[0] ?? "") + 1);
    const next = scene.connect();
    // The daemon may have been stopped just before it copied the WAL, and then saves what was deleted with it.
    const rows = next.prepare("SELECT count(*) AS n FROM entry").get()?.["n"];
    assert(rows === 70 || suffix === "-wal" && rows === 50, `${rows} rows`);
    for (let i = 0; i < 5; i++) {
      insert(next, 300, 2_000); // Enough for checkpoints of ours.
      next.prepare(`PRAGMA wal_checkpoint(${["PASSIVE", "TRUNCATE"][i % 2]})`).get();
    }
    assertEquals(await daemon.stop(), 0);
    assertEquals(next.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
    next.close();
    await scene.expectEqual();
  });
}

trouble("database's -shm deleted while watched, and another process goes on with a new one", async (scene) => {
  const application = scene.application();
  insert(application, 20);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  application.close();
  daemon.signal("SIGSTOP"); // It notices only when the WAL is another one.
  Deno.removeSync(`${scene.database}-shm`);
  const next = scene.connect();
  insert(next, 200, 2_000);
  next.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  insert(next, 10);
  daemon.signal("SIGCONT");
  await daemon.line("Resynced");
  insert(next, 10);
  assertEquals(await daemon.stop(), 0);
  assertEquals(next.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  assertEquals(next.prepare("SELECT count(*) AS n FROM entry").get()?.["n"], 240);
  next.close();
  await scene.expectEqual();
});

trouble("database reached through a link that is turned to another one", async (scene) => {
  const link = `${scene.folder}/current`;
  const other = new Scene(`${scene.folder}/next`);
  const applications = [scene.application(), other.application()];
  for (const [slot, application] of applications.entries()) insert(application, 10 * (slot + 1));
  Deno.symlinkSync(`${scene.folder}/data`, link);
  await using daemon = startDaemon(`${link}/app.db`, scene.replica);
  await daemon.line("Snapshot done");
  Deno.symlinkSync(`${other.folder}/data`, `${link}.new`);
  Deno.renameSync(`${link}.new`, link);
  await daemon.line(`leads to ${other.database} now`);
  await daemon.line("Snapshot done", daemon.lines.indexOf(daemon.saying("leads to")[0] ?? ""));
  for (const application of applications) insert(application, 5);
  assertEquals(await daemon.stop(), 0);
  for (const application of applications) application.close();
  assertEquals(comparePages(other.image(), await scene.restored()).different, []);
  await other.end();
});

for (const enableWal of [false, true]) {
  trouble(`database in rollback-journal mode with sqlite-library and enable-wal: ${enableWal}`, async (scene) => {
    scene.connect().exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
    await using once = startReplicate(["--once", "--config", scene.config([`enable-wal: ${enableWal}`], LIBRARY)]);
    assertEquals(await once.ended(), enableWal ? 0 : 2, once.text);
    const mode = scene.connect().prepare("PRAGMA journal_mode").get()?.["journal_mode"];
    assertEquals(mode, enableWal ? "wal" : "delete");
    if (!enableWal) {
      assertMatch(once.text, /Cannot replicate .*: it is in rollback-journal mode \(should be in WAL mode, /);
    }
  });
}

trouble("database not SQLite with sqlite-library", async (scene) => {
  Deno.writeTextFileSync(scene.database, "Dear diary, ".repeat(500));
  await using daemon = startReplicate(["--config", scene.config([], LIBRARY)]);
  assertEquals(await daemon.ended(), 2);
  expectRefusal(daemon, `Cannot replicate ${scene.database}: it is not a SQLite database`);
});

function files(scene: Scene): string[] {
  return [...Deno.readDirSync(`${scene.folder}/data`)].map(({ name }) => name).sort();
}
