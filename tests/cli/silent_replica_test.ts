import { DatabaseSync } from "node:sqlite";
import { limits } from "../../lib/base/limits.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
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

Deno.test("a signal ends verify and restore while a device hangs, and so does --timeout", () =>
  withTemporaryFolder(async (folder) => {
    await new ReplicaBuilder(`${folder}/mounted/r`).snapshot(0, 0, imageOf(4096, 1));
    const url = `file://${folder}/mounted/r`;
    for (const words of [["verify", url], ["restore", "-o", "out.db", url]]) {
      let stop: (() => void) | undefined;
      const { code, stderr } = await runInProcess(words, folder, { TMPDIR: folder }, {
        files: silentBelow(`${folder}/mounted`, [], () => stop?.()),
        onSignal: (callback) => {
          stop = () => callback("SIGTERM");
          return () => stop = undefined;
        },
      });
      assertEquals(code, 1, stderr);
      assertStringIncludes(stderr, "it was interrupted", words.join(" "));
    }
    const files = silentBelow(`${folder}/mounted`);
    const { code, stdout } = await runInProcess(["verify", "--timeout", "5s", url], folder, { TMPDIR: folder }, {
      files,
    });
    assertEquals(code, 75);
    assertStringIncludes(stdout, "there was no more time");
  }));

Deno.test("every command ends, and says so, when the device of its config hangs", () =>
  withTemporaryFolder(async (folder) => {
    const config = `${folder}/mounted/c.yml`;
    const commands = ["status", "verify", "points app.db", "generations app.db", "snapshots app.db", "wal app.db"];
    const others = ["prune app.db", "replicate", "replicate --once", "databases", "snapshot app.db"];
    for (const command of [...commands, ...others, "restore -o out.db app.db", "restore --dry-run -o out.db app.db"]) {
      const words = command.split(" ");
      const calledOnLoop: string[] = [];
      const options = {
        files: silentBelow(`${folder}/mounted`, calledOnLoop),
        shortMs: limits.configAnswerMaxMs,
      };
      const { code, stderr } = await runInProcess([...words, "--config", config], folder, {}, options);
      assertEquals(stderr, `Cannot read config ${config}: its device has not answered for 120 s\n`, command);
      assertEquals([code, calledOnLoop], [75, []], command);
    }
  }));

Deno.test("a signal ends every command while the device of its config hangs", () =>
  withTemporaryFolder(async (folder) => {
    const config = `${folder}/mounted/c.yml`;
    for (const command of ["status", "verify", "replicate", "restore"]) {
      let stop: (() => void) | undefined;
      const words = command === "restore" ? [command, "-o", "out.db", "app.db"] : [command];
      const { code, stderr } = await runInProcess([...words, "--config", config], folder, {}, {
        files: silentBelow(`${folder}/mounted`, [], () => stop?.()),
        onSignal: (callback) => {
          stop = () => callback("SIGTERM");
          return () => stop = undefined;
        },
      });
      assertStringIncludes(stderr, `Cannot read config ${config}: it was interrupted`, command);
      assertEquals(code, 1, command);
    }
  }));

Deno.test("--timeout ends verify while the device of its config, of a database or of its state hangs", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/database.yml`, "dbs: [{path: mounted/app.db, replicas: [{path: r}]}]");
    Deno.writeTextFileSync(`${folder}/state.yml`, "dbs: [{path: app.db, meta-path: mounted/s, replicas: [{path: r}]}]");
    for (const config of ["mounted/c.yml", "database.yml", "state.yml"]) {
      const words = ["verify", "--timeout", "1s", "--config", config];
      const { code, stderr } = await runInProcess(words, folder, {}, { files: silentBelow(`${folder}/mounted`) });
      assertMatch(
        stderr,
        /^Cannot (?:read config|look at) \S+: it was interrupted \(--timeout 1s was over\)\n/,
        config,
      );
      assertEquals(code, 75, config);
    }
  }));

Deno.test("every command ends, and says so, when the device of a database or of its state hangs", () =>
  withTemporaryFolder(async (folder) => {
    for (const entry of ["path: mounted/app.db", "path: app.db, meta-path: mounted/s"]) {
      Deno.writeTextFileSync(`${folder}/c.yml`, `dbs: [{${entry}, replicas: [{path: r}]}]`);
      const [, database = ""] = /^path: ([^,]*)/.exec(entry) ?? [];
      const one = ["points", "generations", "prune", "restore -o out.db", "snapshot"];
      const commands = [
        "status",
        "verify",
        "replicate",
        "replicate --once",
        ...one.map((words) => `${words} ${database}`),
      ];
      for (const command of commands) {
        const [calledOnLoop, isStopped] = [[] as string[], command.includes("points")];
        const asked = Promise.withResolvers<void>();
        let stop: (() => void) | undefined;
        const { code, stderr } = await runInProcess([...command.split(" "), "--config", "c.yml"], folder, {}, {
          files: silentBelow(`${folder}/mounted`, calledOnLoop, () => isStopped ? stop?.() : asked.resolve()),
          shortMs: limits.configAnswerMaxMs,
          shortAfter: asked.promise,
          onSignal: (callback) => {
            stop = () => callback("SIGTERM");
            return () => stop = undefined;
          },
        });
        // One that answers may be late as well, when it is asked beside the other.
        const why = isStopped ? "it was interrupted" : "its device has not answered for 120 s";
        assertMatch(stderr, new RegExp(`^(?:.*INFO.*\\n)?Cannot look at ${folder}/\\S+: ${why}\\n`), command);
        if (!isStopped) {
          assertStringIncludes(stderr, `Advice: a replica is read without it where it is named by its URL`);
        }
        assertEquals([code, calledOnLoop], [isStopped ? 1 : 75, []], command);
      }
    }
  }));
