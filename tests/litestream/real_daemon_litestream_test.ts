/** What the other tests rest on: the real program is run as it wants to be, and what it says is understood. */
import { DatabaseSync } from "node:sqlite";
import { aKeyPair } from "../support/age.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { matrixTest } from "./support/matrix.ts";
import {
  type LitestreamDatabase,
  litestreamGenerations,
  litestreamSnapshots,
  type LitestreamSource,
  litestreamWal,
  restoreWithLitestream,
  startLitestream,
} from "./support/real_litestream.ts";

const LITESTREAM = { writer: "litestream", reader: "litestream" } as const;

function anApplication(path: string): DatabaseSync {
  const application = new DatabaseSync(path, { timeout: 5_000 });
  application.exec("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS entry(n INTEGER PRIMARY KEY, body BLOB)");
  return application;
}

function insert(application: DatabaseSync, rows: number): void {
  for (let i = 0; i < rows; i++) application.exec("INSERT INTO entry(body) VALUES(randomblob(900))");
}

async function expectRestores(source: LitestreamSource, database: string, scratch: string): Promise<void> {
  const output = `${scratch}/${crypto.randomUUID()}.db`;
  const { code, stderr } = await restoreWithLitestream(source, output);
  assertEquals(code, 0, stderr);
  assertEquals(comparePages(databaseImage(database, scratch), Deno.readFileSync(output)).different, []);
}

matrixTest({ ...LITESTREAM, feature: "replicate, list, restore" }, () =>
  withTemporaryFolder(async (folder) => {
    const replica = { path: `${folder}/replica` };
    const database: LitestreamDatabase = {
      path: `${folder}/app.db`,
      replicas: [replica],
      minCheckpointPageCount: 10,
    };
    using application = anApplication(database.path);
    await using litestream = startLitestream(`${folder}/litestream.yml`, [database]);
    for (let round = 0; round < 3; round++) {
      insert(application, 12);
      await litestream.synced();
    }
    const end = litestream.positionOf(database, replica);
    assert(end !== undefined && end.index > 0, "the WAL was restarted");
    assertEquals(await litestream.stop(), 0);
    const [generation] = await litestreamGenerations(replica.path);
    assertEquals([generation?.name, generation?.generation], ["file", end.generation]);
    const [snapshot] = await litestreamSnapshots(replica.path);
    assertEquals(snapshot?.generation, end.generation);
    const segments = await litestreamWal(replica.path);
    assertEquals([segments[0]?.index, segments[0]?.offset], [snapshot?.index, 0]);
    assertEquals(segments.at(-1)?.index, end.index);
    assert((generation?.start ?? Infinity) <= (generation?.end ?? 0), "the bounds are dates in order");
    await expectRestores(replica.path, database.path, folder);
  }));

matrixTest({ ...LITESTREAM, feature: "several databases and replicas" }, () =>
  withTemporaryFolder(async (folder) => {
    const databases = ["one", "two"].map((name): LitestreamDatabase => ({
      path: `${folder}/${name}.db`,
      metaPath: `${folder}/${name}-state`,
      replicas: [{ name: "near", path: `${folder}/near-${name}` }, { name: "far", path: `${folder}/far-${name}` }],
    }));
    const config = `${folder}/litestream.yml`;
    const applications = databases.map(({ path }) => anApplication(path));
    await using litestream = startLitestream(config, databases);
    for (const application of applications) insert(application, 5);
    await litestream.synced();
    assertEquals(await litestream.stop(), 0);
    for (const application of applications) application.close();
    for (const { path } of databases) {
      for (const replica of ["near", "far"]) {
        await expectRestores({ config, database: path, replica }, path, folder);
      }
    }
  }));

matrixTest({ ...LITESTREAM, feature: "age" }, () =>
  withTemporaryFolder(async (folder) => {
    const { identity, recipient } = await aKeyPair();
    const age = { identities: [identity], recipients: [recipient] };
    const database = { path: `${folder}/app.db`, replicas: [{ path: `${folder}/replica`, age }] };
    const config = `${folder}/litestream.yml`;
    using application = anApplication(database.path);
    insert(application, 5);
    await using litestream = startLitestream(config, [database]);
    await litestream.synced();
    assertEquals(await litestream.stop(), 0);
    await expectRestores({ config, database: database.path }, database.path, folder);
    assertEquals((await restoreWithLitestream(`${folder}/replica`, `${folder}/by-url.db`)).code, 1);
  }));

matrixTest({ ...LITESTREAM, feature: "going on after a restart" }, () =>
  withTemporaryFolder(async (folder) => {
    const replica = { path: `${folder}/replica` };
    const database = { path: `${folder}/app.db`, replicas: [replica] };
    const config = `${folder}/litestream.yml`;
    using application = anApplication(database.path);
    insert(application, 5);
    {
      await using litestream = startLitestream(config, [database]);
      await litestream.synced();
      await litestream.daemon.stop("SIGKILL");
    }
    await using litestream = startLitestream(config, [database]);
    await litestream.synced(); // Although nothing is new.
    insert(application, 5);
    await litestream.synced();
    assertEquals(await litestream.stop(), 0);
    assertEquals((await litestreamGenerations(replica.path)).length, 1);
    assertEquals((await litestreamSnapshots(replica.path)).length, 1);
    await expectRestores(replica.path, database.path, folder);
  }));
