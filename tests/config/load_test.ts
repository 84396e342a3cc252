import { cleanEnvironment } from "../../lib/base/environment_value.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { join } from "../../lib/base/path.ts";
import { findDatabase, loadConfig } from "../../lib/config/load.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { assertEquals, assertRejects, assertStrictEquals } from "../support/assert.ts";
import { makeNode } from "../support/no_files.ts";
import { openBelow } from "../support/open_below.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const files = new DenoFileSystem();
const tools = { files, clock: new SystemClock() };

function load(folder: string, flag: string) {
  return loadConfig(tools, { flag, expand: true, environment: () => undefined, currentFolder: folder });
}

async function problemOf(folder: string, flag: string): Promise<string> {
  const error = await assertRejects(() => load(folder, flag), ReplicationError);
  assertStrictEquals(error.code, "config-invalid");
  return error.message.replaceAll(folder, "");
}

Deno.test("loadConfig() takes relative paths from the current folder, and remembers its file", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.mkdirSync(join(folder, "etc"));
    Deno.writeTextFileSync(join(folder, "etc/c.yml"), "dbs: [{path: a.db, replicas: [{path: b}]}]");
    const config = await load(folder, "etc/c.yml");
    assertEquals(config.source, `${folder}/etc/c.yml`);
    assertEquals(config.databases.map(({ path, replicas }) => [path, replicas[0]?.path]), [
      [`${folder}/a.db`, `${folder}/b`],
    ]);
  });
});

Deno.test("loadConfig() refuses what is no file, too large, or cannot be read", async () => {
  await withTemporaryFolder(async (folder) => {
    assertEquals(
      await problemOf(folder, "c.yml"),
      "Cannot read config /c.yml: there is no such file (named by --config)",
    );
    assertEquals(await problemOf(folder, "."), "Cannot read config : it is a folder (it should be a YAML file)");
    Deno.writeTextFileSync(join(folder, "large.yml"), "#".repeat(limits.configMaxBytes + 1));
    assertEquals(
      await problemOf(folder, "large.yml"),
      "Cannot read config /large.yml: it is larger than 4MiB (it should be a YAML file)",
    );
    Deno.symlinkSync(join(folder, "circle"), join(folder, "circle"));
    assertEquals((await problemOf(folder, "circle")).startsWith("Cannot look at /circle: "), true);
  });
});

Deno.test("loadConfig() refuses at once what can be no config, whatever it is", async () => {
  await withTemporaryFolder(async (folder) => {
    makeNode("socket", `${folder}/socket`);
    Deno.symlinkSync("/dev/zero", `${folder}/zero`);
    Deno.writeTextFileSync(`${folder}/sparse`, "");
    Deno.truncateSync(`${folder}/sparse`, 2 ** 40);
    const expected = "(it should be a YAML file)";
    assertEquals(await problemOf(folder, "socket"), `Cannot read config /socket: it is a socket ${expected}`);
    assertEquals(await problemOf(folder, "zero"), `Cannot read config /zero: it is a device ${expected}`);
    assertEquals(await problemOf(folder, "sparse"), `Cannot read config /sparse: it is larger than 4MiB ${expected}`);
  });
});

const SMALLEST = "dbs: [{path: a.db, replicas: [{path: b}]}]";

/** A pipe, with its other end; opened to read as well it waits for nobody. */
function pipeIn(folder: string): Deno.FsFile {
  makeNode("pipe", `${folder}/pipe`);
  return Deno.openSync(`${folder}/pipe`, { read: true, write: true });
}

/** While who reads waits, the next of these is done. */
function stepsInsteadOfTime(steps: (() => void)[]) {
  let nowMs = 0;
  const real = new SystemClock();
  const sleep = (ms: number, signal?: AbortSignal) => {
    if (ms === limits.configAnswerMaxMs) return real.sleep(ms, signal); // For which nothing is waited here.
    return Promise.resolve(void (nowMs += ms, steps.shift()?.()));
  };
  return Object.assign(new SystemClock(), { monotonicMs: () => nowMs, sleep });
}

