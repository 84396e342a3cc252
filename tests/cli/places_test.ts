import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { addForeignObjects } from "../support/foreign_replica.ts";
import { EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";

const GENERATION = "00000000000000aa";

interface Stage {
  readonly folder: string;
  readonly root: string;
  readonly url: string;
  readonly run: (...words: readonly string[]) => ReturnType<typeof runTailrace>;
  /** Of a run with that output. */
  readonly codeOf: (...words: readonly string[]) => Promise<number>;
}

/** A replica with one snapshot, of EPOCH_MS. */
function placeTest(name: string, work: (stage: Stage) => Promise<void>): void {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      const root = `${folder}/replica`;
      await new ReplicaBuilder(root).snapshot(0, 0, imageOf(4096, 1));
      const run = (...words: readonly string[]) => runTailrace(words, { folder });
      const codeOf = async (...words: readonly string[]) => (await run(...words)).code;
      await work({ folder, root, url: `file://${root}`, run, codeOf });
    });
  Deno.test({ name, timeout: 60_000, fn });
}

function makeDatabase(path: string): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  database.close();
}

placeTest("a replica of Litestream 0.5 alone is named, and is no missing backup", async ({ folder, run }) => {
  Deno.mkdirSync(`${folder}/five`);
  addForeignObjects(`${folder}/five`, EPOCH_MS);
  const url = `file://${folder}/five`;
  const restored = await run("restore", "--if-replica-exists", "-o", "out.db", url);
  assertEquals([restored.code, restored.stdout], [4, ""]);
  assertStringIncludes(restored.stderr, "it is a replica of Litestream 0.5 (ltx/), which this version cannot read");
  for (const words of [["verify"], ["points"], ["generations"], ["prune", "--dry-run"]]) {
    const { code, stdout, stderr } = await run(...words, url);
    assertEquals(code, 4, words.join(" "));
    assertStringIncludes(stdout + stderr, "Litestream 0.5");
    assertStringIncludes(stdout + stderr, "Advice: use Litestream 0.5 for what it wrote there", words.join(" "));
  }
});

placeTest(
  "newer objects of Litestream 0.5 beside a replica are never passed over",
  async ({ folder, root, url, run, codeOf }) => {
    addForeignObjects(root, EPOCH_MS + 3_600_000);
    const refused = await run("restore", "-o", "out.db", url);
    assertEquals(refused.code, 4);
    assertMatch(
      refused.stderr,
      /beside 0+aa of 2025-06-01T12:00:00\.\d+Z it holds newer objects of Litestream 0\.5 of \S+ in ltx\//,
    );
    assertEquals(await codeOf("restore", "--dry-run", "-o", "out.db", url), 4);
    assertEquals(await codeOf("verify", "--quiet", url), 4);
    const listed = await run("generations", url);
    assertEquals([listed.code, listed.stdout.includes(GENERATION)], [4, true], "what can be chosen is shown");
    assertEquals(await codeOf("restore", "--generation", GENERATION, "-o", "chosen.db", url), 0, "on purpose");
    assertEquals(await codeOf("verify", "--level", "restore", "--generation", GENERATION, url), 0);
    assertEquals(await codeOf("restore", "--generation", "00000000000000bb", "-o", "other.db", url), 4);
    makeDatabase(`${folder}/app.db`);
    const replicated = await run("replicate", "--once", "app.db", url);
    assertEquals(replicated.code, 4);
    assertEquals([...Deno.readDirSync(`${root}/generations`)].map(({ name }) => name), [GENERATION], "nothing began");
  },
);

placeTest(
  "older objects of Litestream 0.5 are history, whatever the times of their files",
  async ({ root, url, codeOf }) => {
    addForeignObjects(root, EPOCH_MS - 3_600_000);
    assertEquals(await codeOf("restore", "-o", "out.db", url), 0);
    assertEquals(await codeOf("verify", "--level", "restore", url), 0);
    Deno.writeTextFileSync(`${root}/ltx/0/0000000000000003-0000000000000003.ltx`, "torn");
    assertEquals(await codeOf("restore", "-o", "again.db", url), 4, "what has no time may be newer");
  },
);

