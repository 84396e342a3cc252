/** `status` says how things stand, with and without a daemon, and what last happened to the history and why. */
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { sleep, startReplicate, until } from "../support/daemon.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

interface ReplicaMembers {
  readonly name: string;
  readonly position: string | null;
  readonly lag_ms: number | null;
  readonly oldest_point: string | null;
  readonly error: string | null;
  readonly trouble: { readonly message: string } | null;
  readonly standing_failure: { readonly problem: string | null } | null;
  readonly last_proof: { readonly outcome: string; readonly reached: string; readonly problem: string | null } | null;
  readonly last_success: { readonly reached: string } | null;
}

interface DatabaseMembers {
  readonly safe: boolean;
  readonly daemon_pid: number | null;
  readonly trouble: { readonly message: string } | null;
  readonly generation: { readonly name: string; readonly reason: string } | null;
  readonly position: string | null;
  readonly last_turn: Readonly<Record<string, unknown>> | null;
  readonly replicas: readonly ReplicaMembers[];
}

function configure(scene: Scene): string {
  const path = `${scene.folder}/tailrace.yml`;
  const replicas = ["near", "far"].map((name) => ({ name, path: `${scene.folder}/${name}` }));
  Deno.writeTextFileSync(path, JSON.stringify({ dbs: [{ path: scene.database, replicas }] }));
  return path;
}

/** A few rows, on both replicas; the config. */
async function replicateOnce(scene: Scene): Promise<string> {
  const config = configure(scene);
  insert(scene.application(), 3);
  assertEquals((await runTailrace(["replicate", "--once", "--config", config])).code, 0);
  return config;
}

interface Problem {
  readonly replica: string | null;
  readonly grade: string;
  readonly problem: string;
  readonly advice: string | null;
}

/** The whole document, which has the exit code in it. */
async function documentOf(config: string) {
  const { code, stdout, stderr } = await runTailrace(["status", "--json", "--config", config]);
  const document = JSON.parse(stdout);
  assertEquals([document.exit_code, document.safe, stderr], [code, code === 0, ""]);
  const problems: readonly Problem[] = document.problems;
  const [database]: readonly DatabaseMembers[] = document.databases;
  assert(database !== undefined);
  return { code, problems, database };
}

async function statusOf(config: string): Promise<DatabaseMembers> {
  return (await documentOf(config)).database;
}

/** What people see: the exit code, and lines. */
async function shownBy(config: string, ...flags: readonly string[]): Promise<{ code: number; lines: string[] }> {
  const { code, stdout, stderr } = await runTailrace(["status", "--config", config, ...flags]);
  assertEquals(stderr, "");
  const lines = stdout.trimEnd().split("\n");
  if (!flags.includes("--long")) {
    for (const line of lines) assert(/^(Try|Advice): /.test(line) || [...line].length <= 80, line);
  }
  return { code, lines };
}