/** The same until the last step; then time passes as it does, so that devices are waited for. */
function stepsBeforeTime(steps: (() => void)[]) {
  const real = new SystemClock();
  const clock = stepsInsteadOfTime(steps);
  const { sleep } = clock;
  const wait = (ms: number, signal?: AbortSignal) => steps.length > 0 ? sleep(ms, signal) : real.sleep(ms, signal);
  return Object.assign(clock, { sleep: wait });
}

Deno.test("loadConfig() reads a pipe in whatever pieces it comes, until its end", async () => {
  await withTemporaryFolder(async (folder) => {
    const writer = pipeIn(folder);
    const bytes = new TextEncoder().encode(SMALLEST);
    const clock = stepsBeforeTime([
      () => writer.writeSync(bytes.subarray(0, 9)),
      () => writer.writeSync(bytes.subarray(9)),
      () => writer.close(),
    ]);
    const config = await loadConfig({ files, clock }, {
      flag: "pipe",
      expand: true,
      environment: () => undefined,
      currentFolder: folder,
    });
    assertEquals(config.databases.map(({ path }) => path), [`${folder}/a.db`]);
  });
});

Deno.test("loadConfig() gives up a pipe that nobody writes to, that does not end, or that is endless", async () => {
  for (
    const [steps, problem] of [
      [(_: Deno.FsFile) => [], "it is a pipe, which did not end within 60 s"],
      [(writer: Deno.FsFile) => [() => writer.close()], "it is a pipe, which did not end within 60 s"],
      [
        (writer: Deno.FsFile) => Array(100).fill(() => writer.writeSync(new Uint8Array(64 << 10).fill(35))),
        "it is larger than 4MiB",
      ],
    ] as const
  ) {
    await withTemporaryFolder(async (folder) => {
      using writer = pipeIn(folder);
      const tools = { files, clock: stepsInsteadOfTime(steps(writer)) };
      const error = await assertRejects(
        () => loadConfig(tools, { flag: "pipe", expand: true, environment: () => undefined, currentFolder: folder }),
        ReplicationError,
      );
      assertStrictEquals(error.code, "config-invalid");
      assertEquals(error.message, `Cannot read config ${folder}/pipe: ${problem} (it should be a YAML file)`);
    });
  }
});

Deno.test("loadConfig() waits for a pipe no longer than the program is to go on", async () => {
  await withTemporaryFolder(async (folder) => {
    using _writer = pipeIn(folder);
    const stopped = new AbortController();
    const tools = { files, clock: stepsInsteadOfTime([() => stopped.abort()]) };
    const error = await assertRejects(() =>
      loadConfig(tools, {
        flag: "pipe",
        expand: true,
        environment: () => undefined,
        currentFolder: folder,
        whileInterruptible: (work) => work(stopped.signal),
      }), ReplicationError);
    assertEquals([error.code, error.message], ["cancelled", `Cannot read config ${folder}/pipe: it was interrupted`]);
    assertEquals(openBelow(`${folder}/pipe`).length, 1);
  });
});

Deno.test("loadConfig() names the line of a database that is listed twice", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(
      join(folder, "c.yml"),
      "dbs:\n  - path: a.db\n    replicas: [{path: b}]\n  - path: a.db\n    replicas: [{path: c}]\n",
    );
    assertEquals(
      await problemOf(folder, "c.yml"),
      "Cannot use config /c.yml:4:11: the database /a.db is listed twice (list each file once, with all its replicas)",
    );
  });
});

Deno.test("loadConfig() refuses bytes that are no UTF-8, since a path would become another one", async () => {
  await withTemporaryFolder(async (folder) => {
    const text = "# caf\u00e9\ndbs:\n  - path: caf\u00e9.db\n    replicas: [{path: b}]\n";
    Deno.writeTextFileSync(join(folder, "c.yml"), text);
    assertEquals((await load(folder, "c.yml")).databases[0]?.path, `${folder}/caf\u00e9.db`);
    Deno.writeFileSync(join(folder, "c.yml"), Uint8Array.from(text.replace("\u00e9", "e"), (c) => c.charCodeAt(0)));
    assertEquals(
      await problemOf(folder, "c.yml"),
      "Cannot read /c.yml: line 3 is not UTF-8 (it must be a text in UTF-8)",
    );
  });
});