placeTest(
  "the parent of replicas, and what is no replica, are errors for every command",
  async ({ folder, run, url }) => {
    Deno.mkdirSync(`${folder}/other`);
    Deno.writeTextFileSync(`${folder}/other/photo.jpg`, "");
    for (const words of [["restore", "--if-replica-exists", "-o", "out.db"], ["verify"], ["points"], ["prune"]]) {
      const parent = await run(...words, `file://${folder}`);
      assertEquals(parent.code, 2, words.join(" "));
      assertStringIncludes(parent.stdout + parent.stderr, "there is a replica in replica/ below it");
      const other = await run(...words, `file://${folder}/other`);
      assertEquals(other.code, 2, words.join(" "));
      assertStringIncludes(other.stdout + other.stderr, "it holds photo.jpg, and nothing of a replica's");
    }
    assertEquals((await run("points", url)).code, 0);
  },
);

placeTest(
  "a place that is not there is 75 for every command, and an empty one is no backup",
  async ({ folder, run }) => {
    Deno.mkdirSync(`${folder}/empty/lost+found`, { recursive: true });
    for (const words of [["restore", "-o", "out.db"], ["verify"], ["points"], ["snapshots"], ["prune"]]) {
      const { code, stdout, stderr } = await run(...words, `file://${folder}/missing`);
      assertEquals(code, 75, words.join(" "));
      assertStringIncludes(stdout + stderr, "the folder does not exist (is it mounted?)");
      assertEquals((await run(...words, `file://${folder}/empty`)).code, 3, words.join(" "));
    }
    for (const place of ["missing", "empty"]) {
      const { code, stderr } = await run("restore", "--if-replica-exists", "-o", "out.db", `file://${folder}/${place}`);
      assertEquals([code, stderr], [0, `There is no backup of ${folder}/out.db yet; nothing is restored\n`]);
    }
  },
);

placeTest(
  "a replica of a config that has not begun is no backup for the lists, and asks whether it is mounted",
  async ({ folder, run }) => {
    const dbs = [{ path: `${folder}/app.db`, replicas: [{ path: `${folder}/missing` }] }];
    Deno.writeTextFileSync(`${folder}/c.yml`, JSON.stringify({ dbs }));
    for (const list of ["generations", "snapshots", "wal", "points"]) {
      const { code, stderr } = await run(list, "--config", `${folder}/c.yml`, `${folder}/app.db`);
      assertEquals(code, 3, list);
      assertStringIncludes(stderr, "there is no backup, and no such folder (is it mounted?)");
    }
    assertEquals(
      (await run("restore", "--config", `${folder}/c.yml`, `${folder}/app.db`)).code,
      75,
      "never for a restore",
    );
  },
);

placeTest(
  "a replica that this host wrote is 75 while its folder is missing, an empty mount point, or another device's",
  async ({ folder, run }) => {
    makeDatabase(`${folder}/app.db`);
    Deno.writeTextFileSync(`${folder}/c.yml`, `dbs: [{path: ${folder}/app.db, replicas: [{path: ${folder}/mount}]}]\n`);
    const config = ["--config", "c.yml"];
    assertEquals((await run("replicate", "--once", ...config)).code, 0);
    Deno.renameSync(`${folder}/mount`, `${folder}/away`);
    for (const holds of ["missing", "nothing", "something else"]) {
      if (holds === "nothing") Deno.mkdirSync(`${folder}/mount`);
      if (holds === "something else") Deno.writeTextFileSync(`${folder}/mount/photo.jpg`, "");
      for (
        const words of [["verify"], ["points"], ["restore", "-o", "out.db"], [
          "restore",
          "--if-replica-exists",
          "-o",
          "x.db",
        ]]
      ) {
        const { code, stdout, stderr } = await run(...words, ...config, "app.db");
        assertEquals(code, 75, `${words.join(" ")}, ${holds}`);
        assertStringIncludes(stdout + stderr, "(is it mounted?)");
      }
    }
    Deno.removeSync(`${folder}/mount`, { recursive: true });
    Deno.renameSync(`${folder}/away`, `${folder}/mount`);
    assertEquals((await run("verify", "--quiet", ...config)).code, 0);
  },
);

placeTest("a path to a replica is as good as its URL", async ({ folder, root, run }) => {
  const restored = await run("restore", "-o", "out.db", root);
  assertEquals(restored.code, 0, restored.stderr);
  assertEquals(Deno.readFileSync(`${folder}/out.db`), imageOf(4096, 1));
  assertEquals((await run("points", "replica")).code, 0);
  assertStringIncludes((await run("restore", root)).stderr, "nothing says where to (add -o FILE)");
});

placeTest("a path at which no file can be made is no missing backup", async ({ url, run }) => {
  const { code, stderr } = await run("restore", "--if-replica-exists", "-o", "/proc/out.db", url);
  assertEquals([code, stderr.includes("/proc/out.db.tailrace-restore.tmp")], [1, true]);
});
