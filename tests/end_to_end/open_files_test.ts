/** Descriptors that run out, by connections to `addr` or by anything else: said, and never the end of replication. */
import { DatabaseSync } from "node:sqlite";
import { limits } from "../../lib/base/limits.ts";
import { assert, assertEquals, assertLessOrEqual, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type Daemon, startReplicate, until } from "../support/daemon.ts";
import { limitOpenFiles, openFilesOf } from "../support/open_files_limit.ts";
import { insert, type Scene, withScene } from "./scene.ts";

async function portOf(daemon: Daemon): Promise<number> {
  const line = await daemon.line("Serving metrics and health");
  return Number(/metrics=http:\S+:(\d+)\/metrics/.exec(line)?.[1]);
}

/** What the daemon answers to a request that names the host so. */
async function ask(port: number, host: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(`GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
  let text = "";
  const bytes = new Uint8Array(4_096);
  for (;;) {
    const count = await connection.read(bytes);
    if (count === null) return text;
    text += new TextDecoder().decode(bytes.subarray(0, count));
  }
}

function rows(database: DatabaseSync): number {
  return Number(database.prepare("SELECT count(*) AS n FROM entry").get()?.["n"]);
}

/** Rows that are written now arrive; when, the machine says. */
async function assertReplicates(scene: Scene, application: DatabaseSync): Promise<void> {
  insert(application, 30);
  const look = `${scene.folder}/look.db`;
  await until(async () => {
    await scene.replicated();
    Deno.writeFileSync(look, await scene.restored());
    const restored = new DatabaseSync(look);
    const count = rows(restored);
    restored.close();
    return count === rows(application);
  }, "the rows to be on the replica");
}

/** The application and the daemon end as they should, and the replica is what the database is. */
async function assertEndsWell(scene: Scene, application: DatabaseSync, daemon: Daemon): Promise<void> {
  application.close();
  assertEquals(await daemon.stop(), 0);
  await scene.expectEqual();
}

Deno.test({
  name: "trouble: idle connections to addr, up to the limit on open files and beyond",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      insert(application, 30);
      const config = scene.config([], ["addr: 127.0.0.1:0"]);
      await using daemon = startReplicate(["--config", config], {
        wrapper: ["sh", "-c", 'ulimit -n 150; exec "$@"', "sh"],
      });
      const port = await portOf(daemon);
      await daemon.ready();
      const before = openFilesOf(daemon.pid);
      const idle: Deno.Conn[] = [];
      try {
        while (idle.length < 300) idle.push(await Deno.connect({ hostname: "127.0.0.1", port }));
        // To look whether descriptors are left it opens some for a moment.
        const most = before + limits.httpConnectionsMax + limits.httpSpareDescriptors + 8;
        assertLessOrEqual(openFilesOf(daemon.pid), most);
        for (let round = 0; round < 3; round++) await assertReplicates(scene, application);
      } finally {
        for (const connection of idle) connection.close();
      }
      assertMatch(await ask(port, "localhost"), /^HTTP\/1\.1 200 OK/);
      await assertEndsWell(scene, application, daemon);
    }),
});

/** Connections that ask nothing; each that is closed is opened again, until this is disposed of. */
class Flood implements AsyncDisposable {
  /** How many were closed by the other side. */
  ended = 0;
  #isOver = false;
  readonly #open = new Set<Deno.Conn>();
  readonly #finished: Promise<unknown>;

  constructor(port: number, count: number) {
    this.#finished = Promise.all(Array.from({ length: count }, () => this.#hold(port)));
  }

  async #hold(port: number): Promise<void> {
    while (!this.#isOver) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      this.#open.add(connection);
      await connection.read(new Uint8Array(1)).catch(() => {});
      if (!this.#open.delete(connection)) return;
      connection.close();
      this.ended++;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const connection of this.#open) connection.close();
    this.#open.clear();
    await this.#finished;
  }
}

Deno.test({
  name: "trouble: connections to addr that ask nothing and come again when they are closed, beside a scraper",
  timeout: 120_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      insert(application, 30);
      await using daemon = startReplicate(["--config", scene.config([], ["addr: 127.0.0.1:0"])]);
      const port = await portOf(daemon);
      await daemon.ready();
      {
        await using flood = new Flood(port, 200);
        await until(() => flood.ended > 200, "the flood");
        for (let answered = 0; answered < 10;) {
          const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
          // On a machine that stands still for a moment the others may come first: a scraper asks again.
          if (response === undefined) continue;
          assertEquals(response.status, 200);
          assertStringIncludes(await response.text(), "tailrace_healthy");
          answered++;
        }
        const before = flood.ended;
        for (let round = 0; round < 3; round++) await assertReplicates(scene, application);
        await until(() => flood.ended > before, "the flood to go on");
      }
      await assertEndsWell(scene, application, daemon);
    }),
});

Deno.test({
  name: "trouble: a request to addr that names a host of a stranger",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      insert(scene.application(), 1);
      const config = scene.config([], ["addr: 127.0.0.1:0", "addr-names: Backup.example.com other"]);
      await using daemon = startReplicate(["--config", config]);
      const port = await portOf(daemon);
      for (const host of ["localhost", `127.0.0.1:${port}`, "backup.example.com:80", "OTHER"]) {
        assertMatch(await ask(port, host), /^HTTP\/1\.1 (?:200|503) /, host);
      }
      for (const host of ["rebound.example", "rebound.example", "10.0.0.1"]) {
        assertMatch(await ask(port, host), /^HTTP\/1\.1 421 [^]*addr-names/, host);
      }
      for (const host of ["", "a b", "a@b"]) assertMatch(await ask(port, host), /^HTTP\/1\.1 400 /, host);
      await daemon.line("A request for rebound.example is not answered");
      assertEquals(daemon.saying("is not answered").length, 1, daemon.text);
      assertEquals(await daemon.stop(), 0);
    }),
});

Deno.test({
  name: "trouble: too many open files while databases are followed",
  timeout: 120_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      insert(application, 30);
      await using daemon = startReplicate(["--config", scene.config([])]);
      await daemon.ready();
      await scene.replicated();
      const limit = limitOpenFiles(daemon.pid, openFilesOf(daemon.pid));
      // What is written must go to files of the next index, which cannot be opened.
      insert(application, 30);
      application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      insert(application, 30);
      const said = await daemon.line("too many open files");
      assertMatch(said, /(?:WARN|ERROR) .*Cannot .*too many open files.*advice="raise the limit on open files/);
      insert(application, 30);
      limitOpenFiles(daemon.pid, limit);
      await assertReplicates(scene, application);
      assert(!/damage|corrupt|not a SQLite|fault/i.test(daemon.text), daemon.text);
      await assertEndsWell(scene, application, daemon);
    }),
});

Deno.test({
  name: "trouble: too many open files when a database is taken up whose first read is prepared in a Worker",
  timeout: 120_000,
  fn: () =>
    withScene(async (scene) => {
      await using daemon = startReplicate(["--config", scene.config([])]);
      await daemon.line("Waiting for");
      const limit = limitOpenFiles(daemon.pid, openFilesOf(daemon.pid) + 5);
      const application = await daemon.whileStopped(() => {
        const writing = scene.application();
        writing.exec("PRAGMA wal_autocheckpoint = 0");
        while (Deno.statSync(scene.wal).size <= limits.recoveredAtOnceBytes) insert(writing, 1, 1 << 20);
        return writing;
      });
      await daemon.line("too many open files");
      limitOpenFiles(daemon.pid, limit);
      await daemon.ready();
      await assertReplicates(scene, application);
      await assertEndsWell(scene, application, daemon);
    }),
});