Deno.test({
  name: "status says who replicates, up to where, what is wrong with a replica, and what was proven",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = configure(scene);
      const before = await statusOf(config);
      assertEquals([before.daemon_pid, before.generation, before.position, before.last_turn], [null, null, null, null]);
      assertEquals(before.replicas.map(({ name, position }) => [name, position]), [["near", null], ["far", null]]);

      const application = scene.application();
      insert(application, 3);
      await using daemon = startReplicate(["--config", config]);
      await until(() => daemon.saying("Snapshot done").length === 2, "both snapshots");
      assertEquals((await runTailrace(["verify", "--config", config])).code, 0);
      const flip = `${scene.folder}/far/generations`;
      Deno.renameSync(flip, `${flip}-away`);
      insert(application, 3);
      await daemon.line("is it mounted?");

      const { daemon_pid, generation, position, replicas: [near, far] } = await statusOf(config);
      assertEquals(daemon_pid, daemon.pid);
      assertEquals(generation?.reason, "there is no earlier state");
      assertEquals([near?.position, near?.lag_ms, near?.trouble], [position, 0, null]);
      assert(Date.parse(near?.oldest_point ?? "") > 0);
      assertEquals([near?.last_proof?.outcome, near?.last_success?.reached], ["pass", "structure"]);
      assertStringIncludes(far?.trouble?.message ?? "", "is it mounted?");
      assertEquals(far?.position, null);

      const unsafe = await shownBy(config);
      assertEquals(unsafe.code, 1);
      assertMatch(unsafe.lines[0] ?? "", /^NOT SAFE: app.db, replica far: it holds generations-away\/, and nothing /);
      assertMatch(unsafe.lines[1] ?? "", /^Advice: mount it; to begin anew on purpose: mkdir -p /);

      Deno.renameSync(`${flip}-away`, flip);
      await daemon.line("The replica is well again");
      assertEquals((await statusOf(config)).replicas[1]?.trouble, null);
      const { code, lines: [verdict, empty, titles, ...rows] } = await shownBy(config);
      assertEquals([code, verdict, empty], [0, "ALL SAFE: 1 database, 2 replicas", ""]);
      assertMatch(titles ?? "", /^database +replica +lag +goes back +last proof$/);
      for (const line of rows) assertMatch(line, /^app.db +(near|far) +0s +\d+s +structure, \d+s ago$/);
      const { lines: [, , longTitles, first, second, turn] } = await shownBy(config, "--long", scene.database);
      assertMatch(longTitles ?? "", /^database +replica +daemon +position +lag +oldest point +last proof +trouble$/);
      for (const line of [first, second]) assertMatch(line ?? "", / 0s {2}20.*structure, \d+s ago +none$/);
      assertStringIncludes(turn ?? "", "A new generation begins: ");
      assertEquals(await daemon.stop(), 0);
    }),
});

Deno.test({
  name: "status says what a resync was for, how many pages differed and how long it took, also when nobody replicates",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = configure(scene);
      const application = scene.application();
      insert(application, 3);
      const first = startReplicate(["--config", config]);
      await until(() => first.saying("Snapshot done").length === 2, "both snapshots");
      await first.stop("SIGKILL");
      insert(application, 2);
      application.close(); // The last one: the WAL is gone.
      const second = startReplicate(["--config", config]);
      await second.line("Following");
      assertEquals(await second.stop(), 0);

      const { daemon_pid, last_turn, position, replicas } = await statusOf(config);
      assertEquals(daemon_pid, null);
      assertEquals(last_turn?.["message"], "Resynced");
      assertEquals(last_turn?.["reason"], "the WAL was restarted or removed while nobody watched");
      assert(Number(last_turn?.["different_pages"]) > 0 && Number(last_turn?.["seconds"]) > 0);
      for (const replica of replicas) assertEquals(replica.position, position);
    }),
});

Deno.test({
  name: "status shows what verify found to be wrong, and a replica that cannot be read is told with its exit code",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = await replicateOnce(scene);
      const [generation] = [...Deno.readDirSync(`${scene.folder}/near/generations`)].map(({ name }) => name);
      const snapshot = `${scene.folder}/near/generations/${generation}/snapshots/0000000000000000.snapshot`;
      const bytes = Deno.readFileSync(snapshot);
      bytes[100] = (bytes[100] ?? 0) ^ 1;
      Deno.writeFileSync(snapshot, bytes);
      assertEquals((await runTailrace(["verify", "--config", config])).code, 4);
      const { replicas: [near, far] } = await statusOf(config);
      assertEquals([near?.last_proof?.outcome, far?.last_proof?.outcome], ["fail", "pass"]);
      assert((near?.last_proof?.problem ?? "").length > 0);
      // What goes less far, and what looks at a state that somebody chose, disproves nothing.
      for (const words of [["--level", "reach"], ["--level", "chain"], ["--index", "0", "--replica", "far"]]) {
        assertEquals(
          (await runTailrace(["verify", "--config", config, ...words, scene.database])).code,
          0,
          words.join(),
        );
      }
      const { replicas: [still, chosen] } = await statusOf(config);
      assertEquals([still?.last_proof?.reached, still?.standing_failure?.problem], [
        "chain",
        near?.last_proof?.problem,
      ]);
      assertEquals([chosen?.last_proof?.reached, chosen?.last_success], ["chain", far?.last_success]);
      Deno.removeSync(`${scene.folder}/far`, { recursive: true });
      Deno.writeTextFileSync(`${scene.folder}/far`, "a file");
      const { code, lines } = await shownBy(config);
      assertEquals(code, 4);
      assertMatch(lines[0] ?? "", /^NOT SAFE: app.db, replica near: a verification failed: /);
      assertEquals(lines[1], `Try: tailrace verify --config ${config} ${scene.database}`);
      assertStringIncludes(lines.join("\n"), "FAIL, ");
      assertStringIncludes(lines.join(" "), "replica far: Cannot ");
    }),
});

