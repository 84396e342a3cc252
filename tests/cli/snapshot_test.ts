import { DatabaseSync } from "node:sqlite";
import { startReplicate } from "../support/daemon.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

interface Stage {
  readonly folder: string;
  readonly config: string;
  readonly application: DatabaseSync;
  readonly run: (...words: readonly string[]) => ReturnType<typeof runTailrace>;
}

/** An application's database with two replicas, one of each layout. */
function snapshotTest(name: string, work: (stage: Stage) => Promise<void>): void {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      const application = new DatabaseSync(`${folder}/app.db`);
      application.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)");
      const config = `${folder}/c.yml`;
      const replica = (name: string, layout: string) => `{name: ${name}, path: ${folder}/${name}, layout: ${layout}}`;
      Deno.writeTextFileSync(
        config,
        `dbs: [{path: ${folder}/app.db, replicas: [${replica("a", "raw")}, ${replica("b", "litestream")}]}]\n`,
      );
      const run = (...words: readonly string[]) => runTailrace(words, { folder });
      try {
        await work({ folder, config, application, run });
      } finally {
        application.close();
      }
    });
  Deno.test({ name, timeout: 60_000, fn });
}

function snapshotsOn(root: string): string[] {
  return [...Deno.readDirSync(`${root}/generations`)].flatMap(({ name }) =>
    [...Deno.readDirSync(`${root}/generations/${name}/snapshots`)].map((file) => `${name}/${file.name}`)
  ).filter((name) => name.includes(".snapshot"));
}

/** How many snapshots the listing shows whole on a replica. */
async function wholeOn({ run, config }: Stage, replica: string): Promise<number> {
  const { stdout } = await run("snapshots", "--config", config, "--json", "--replica", replica, "app.db");
  return JSON.parse(stdout).snapshots.filter(({ problem }: { problem: unknown }) => problem === null).length;
}

snapshotTest("snapshot makes one without a daemon, and another one where the index has one", async (stage) => {
  const { folder, config, run } = stage;
  const first = await run("snapshot", "--config", config, "app.db");
  assertEquals([first.code, first.stdout], [0, ""], first.stderr);
  assertMatch(
    first.stderr,
    /^Snapshot of \S+app\.db on replica a: [0-9a-f]{16}\/0{16}:\d+\nSnapshot of \S+app\.db on replica b: \S+\n$/,
  );
  const before = [await wholeOn(stage, "a"), await wholeOn(stage, "b")];
  const second = await run("snapshot", "--config", config, "--json");
  assertEquals(second.code, 0, second.stderr);
  const { schema_version, snapshots } = JSON.parse(second.stdout);
  assertEquals(schema_version, 1);
  assertEquals(
    snapshots.map(({ replica, by_daemon, problem }: Record<string, unknown>) => [replica, by_daemon, problem]),
    [
      ["a", false, null],
      ["b", false, null],
    ],
  );
  assertEquals([await wholeOn(stage, "a"), await wholeOn(stage, "b")], before.map((count) => count + 1));
  assertEquals((await run("verify", "--quiet", "--config", config)).code, 0);
  assertEquals([...Deno.readDirSync(`${folder}/.app.db-tailrace/asks`)].map(({ name }) => name), ["served"]);
});

snapshotTest("snapshot is made by the running daemon, of the replica that is named", async (stage) => {
  const { folder, config, application, run } = stage;
  await using daemon = startReplicate(["--config", config]);
  await daemon.until(() => daemon.saying("Snapshot done").length === 2, "both snapshots");
  application.exec("INSERT INTO t VALUES (2)");
  const { code, stderr } = await run("snapshot", "--config", config, "--replica", "a", "app.db");
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /^Snapshot of \S+app\.db on replica a: \S+, by the process that replicates it\n$/);
  const position = /: (\S+),/.exec(stderr)?.[1] ?? "";
  const listed = await run("snapshots", "--config", config, "--replica", "a", "app.db");
  assertStringIncludes(listed.stdout, position.split("/")[0] ?? "none");
  assert(snapshotsOn(`${folder}/a`).length >= 2);
  assertEquals([...Deno.readDirSync(`${folder}/.app.db-tailrace/asks`)].map(({ name }) => name), ["served"]);
  application.exec("INSERT INTO t VALUES (3)");
  assertEquals(await daemon.stop(), 0);
  assertEquals((await run("verify", "--quiet", "--config", config)).code, 0);
});

snapshotTest("snapshot takes no replica of the daemon's config for another one of that name", async (stage) => {
  const { folder, config, run } = stage;
  await using daemon = startReplicate(["--config", config]);
  await daemon.until(() => daemon.saying("Snapshot done").length === 2, "both snapshots");
  const before = snapshotsOn(`${folder}/a`);
  Deno.writeTextFileSync(
    `${folder}/other.yml`,
    `dbs: [{path: ${folder}/app.db, replicas: [{name: a, path: ${folder}/other}, {name: far, path: ${folder}/b}]}]\n`,
  );
  const { code, stderr } = await run("snapshot", "--config", "other.yml");
  assertEquals(code, 1);
  assertMatch(stderr, /^Snapshot of \S+app\.db on replica b: /m);
  assertMatch(stderr, /^Cannot make a snapshot of \S+app\.db on replica a: the running daemon knows nothing of it/m);
  const after = snapshotsOn(`${folder}/a`).filter((name) => name.startsWith(before[0]?.split("/")[0] ?? "none"));
  assertEquals(after, before);
});

snapshotTest(
  "snapshot, as restore and verify advise it, makes a replica with a damaged one restorable",
  async (stage) => {
    const { folder, config, run } = stage;
    assertEquals((await run("replicate", "--once", "--config", config)).code, 0);
    const [name = ""] = snapshotsOn(`${folder}/a`);
    const path = `${folder}/a/generations/${name.replace("/", "/snapshots/")}`;
    const bytes = Deno.readFileSync(path);
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    Deno.writeFileSync(path, bytes);
    const words = ["--config", config, "--replica", "a", "app.db"];
    const refused = await run("restore", "-o", "out.db", ...words);
    assertEquals(refused.code, 4);
    assertStringIncludes(refused.stderr, `${name.replace("/", "/snapshots/")} is damaged`);
    const [, advised = ""] = /\nTry: tailrace (.*)\n/.exec(refused.stderr) ?? [];
    assertMatch(advised, /^snapshot --config \S+ --replica a app\.db$/);
    const verified = await run("verify", ...words);
    assertEquals(verified.code, 4);
    assertStringIncludes(verified.stdout, "Try: tailrace snapshot --config ");
    const made = await run(...advised.split(" "));
    assertEquals(made.code, 0, made.stderr);
    const restored = await run("restore", "-o", "out.db", ...words);
    assertEquals(restored.code, 0, restored.stderr);
  },
);

snapshotTest(
  "snapshot of a database that is not there is 3, of one that is not configured 2",
  async ({ folder, config, run }) => {
    assertEquals((await run("snapshot", "--config", config, "other.db")).code, 2);
    Deno.writeTextFileSync(config, `dbs: [{path: ${folder}/none.db, replicas: [{path: ${folder}/a}]}]\n`);
    assertEquals((await run("snapshot", "--config", config)).code, 3);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).includes("a"), false);
  },
);
