/** What applications do to a database that is watched; after each the restored database is the source, page by page. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { type Daemon, linesAmiss, sleep, startReplicate } from "../support/daemon.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { insert, Scene, withScene } from "./scene.ts";

interface Watched {
  readonly scene: Scene;
  readonly daemon: Daemon;
  readonly application: ReturnType<Scene["application"]>;
}

/** Runs it beside the daemon; then everything is replicated, in one generation. */
function application(act: string, run: (watched: Watched) => Promise<void> | void): void {
  for (const layout of ["raw", "litestream"] as const) {
    Deno.test({
      name: `After the application ${act} the restored database is the source (${layout})`,
      timeout: 30_000,
      fn: () => withScene((scene) => beside(scene, run), layout),
    });
  }
}

async function beside(scene: Scene, run: (watched: Watched) => Promise<void> | void): Promise<void> {
  const application = scene.application();
  insert(application, 40);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  await run({ scene, daemon, application });
  assertEquals(await daemon.stop(), 0);
  if (application.isOpen) application.close();
  await scene.expectEqual();
  assertEquals((await scene.generations()).length, 1, daemon.text);
  assertEquals(linesAmiss(daemon.lines), []);
}

application("closed its last connection", async ({ scene, application }) => {
  insert(application, 20);
  application.close();
  assert(Deno.statSync(scene.wal).size > 0, "we still hold the WAL");
  await sleep(100);
});

application("closed its last connection, and opened another many times", async ({ scene, application }) => {
  application.close();
  for (let i = 0; i < 20; i++) {
    const next = scene.connect();
    insert(next, 5);
    next.close();
    await sleep(i % 3 === 0 ? 60 : 1);
  }
});

application("ran VACUUM", async ({ application }) => {
  for (let i = 0; i < 4; i++) {
    application.exec("DELETE FROM entry WHERE n % 3 = 0; VACUUM");
    insert(application, 30, 2_000);
    await sleep(10);
  }
  application.exec("DELETE FROM entry; VACUUM");
});

for (const mode of ["FULL", "INCREMENTAL", "NONE"]) {
  application(`changed auto_vacuum to ${mode}`, async ({ application }) => {
    application.exec(`PRAGMA auto_vacuum = ${mode === "NONE" ? "FULL" : "NONE"}; VACUUM`);
    insert(application, 100, 2_000);
    application.exec(`PRAGMA auto_vacuum = ${mode}; VACUUM`);
    await sleep(20);
    application.exec("DELETE FROM entry WHERE n % 2 = 0; PRAGMA incremental_vacuum(20)");
    insert(application, 10);
  });
}