Deno.test({
  name: "status of a fresh install is not safe until a daemon follows and everything was restored and compared once",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = configure(scene);
      const missing = await shownBy(config);
      assertEquals([missing.code, missing.lines[0]], [
        1,
        "NOT SAFE: app.db: it does not exist yet (and 4 more)",
      ]);
      insert(scene.application(), 3);
      const alone = await shownBy(config);
      assertEquals(alone.code, 5);
      assertMatch(alone.lines[0] ?? "", /^NOT SAFE: app.db: no daemon follows it, no replica has any of it/);
      assertEquals(alone.lines[1], `Try: tailrace replicate --config ${config}`);

      await using daemon = startReplicate(["--config", config]);
      await until(() => daemon.saying("Snapshot done").length === 2, "both snapshots");
      await until(
        async () => (await documentOf(config)).problems.every(({ problem }) => problem === "never verified"),
        "rest",
      );
      const { code, problems } = await documentOf(config);
      assertEquals([code, problems.length], [5, 2]);
      const [, ...words] = (problems[0]?.advice ?? "").split(" ");
      assertEquals((await runTailrace(words)).code, 0); // As it is printed.
      assertEquals((await documentOf(config)).code, 0);
      assertEquals(await daemon.stop(), 0);
    }),
});

Deno.test({
  name:
    "status of a daemon that died names the commits that nobody brings; of one that is stopped it does not say safe",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = configure(scene);
      const application = scene.application();
      insert(application, 3);
      const daemon = startReplicate(["--config", config]);
      await until(() => daemon.saying("Snapshot done").length === 2, "both snapshots");
      assertEquals((await runTailrace(["verify", "--config", config])).code, 0);
      assertEquals((await documentOf(config)).code, 0);

      daemon.signal("SIGSTOP");
      const stopped = await shownBy(config);
      assertEquals(stopped.code, 1);
      assertMatch(stopped.lines[0] ?? "", /^NOT SAFE: app.db: its daemon does not answer/);
      assertEquals(stopped.lines[1], `Try: ps -fp ${daemon.pid}`);
      daemon.signal("SIGCONT");
      await daemon.stop("SIGKILL");
      const dead = await documentOf(config);
      assertEquals([dead.code, dead.problems.map(({ problem }) => problem)], [1, ["no daemon follows it"]]);

      await sleep(1_200); // Of a second or more that is missing.
      insert(application, 2);
      const { code, problems, database } = await documentOf(config);
      assertEquals([code, database.safe], [5, false]);
      assertMatch(problems[0]?.problem ?? "", /^no daemon follows it, no replica has its last [1-9]\d*s$/);
      assertEquals(problems.slice(1).map(({ replica, grade }) => [replica, grade]), [["near", "stale"], [
        "far",
        "stale",
      ]]);
    }),
});

