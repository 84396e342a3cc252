/** `restore --if-db-not-exists --if-replica-exists`, as containers call it before the application. */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { runTailrace, tailraceCommand } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";

interface Stage {
  readonly folder: string;
  readonly database: string;
  readonly words: readonly string[];
  readonly start: () => ReturnType<typeof runTailrace>;
}

const IMAGE = imageOf(4096, 1, 2);

function startTest(name: string, work: (stage: Stage) => Promise<void>): void {
  const fn = () =>
    withTemporaryFolder(async (folder) => {
      await new ReplicaBuilder(`${folder}/replica`).snapshot(0, 0, IMAGE);
      const database = `${folder}/app.db`;
      Deno.writeTextFileSync(`${folder}/c.yml`, `dbs: [{path: ${database}, replicas: [{path: ${folder}/replica}]}]\n`);
      const words = ["restore", "--if-db-not-exists", "--if-replica-exists", "--config", `${folder}/c.yml`, database];
      await work({ folder, database, words, start: () => runTailrace(words, { folder }) });
    });
  Deno.test({ name, timeout: 60_000, fn });
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

startTest(
  "restore at start makes the database where a link into a fresh volume leads",
  async ({ folder, database, start }) => {
    Deno.mkdirSync(`${folder}/volume`);
    Deno.symlinkSync("hop.db", database);
    Deno.symlinkSync(`${folder}/volume/app.db`, `${folder}/hop.db`);
    const { code, stderr } = await start();
    assertEquals(code, 0, stderr);
    assertEquals(Deno.readFileSync(`${folder}/volume/app.db`), IMAGE);
    assert(Deno.lstatSync(database).isSymlink);
    assertStringIncludes((await start()).stderr, "exists already; nothing is restored");
  },
);

startTest("restore at start does not take a file of 0 bytes for a database", async ({ database, start }) => {
  Deno.writeTextFileSync(database, "");
  Deno.chmodSync(database, 0o640);
  const { code, stderr } = await start();
  assertEquals(code, 0, stderr);
  assertEquals(Deno.readFileSync(database), IMAGE);
  assertEquals((Deno.statSync(database).mode ?? 0) & 0o777, 0o640);
});

startTest("restore at start refuses a folder, and links in a circle", async ({ folder, database, start }) => {
  Deno.mkdirSync(database);
  const refused = await start();
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.stderr, "it is a folder (expected the path of a file)");
  Deno.removeSync(database);
  Deno.symlinkSync(`${folder}/other.db`, database);
  Deno.symlinkSync(database, `${folder}/other.db`);
  const circle = await start();
  assertEquals(circle.code !== 0, true, circle.stderr);
});

startTest(
  "several restores at start end with 0 or 75, and one database stands there",
  async ({ folder, database, words }) => {
    const results = await Promise.all(
      Array.from({ length: 5 }, () => tailraceCommand(words, { folder }).output()),
    );
    const codes = results.map(({ code }) => code);
    assertEquals(codes.filter((code) => code !== 0 && code !== 75), []);
    assert(codes.includes(0));
    assertEquals(Deno.readFileSync(database), IMAGE);
    assertEquals(namesIn(folder).filter((name) => name.startsWith("app.db")), ["app.db"]);
  },
);

startTest("restore takes over what a killed one left", async ({ folder, database, start }) => {
  Deno.writeTextFileSync(`${database}.tailrace-restore.tmp`, "half of a much larger database".repeat(1_000));
  assertEquals((await start()).code, 0);
  assertEquals(Deno.readFileSync(database), IMAGE);
  assertEquals(namesIn(folder), ["app.db", "c.yml", "replica"]);
});

startTest(
  "restore says at once that it stops, and two signals at once are one",
  async ({ folder }) => {
    const pageSize = 65_536;
    const replica = new ReplicaBuilder(`${folder}/large`, { pageSize });
    await replica.snapshot(0, 0, new Uint8Array(pageSize * 6_000));
    const child = tailraceCommand(["restore", "-o", `${folder}/large.db`, `file://${folder}/large`]).spawn();
    const hasDraft = () => namesIn(folder).some((name) => name.startsWith("large.db"));
    while (!hasDraft()) await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill("SIGINT");
    child.kill("SIGINT"); // Of a terminal and a supervisor: one wish.
    const { code, stderr } = await child.output();
    const said = new TextDecoder().decode(stderr);
    assert(code === 1 || code === 0, said); // It may have been quicker than the signal.
    if (code === 1) assertStringIncludes(said, "Stopping (SIGINT); once more to end at once\n");
    assertEquals(namesIn(folder).filter((name) => name.endsWith(".tmp")), []);
  },
);
