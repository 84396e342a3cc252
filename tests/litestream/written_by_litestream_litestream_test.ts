/** Ours reads what the real Litestream has written: the same databases, at the same points, byte for byte. */
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals } from "../support/assert.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { matrixTest } from "./support/matrix.ts";
import {
  type LitestreamDatabase,
  litestreamGenerations,
  litestreamSnapshots,
  type LitestreamSource,
  type LitestreamTarget,
  litestreamWal,
  restoreWithLitestream,
  sourceWords,
  startLitestream,
  targetWords,
} from "./support/real_litestream.ts";

const ROW = { writer: "litestream", reader: "tailrace" } as const;

/** A database that the real Litestream has followed, and what it left. */
class Written {
  readonly folder: string;
  readonly database: LitestreamDatabase;
  #outputs = 0;

  constructor(folder: string, options: Partial<LitestreamDatabase> = {}) {
    this.folder = folder;
    const replicas = [{ path: `${folder}/replica` }];
    this.database = { path: `${folder}/app.db`, replicas, minCheckpointPageCount: 15, ...options };
  }

  get replica(): string {
    return `${this.folder}/replica`;
  }

  get config(): string {
    return `${this.folder}/litestream.yml`;
  }

  /** Runs the daemon beside an application, which acts once a round; it is synced after each. */
  async follow(rounds: number, act: (application: DatabaseSync, round: number) => void = work): Promise<void> {
    using application = new DatabaseSync(this.database.path, { timeout: 5_000 });
    application.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    application.exec("CREATE TABLE IF NOT EXISTS entry(n INTEGER PRIMARY KEY, body BLOB)");
    await using litestream = startLitestream(this.config, [this.database]);
    for (let round = 0; round < rounds; round++) {
      act(application, round);
      await litestream.synced();
    }
    assertEquals(await litestream.stop(), 0, litestream.daemon.text);
  }

  image(): Uint8Array {
    return databaseImage(this.database.path, `${this.folder}/image`);
  }

  /** Restores by both programs; what both say, which is the same. */
  async both(target: LitestreamTarget = {}, source: LitestreamSource = this.replica): Promise<Uint8Array> {
    const [ours, peers] = [this.#output(), this.#output()];
    const peer = await restoreWithLitestream(source, peers, target);
    assertEquals(peer.code, 0, peer.stderr);
    const words = ["restore", ...sourceWords(source, ["-o", ours, ...targetWords(target)])];
    const { code, stderr } = await runTailrace(words);
    assertEquals(code, 0, stderr);
    const bytes = Deno.readFileSync(ours);
    assertEquals(comparePages(bytes, Deno.readFileSync(peers)).different, [], JSON.stringify(target));
    return bytes;
  }

  #output(): string {
    return `${this.folder}/restored-${this.#outputs++}.db`;
  }
}

/** Small and large transactions, some in place, some that shrink. */
function work(application: DatabaseSync, round: number): void {
  for (let i = 0; i < 3; i++) application.exec("INSERT INTO entry(body) VALUES(randomblob(700))");
  const large = [
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 60) " +
    "INSERT INTO entry(body) SELECT randomblob(900) FROM r",
    "UPDATE entry SET body = randomblob(800) WHERE n % 3 = 0",
    "DELETE FROM entry WHERE n % 2 = 0",
    "VACUUM",
  ];
  application.exec(large[round % large.length] ?? "");
}

async function listed(command: string, replica: string): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await runTailrace([command, "--json", `file://${replica}`]);
  assertEquals(code, 0, stderr);
  return (JSON.parse(stdout) as Record<string, Record<string, unknown>[]>)[command] ?? [];
}

matrixTest({ ...ROW, feature: "restore, by URL and by its config" }, () =>
  withTemporaryFolder(async (folder) => {
    const written = new Written(folder);
    await written.follow(8);
    assertEquals(comparePages(await written.both(), written.image()).different, []);
    const source = { config: written.config, database: written.database.path };
    assertEquals(comparePages(await written.both({}, source), written.image()).different, []);
  }));

matrixTest({ ...ROW, feature: "the end of each index" }, () =>
  withTemporaryFolder(async (folder) => {
    const written = new Written(folder);
    await written.follow(4);
    const first = (await litestreamSnapshots(written.replica))[0]?.index ?? 0;
    const last = (await litestreamWal(written.replica)).at(-1)?.index ?? 0;
    assert(last - first >= 2, "there are some indexes");
    for (let index = first; index <= last; index++) await written.both({ index });
  }));

matrixTest({ ...ROW, feature: "lists of generations, snapshots and WAL" }, () =>
  withTemporaryFolder(async (folder) => {
    const written = new Written(folder);
    await written.follow(4);
    const seconds = (time: unknown) => Math.floor(new Date(String(time)).getTime() / 1_000);
    const generations = await listed("generations", written.replica);
    const theirs = await litestreamGenerations(written.replica);
    assertEquals(
      generations.map((row) => [row["generation"], seconds(row["start"]), seconds(row["end"])]),
      theirs.map(({ generation, start, end }) => [generation, seconds(start), seconds(end)]),
    );
    const snapshots = await listed("snapshots", written.replica);
    assertEquals(
      snapshots.map((row) => [row["generation"], row["index"]]),
      (await litestreamSnapshots(written.replica)).map(({ generation, index }) => [generation, index]),
    );
    const segments = Map.groupBy(await litestreamWal(written.replica), ({ index }) => index);
    assertEquals(
      (await listed("wal", written.replica)).map((row) => [row["index"], row["bytes"]]),
      [...segments].map(([index, rows]) => [index, rows.reduce((sum, { size }) => sum + size, 0)]),
    );
  }));

matrixTest({ ...ROW, feature: "several generations" }, () =>
  withTemporaryFolder(async (folder) => {
    const written = new Written(folder);
    for (let run = 0; run < 3; run++) {
      await written.follow(2);
      Deno.removeSync(`${folder}/.app.db-litestream`, { recursive: true });
    }
    assertEquals(comparePages(await written.both(), written.image()).different, []);
    const generations = await litestreamGenerations(written.replica);
    assertEquals(generations.length, 3);
    for (const { generation } of generations) await written.both({ generation });
  }));

matrixTest({ ...ROW, feature: "snapshots at intervals" }, () =>
  withTemporaryFolder(async (folder) => {
    const replicas = [{ path: `${folder}/replica`, snapshotInterval: "300ms" }];
    const written = new Written(folder, { replicas });
    await written.follow(12, (application, round) => {
      work(application, round);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100); // So that snapshots fall between.
    });
    const snapshots = await litestreamSnapshots(written.replica);
    assert(snapshots.length >= 2, "there are several snapshots");
    assertEquals(comparePages(await written.both(), written.image()).different, []);
  }));
