import { DatabaseSync } from "node:sqlite";
import { TEST_LZ4_VARIABLE } from "../../scripts/setup.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { databaseImage } from "../support/database_image.ts";
import { RecordedDatabase } from "../support/recorded_database.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

/**
 * The instructions of docs/format.md: index after index, copy snapshot and WAL as `app.db` and `app.db-wal`, open with SQLite,
 * `PRAGMA wal_checkpoint(TRUNCATE)`, close.
 */
function restoreByHand(replica: ReplicaBuilder, folder: string): Uint8Array {
  const path = `${folder}/app.db`;
  const entries = [...Deno.readDirSync(`${replica.root}/generations/${replica.generation}/wal`)];
  const indexes = entries.filter(({ name }) => name.endsWith(".wal")).length;
  Deno.writeFileSync(path, Deno.readFileSync(replica.path(0, "snapshot")));
  for (let index = 0; index < indexes; index++) {
    Deno.writeFileSync(`${path}-wal`, Deno.readFileSync(replica.path(index, "wal")));
    const database = new DatabaseSync(path);
    database.exec("PRAGMA synchronous = OFF");
    const [busy] = Object.values(database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() ?? {});
    database.close();
    assertEquals(busy, 0);
  }
  return Deno.readFileSync(path);
}

/** The shell's lines of docs/format.md for the layout `litestream`, as they stand there; SQLite's own part is done here. */
function shellLines(generation: string): string {
  const text = Deno.readTextFileSync(new URL("../../docs/format.md", import.meta.url));
  const block = /Step 3 is then:\n\n((?: {4}.*\n)+)/.exec(text)?.[1] ?? "";
  const lines = block.replace(/^ {4}/gm, "");
  assert(lines.includes("lz4 -dc"), "the lines are there");
  return lines.replace(/^generation=.*$/m, `generation=${generation}`);
}

Deno.test("restore() of the layout litestream gives what lz4 and sqlite give to whoever restores by hand", () =>
  withTemporaryFolder(async (folder) => {
    const options = { seed: 24, pageSize: 1024, snapshots: 0, restarts: 6, layout: "litestream" } as const;
    const { replica } = await RecordedDatabase.make(folder, options);
    await restoreFrom(replica.store, `${folder}/restored.db`);
    const tools = `${folder}/tools`;
    Deno.mkdirSync(tools);
    Deno.symlinkSync(Deno.env.get(TEST_LZ4_VARIABLE) ?? "/usr/bin/lz4", `${tools}/lz4`);
    const sqlite = 'import { DatabaseSync } from "node:sqlite";' +
      "const db = new DatabaseSync(Deno.args[0]);" +
      "console.log(Object.values(db.prepare(Deno.args[1]).get()).join('|')); db.close();";
    Deno.writeTextFileSync(`${tools}/sqlite3.ts`, sqlite);
    const script = `#!/bin/sh\nexec ${Deno.execPath()} run --quiet -A ${tools}/sqlite3.ts "$@"\n`;
    Deno.writeTextFileSync(`${tools}/sqlite3`, script, { mode: 0o755 });
    Deno.mkdirSync(`${folder}/hand`);
    const generation = `${replica.root}/generations/${replica.generation}`;
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", shellLines(generation)],
      cwd: `${folder}/hand`,
      env: { PATH: `${tools}:${Deno.env.get("PATH")}` },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    assert(/^(0\|0\|0\n)+$/.test(new TextDecoder().decode(stdout)), "each round prints 0|0|0");
    const byHand = Deno.readFileSync(`${folder}/hand/app.db`);
    assert(byHand.length > 20_000);
    assertEquals(Deno.readFileSync(`${folder}/restored.db`), byHand);
  }));

for (const seed of [21, 22, 23]) {
  Deno.test(`restore() gives what sqlite gives to whoever restores by hand (seed ${seed})`, () =>
    withTemporaryFolder(async (folder) => {
      const { replica } = await RecordedDatabase.make(folder, { seed, pageSize: 1024, snapshots: 0, restarts: 20 });
      await restoreFrom(replica.store, `${folder}/restored.db`);
      const byHand = restoreByHand(replica, folder);
      assert(byHand.length > 20_000);
      assertEquals(Deno.readFileSync(`${folder}/restored.db`), byHand);
    }));
}

/** The first page of a real database in WAL mode: without it SQLite takes no file for a database. */
function firstPage(folder: string, pageSize: number): Uint8Array {
  const database = new DatabaseSync(`${folder}/first.db`);
  database.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = WAL; PRAGMA user_version = 1`);
  database.close();
  return Deno.readFileSync(`${folder}/first.db`).subarray(0, pageSize);
}

Deno.test("restore() cuts off what sqlite cuts off, when the database shrinks and grows again", () =>
  withTemporaryFolder(async (folder) => {
    const pageSize = 512;
    const first = firstPage(folder, pageSize);
    const image = imageOf(pageSize, 1, 2, 3, 4, 5, 6);
    image.set(first);
    const replica = await new ReplicaBuilder(`${folder}/replica`, { pageSize }).snapshot(0, 0, image);
    const sizes = [8, 3, 7];
    for (const [index, databasePages] of sizes.entries()) {
      const wal = new WalBuilder({ pageSize, salt: { salt1: index, salt2: index } });
      const end = wal.commit(databasePages, [Math.min(databasePages, 5), 100 + index]);
      await replica.wal(index, wal.bytes(), { end, databasePages });
      if (index < 2) await replica.close(index);
    }
    await restoreFrom(replica.store, `${folder}/restored.db`);
    const byHand = restoreByHand(replica, folder);
    assertEquals(byHand.length, 7 * pageSize);
    assert(byHand.subarray(3 * pageSize, 4 * pageSize).every((byte) => byte === 0), "page 4 was cut off");
    assertEquals(Deno.readFileSync(`${folder}/restored.db`), byHand);
  }));

Deno.test("restore() keeps within an index what sqlite keeps, when the database shrinks and grows again", () =>
  withTemporaryFolder(async (folder) => {
    const pageSize = 512;
    const image = imageOf(pageSize, 1, 2);
    image.set(firstPage(folder, pageSize));
    const replica = await new ReplicaBuilder(`${folder}/replica`, { pageSize }).snapshot(0, 0, image);
    const wal = new WalBuilder({ pageSize });
    const ends = [wal.commit(4, [3, 30], [4, 40]), wal.commit(2, [2, 21]), wal.commit(4, [3, 31])];
    const commits = ends.map((end, i) => ({ end, databasePages: [4, 2, 4][i] ?? 0 }));
    await replica.wal(0, wal.bytes(), ...commits);
    await restoreFrom(replica.store, `${folder}/restored.db`);
    Deno.copyFileSync(replica.path(0, "snapshot"), `${folder}/app.db`);
    Deno.copyFileSync(replica.path(0, "wal"), `${folder}/app.db-wal`);
    assertEquals(Deno.readFileSync(`${folder}/restored.db`), databaseImage(`${folder}/app.db`, `${folder}/scratch`));
  }));
