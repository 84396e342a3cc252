import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { silentBelow } from "../support/silent_place.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";

/** Longer than anybody waits for one answer of a device. */
const SHORT_MS = 60_000;

Deno.test("every command that reads replicas ends, and says so, when the device of one hangs", () =>
  withTemporaryFolder(async (folder) => {
    const database = new DatabaseSync(`${folder}/app.db`);
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x)");
    database.close();
    await new ReplicaBuilder(`${folder}/mounted/r`).snapshot(0, 0, imageOf(4096, 1));
    Deno.writeTextFileSync(`${folder}/c.yml`, "dbs: [{path: app.db, replicas: [{path: mounted/r}]}]");
    const config = ["--config", "c.yml"];
    const url = `file://${folder}/mounted/r`;
    const ends: readonly (readonly [code: number, ...words: string[]])[] = [
      [1, "status", ...config],
      [1, "status", "--json", ...config],
      [75, "verify", ...config],
      [75, "verify", url],
      [75, "verify", "mounted/r"],
      [75, "restore", ...config, "-o", "out.db", "app.db"],
      [75, "restore", "--if-replica-exists", "-o", "out.db", url],
      [75, "restore", "--dry-run", "-o", "out.db", "mounted/r"],
      [75, "points", ...config, "app.db"],
      [75, "generations", ...config, "app.db"],
      [75, "snapshots", url],
      [75, "wal", url],
      [75, "prune", "--dry-run", ...config, "app.db"],
    ];
    for (const [expected, ...words] of ends) {
      const calledOnLoop: string[] = [];
      const options = { files: silentBelow(`${folder}/mounted`, calledOnLoop), shortMs: SHORT_MS };
      const { code, stdout, stderr } = await runInProcess(words, folder, { TMPDIR: folder }, options);
      assertEquals(code, expected, `${words.join(" ")}: ${stdout}${stderr}`);
      assertEquals(calledOnLoop, [], words.join(" "));
      assertStringIncludes(stdout + stderr, "device has not answered for", words.join(" "));
    }
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.includes("out.db")), []);
  }));