application("tried to leave WAL mode", ({ application }) => {
  for (const mode of ["DELETE", "TRUNCATE", "PERSIST", "MEMORY"]) {
    insert(application, 3);
    assertStringIncludes(String(assertThrows(() => application.exec(`PRAGMA journal_mode = ${mode}`))), "locked");
    assertEquals(application.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal");
  }
});

application("tried to lock exclusively", ({ application }) => {
  application.exec("PRAGMA busy_timeout = 50; PRAGMA locking_mode = EXCLUSIVE");
  assertStringIncludes(String(assertThrows(() => insert(application, 3))), "locked");
  application.exec("PRAGMA locking_mode = NORMAL");
  insert(application, 3);
});

application("ran checkpoints of every mode", async ({ application }) => {
  for (let i = 0; i < 24; i++) {
    insert(application, 1 + (i % 7));
    application.prepare(`PRAGMA wal_checkpoint(${["PASSIVE", "FULL", "RESTART", "TRUNCATE"][i % 4]})`).get();
    if (i % 5 === 0) await sleep(20);
  }
});

application("truncated the WAL, and wrote nothing more", async ({ application }) => {
  insert(application, 5);
  application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  await sleep(100);
});

application("ran large transactions, rolled some back, and spilled", async ({ application }) => {
  application.exec("PRAGMA cache_size = 5");
  for (let i = 0; i < 6; i++) {
    application.exec("BEGIN");
    insert(application, 400, 3_000);
    await sleep(5); // Its first frames are in the WAL by now.
    application.exec(i % 2 === 0 ? "ROLLBACK" : "COMMIT");
    insert(application, 1);
  }
});

application("wrote so much at once that it ran checkpoints itself", ({ application }) => {
  application.exec("PRAGMA wal_autocheckpoint = 10");
  for (let i = 0; i < 300; i++) insert(application, 1, 5_000);
});

application("held a read transaction open through all of it", async ({ scene, application }) => {
  const reader = scene.connect();
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM entry").get();
  for (let i = 0; i < 5; i++) {
    insert(application, 250, 3_000);
    await sleep(60);
  }
  assertEquals(reader.prepare("SELECT count(*) AS n FROM entry").get()?.["n"], 40);
  reader.exec("COMMIT");
  await sleep(100);
  insert(application, 1);
  reader.close();
});

application("was killed inside a transaction", async ({ scene, application }) => {
  for (const spills of [false, true, true]) {
    await using victim = startOtherProcess();
    await victim.open(scene.database);
    await victim.runAll([
      `PRAGMA cache_size = ${spills ? 5 : -2000}`,
      "BEGIN IMMEDIATE",
      "INSERT INTO entry(body) WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 300) " +
      "SELECT randomblob(2000) FROM i",
    ]);
    await sleep(60);
    await victim.kill();
    insert(application, 5);
  }
  assertEquals(application.prepare("SELECT count(*) AS n FROM entry").get()?.["n"], 55);
});

application("was killed while it was the only one", async ({ scene, application }) => {
  application.close();
  await using victim = startOtherProcess();
  await victim.open(scene.database);
  await victim.runAll([
    "INSERT INTO entry(body) VALUES('committed')",
    "PRAGMA cache_size = 5",
    "BEGIN IMMEDIATE",
    "INSERT INTO entry(body) WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 300) " +
    "SELECT randomblob(2000) FROM i",
  ]);
  await victim.kill();
  await sleep(60);
  const again = scene.connect();
  assertEquals(again.prepare("SELECT count(*) AS n FROM entry").get()?.["n"], 41);
  insert(again, 5);
  again.close();
});

for (const pageSize of [512, 1_024, 65_536]) {
  Deno.test({
    name: `A database with pages of ${pageSize} bytes is replicated and restored`,
    timeout: 30_000,
    fn: () =>
      withScene(async (scene) => {
        const application = scene.connect();
        application.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = WAL`);
        application.exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
        insert(application, 10, 30_000);
        await using daemon = scene.daemon();
        await daemon.line("Snapshot done");
        insert(application, 50, 3_000);
        application.exec("PRAGMA wal_checkpoint(RESTART)");
        insert(application, 50, 3_000);
        application.exec("VACUUM");
        assertEquals(await daemon.stop(), 0);
        assertEquals(application.prepare("PRAGMA page_size").get()?.["page_size"], pageSize);
        application.close();
        await scene.expectEqual();
        assertEquals((await scene.generations()).length, 1);
      }),
  });
}

Deno.test({
  name: "Two databases with two replicas each are replicated side by side, and one broken replica holds back none",
  timeout: 30_000,
  fn: () =>
    withScene(async (scene) => {
      const other = new Scene(`${scene.folder}/other`);
      Deno.writeTextFileSync(`${scene.folder}/file`, "");
      Deno.writeTextFileSync(
        `${scene.folder}/tailrace.yml`,
        `dbs:\n  - path: ${scene.database}\n    replicas:\n      - {name: broken, path: ${scene.folder}/file}\n` +
          `      - {name: near, path: ${scene.replica}}\n` +
          `  - path: ${other.database}\n    replicas:\n      - {name: one, path: ${other.replica}}\n` +
          `      - {name: two, path: ${other.folder}/second}\n`,
      );
      const applications = [scene.application(), other.application()];
      for (const application of applications) insert(application, 20);
      await using daemon = startReplicate(["--config", `${scene.folder}/tailrace.yml`]);
      await daemon.until(() => daemon.saying("Snapshot done").length === 3, "three snapshots");
      for (const application of applications) insert(application, 20);
      assertEquals(await daemon.stop(), 1);
      assertEquals(daemon.saying("Cannot finish").length, 1);
      assertStringIncludes(daemon.saying("Cannot finish").join(), `Cannot finish replica broken of ${scene.database}`);
      for (const application of applications) application.close();
      await scene.expectEqual();
      await other.expectEqual();
      await new Scene(other.folder, "second").expectEqual();
    }),
});