Deno.test("loadConfig() says what it took off the variable that names the config", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(join(folder, "c.yml"), "dbs: [{path: ~/a.db, replicas: [{path: b}]}]");
    const variables: Record<string, string> = { TAILRACE_CONFIG: '"c.yml"\n', HOME: "/home/me\n" };
    const environment = cleanEnvironment((name) => variables[name]);
    const config = await loadConfig(tools, { flag: undefined, expand: true, environment, currentFolder: folder });
    assertEquals(config.databases[0]?.path, "/home/me/a.db");
    assertEquals(config.warnings, [
      "the environment variable TAILRACE_CONFIG is taken without the line feed at its end and the quotes around it",
    ]);
  });
});

Deno.test("loadConfig() says what is wrong inside the file and between its parts in one run", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(
      join(folder, "c.yml"),
      "colour: red\ndbs:\n  - {path: a.db, replicas: [{path: b}]}\n  - {path: c.db, replicas: [{path: b/c}]}\n" +
        "  - {path: a.db, replicas: [{path: d}]}\n",
    );
    const error = await assertRejects(() => load(folder, "c.yml"), ReplicationError);
    assertEquals(
      [error.message, ...error.others].map((message) => message.replaceAll(folder, "").slice(0, 60)),
      [
        'Cannot use config /c.yml:1:1: unknown key "colour" (known he',
        "Cannot use config /c.yml:5:12: the database /a.db is listed t",
        "Cannot use config /c.yml:4:36: the replica /b/c lies inside t",
      ].map((message) => message.slice(0, 60)),
    );
  });
});

Deno.test("findDatabase() finds an entry by any path that leads to its file", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.mkdirSync(join(folder, "real"));
    Deno.symlinkSync(join(folder, "real"), join(folder, "linked"));
    Deno.writeTextFileSync(join(folder, "c.yml"), "dbs: [{path: real/a.db, replicas: [{path: b}]}]");
    const config = await load(folder, "c.yml");
    assertEquals(findDatabase(config, files, `${folder}/real/a.db`), config.databases[0]);
    assertEquals(findDatabase(config, files, `${folder}/linked/a.db`), config.databases[0]);
    assertEquals(findDatabase(config, files, `${folder}/other.db`), undefined);
  });
});

Deno.test("loadConfig() takes a file named litestream.yml for Litestream's, and one that its variable names", async () => {
  await withTemporaryFolder(async (folder) => {
    for (const name of ["litestream.yml", "c.yml"]) {
      Deno.writeTextFileSync(join(folder, name), "dbs: [{path: a.db, replicas: [{path: b}]}]");
    }
    const layoutBy = async (flag: string | undefined, variable: string | undefined) => {
      const environment = cleanEnvironment((name) => name === "LITESTREAM_CONFIG" ? variable : undefined);
      const config = await loadConfig(tools, { flag, expand: true, environment, currentFolder: folder });
      return config.databases[0]?.replicas[0]?.defaultLayout;
    };
    assertEquals(await layoutBy("c.yml", undefined), "raw");
    assertEquals(await layoutBy("litestream.yml", undefined), "litestream");
    assertEquals(await layoutBy(undefined, "c.yml"), "litestream");
    assertEquals(await layoutBy("c.yml", "litestream.yml"), "raw");
  });
});

Deno.test("loadConfig() asks for recipients only of those who write", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(
      join(folder, "c.yml"),
      "dbs:\n  - path: a.db\n    replicas:\n      - path: b\n        age: {identities: []}\n",
    );
    assertEquals((await load(folder, "c.yml")).databases[0]?.replicas[0]?.age?.recipients, []);
    const source = { flag: "c.yml", expand: true, environment: () => undefined, currentFolder: folder };
    const error = await assertRejects(() => loadConfig(tools, { ...source, forWriting: true }), ReplicationError);
    assertStrictEquals(error.code, "config-invalid");
    assertEquals(
      error.message.replaceAll(folder, ""),
      'Cannot use config /c.yml:5:14: the replica "file" has "age" without "recipients" ' +
        '(name at least one, or remove "age")',
    );
  });
});
