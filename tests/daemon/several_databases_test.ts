/** Several databases in one process: what is wrong with one holds back no other, and is told. */
import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type Daemon, linesAmiss, startReplicate } from "../support/daemon.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, Scene, withScene } from "../end_to_end/scene.ts";

type Run = (first: Scene, second: Scene, config: string) => Promise<void>;

/** Two scenes and a config that names both. */
function withSeveral(run: Run): Promise<void> {
  return withScene(async (first) => {
    const second = new Scene(`${first.folder}/second`);
    const config = `${first.folder}/tailrace.yml`;
    const entries = [first, second].map(({ database, replica }) =>
      `  - path: ${database}\n    monitor-interval: 20ms\n    replicas: [{path: ${replica}}]\n`
    );
    Deno.writeTextFileSync(config, `dbs:\n${entries.join("")}`);
    try {
      await run(first, second, config);
    } finally {
      await second.end();
    }
  });
}

function several(name: string, run: Run): void {
  Deno.test({ name: `replicate of several databases ${name}`, timeout: 30_000, fn: () => withSeveral(run) });
}

function troubles(daemon: Daemon): readonly string[] {
  return linesAmiss(daemon.lines);
}

several("goes on with one when the other is refused, and ends with 1", async (first, second, config) => {
  Deno.mkdirSync(first.database);
  const application = second.application();
  insert(application, 10);
  await using daemon = startReplicate(["--config", config]);
  await daemon.line("Snapshot done");
  insert(application, 10);
  assertEquals(await daemon.stop(), 1);
  assertEquals(troubles(daemon).length, 1, daemon.text);
  assertMatch(
    troubles(daemon).join(),
    / ERROR Cannot replicate .*: it is a folder .*advice="name the database file in it"/,
  );
  assertEquals(daemon.lines.slice(-2), [
    `Cannot finish replica file of ${first.database}: Cannot replicate ${first.database}: it is a folder`,
    "Advice: name the database file in it",
  ]);
  application.close();
  await second.expectEqual();
});

several("takes up one that was refused as soon as it can", async (first, second, config) => {
  const refused = first.connect();
  refused.exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
  const applications = [refused, second.application()];
  await using daemon = startReplicate(["--config", config]);
  await daemon.line("it is in rollback-journal mode");
  refused.exec("PRAGMA journal_mode = WAL");
  await daemon.until(() => daemon.saying("Snapshot done").length === 2, "two snapshots");
  for (const application of applications) insert(application, 10);
  assertEquals(await daemon.stop(), 0, daemon.text);
  assertEquals(troubles(daemon).length, 1, daemon.text);
  for (const application of applications) application.close();
  await first.expectEqual();
  await second.expectEqual();
});

several("ends with the first refusal when all are refused, and tells of each", async (first, second, config) => {
  Deno.mkdirSync(first.database);
  Deno.writeTextFileSync(second.database, "no database at all, however long the text may be".repeat(10));
  await using daemon = startReplicate(["--config", config]);
  assertEquals(await daemon.ended(), 2);
  assertEquals(daemon.lines.slice(-2), [
    `Cannot replicate ${first.database}: it is a folder`,
    "Advice: name the database file in it",
  ]);
  assertEquals(troubles(daemon).length, 2, daemon.text);
  assertStringIncludes(troubles(daemon).join(), `Cannot replicate ${second.database}: it is not a SQLite database`);
});

several("waits for one that is missing, and ends with 0 while it is", async (first, second, config) => {
  const application = second.application();
  insert(application, 10);
  await using daemon = startReplicate(["--config", config]);
  await daemon.line("Snapshot done");
  await daemon.line(`Waiting for ${first.database}: it does not exist yet`);
  assertEquals(await daemon.stop(), 0);
  application.close();
  await second.expectEqual();
});

several("with --once replicates the others, and ends with 3 when one is missing", async (first, second, config) => {
  const application = second.application();
  insert(application, 10);
  await using once = startReplicate(["--once", "--config", config]);
  assertEquals(await once.ended(), 3);
  assertEquals(once.saying("Cannot "), [`Cannot replicate ${first.database} once: it does not exist yet`]);
  application.close();
  await second.expectEqual();
});

several("with --once ends with the code of one that is refused for good", async (first, second, config) => {
  const application = second.application();
  insert(application, 10);
  first.connect().exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
  await using once = startReplicate(["--once", "--config", config]);
  assertEquals(await once.ended(), 2, once.text);
  application.close();
  await second.expectEqual();
});

several("with --once beside the daemon of one ends with the code of the other, which is refused", async (...all) => {
  const [first, second, config] = all;
  insert(first.application(), 10);
  await using daemon = first.daemon();
  await daemon.line("Snapshot done");
  second.connect().exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
  await using once = startReplicate(["--once", "--config", config]);
  assertEquals(await once.ended(), 2, once.text);
  assertEquals(once.saying(`Cannot finish replica file of ${second.database}: `).length, 1, once.text);
  assertEquals(await daemon.stop(), 0);
});

several("with --once waits beside a daemon for all of them", async (first, second, config) => {
  const applications = [first.application(), second.application()];
  await using daemon = startReplicate(["--config", config]);
  await daemon.until(() => daemon.saying("Snapshot done").length === 2, "two snapshots");
  for (const application of applications) insert(application, 10);
  await using once = startReplicate(["--once", "--config", config]);
  assertEquals(await once.ended(), 0, once.text);
  for (const scene of [first, second]) {
    const rows = await scene.restored();
    Deno.writeFileSync(`${scene.folder}/rows.db`, rows);
    assertEquals(countRows(`${scene.folder}/rows.db`), 10);
  }
  assertEquals(await daemon.stop(), 0);
});

Deno.test({
  name: "snapshot of several databases makes those that it can, tells of each, and ends with the worst code",
  timeout: 60_000,
  fn: () =>
    withSeveral(async (first, second, config) => {
      first.connect().exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
      insert(second.application(), 10);
      const { code, stderr } = await runTailrace(["snapshot", "--config", config]);
      assertEquals(code, 2, stderr);
      assertMatch(stderr, new RegExp(`Snapshot of ${second.database} on replica file: `));
      assertMatch(stderr, new RegExp(`Cannot .*${first.database}: it is in rollback-journal mode`));
    }),
});

function countRows(path: string): number {
  using database = new DatabaseSync(path);
  return Number(database.prepare("SELECT count(*) AS n FROM entry").get()?.["n"]);
}

several("follows no file by two names, each with a state of its own, that came to be later", async (first, second) => {
  const [name, other] = [first.database, `${first.folder}/other.db`];
  Deno.symlinkSync(name, other);
  const entries = [name, other].map((path, i) =>
    `  - path: ${path}\n    meta-path: ${first.folder}/state${i}\n    monitor-interval: 20ms\n` +
    `    replicas: [{path: ${second.folder}/replica${i}}]\n`
  );
  Deno.writeTextFileSync(`${first.folder}/names.yml`, `dbs:\n${entries.join("")}`);
  await using daemon = startReplicate(["--config", `${first.folder}/names.yml`]);
  for (const path of [name, other]) await daemon.line(`Waiting for ${path}`);
  insert(first.application(), 5);
  await daemon.line("which is replicated already");
  await daemon.ready();
  assertMatch(daemon.text, / ERROR Cannot replicate (\S+): it is the same file as (\S+), which is replicated already /);
  assertEquals(daemon.saying("Following").length, 1, daemon.text);
  assertEquals(await daemon.stop(), 1);
});