for (
  const [what, make, reason] of [
    ["in rollback mode", (scene: Scene) => scene.connect().exec("CREATE TABLE t(n)"), "it is in rollback-journal mode"],
    [
      "that is no database",
      (scene: Scene) => Deno.writeTextFileSync(scene.database, "no database\n".repeat(20)),
      "it is not a SQLite database",
    ],
    ["that is a folder", (scene: Scene) => Deno.mkdirSync(scene.database), "it is a folder"],
  ] as const
) {
  Deno.test({
    name: `status shows a database ${what}, which the running daemon refuses, with the reason`,
    timeout: 60_000,
    fn: () =>
      withScene(async (scene) => {
        const other = `${scene.folder}/other.db`;
        const config = `${scene.folder}/tailrace.yml`;
        const dbs = [scene.database, other].map((path) => ({ path, replicas: [{ path: `${path}-replica` }] }));
        Deno.writeTextFileSync(config, JSON.stringify({ dbs }));
        using healthy = new DatabaseSync(other);
        healthy.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(n)");
        make(scene);
        await using daemon = startReplicate(["--config", config]);
        await daemon.line(reason);
        await daemon.line("Snapshot done");
        const { code, problems, database } = await documentOf(config);
        assertEquals([code, database.safe], [1, false]);
        assertStringIncludes(problems[0]?.problem ?? "", reason);
        const { lines } = await shownBy(config);
        assert(lines[0]?.startsWith(`NOT SAFE: app.db: ${reason}`), lines[0]);
        assertMatch(lines[1] ?? "", /^(Try|Advice): /);
        await daemon.stop("SIGKILL"); // What it has said is known when nobody can be asked, where there is a state folder.
        const { trouble } = (await documentOf(config)).database;
        if (what !== "that is a folder") assertStringIncludes(trouble?.message ?? "", reason);
      }),
  });
}

Deno.test({
  name:
    "status of a daemon that was killed goes on to say that a replica failed, though something of it went well since",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = await replicateOnce(scene);
      const lines = [
        { event: "started", level: "info", msg: "it begins" },
        { event: "replica-failed", level: "error", msg: "Cannot write: the device is full", replica: "near" },
        { level: "info", msg: "Retention removed what is too old", replica: "near" },
      ].map((line) => `${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);
      Deno.writeTextFileSync(`${scene.state}/events`, lines.join(""), { append: true });
      const { code, problems, database } = await documentOf(config);
      assertEquals(code, 1);
      assertEquals(database.replicas[0]?.trouble?.message, "Cannot write: the device is full");
      assert(problems.some(({ problem }) => problem.endsWith("Cannot write: the device is full")));
    }),
});

Deno.test({
  name: "status shows no fault of another config's replica that has the same name",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      insert(scene.application(), 3);
      const configOf = (place: string) => {
        const path = `${scene.folder}/${place}.yml`;
        const replicas = [{ name: "near", path: `${scene.folder}/${place}` }];
        Deno.writeTextFileSync(path, JSON.stringify({ dbs: [{ path: scene.database, replicas }] }));
        return path;
      };
      const [good, bad] = [configOf("good"), configOf("bad")];
      assertEquals((await runTailrace(["replicate", "--once", "--config", good])).code, 0);
      Deno.writeTextFileSync(`${scene.folder}/bad`, "a file in the way");
      await using daemon = startReplicate(["--config", bad]);
      const isNoted = () => Deno.readTextFileSync(`${scene.state}/events`).includes("replica-failed");
      await until(isNoted, "the failure to be noted in the state");
      await daemon.stop("SIGKILL");
      const troubles = async (config: string) =>
        (await statusOf(config)).replicas.map(({ trouble }) => trouble !== null);
      assertEquals([await troubles(good), await troubles(bad)], [[false], [true]]);
    }),
});

Deno.test({
  name: "verify that cannot be remembered is as silent as ever without a terminal",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = await replicateOnce(scene);
      const verify = () => runTailrace(["verify", "--config", config, "--scratch", scene.folder]);
      assertEquals(await verify(), { code: 0, stdout: "", stderr: "" });
      const kept = [...Deno.readDirSync(scene.state)].map(({ name }) => name).filter((name) =>
        name.startsWith("proof-")
      );
      assertEquals(kept.length, 2);
      for (const name of kept) {
        Deno.removeSync(`${scene.state}/${name}`);
        Deno.mkdirSync(`${scene.state}/${name}`);
      }
      assertEquals(await verify(), { code: 0, stdout: "", stderr: "" });
      assertEquals((await statusOf(config)).replicas.map(({ last_proof }) => last_proof), [null, null]);
    }),
});
