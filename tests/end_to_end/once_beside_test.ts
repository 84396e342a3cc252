/** `replicate` and `replicate --once` beside another process that has the same database. */
import { DatabaseSync } from "node:sqlite";
import { ReplicationError } from "../../lib/base/errors.ts";
import { databaseConfigFromArguments } from "../../lib/config/from_arguments.ts";
import { askDaemon } from "../../lib/daemon/ask.ts";
import { awaitDaemonOf } from "../../lib/daemon/await_daemon.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { openFileEvents } from "../../lib/platform/file_events.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { startAnswers } from "../support/answers.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { sleep, startReplicate, until } from "../support/daemon.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, Scene, withScene } from "./scene.ts";

const PLATFORM = {
  clock: new SystemClock(),
  files: new DenoFileSystem(),
  random: new SystemRandom(),
  web: new SystemWeb(),
};

const EVENTS = openFileEvents();

/** What a run of `--once` answers that is not done. */
const ONCE_ANSWER = {
  schema_version: 1,
  version: "0.0.0",
  mode: "once",
  started_at: "2026-11-30T00:00:00.000Z",
  captured: null,
  condition: "starting",
  replicas: [],
};

function once(name: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test({ name, timeout: 60_000, fn: () => withScene(run) });
}

once("replicate --once beside a process that has not taken the database up yet is no success", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using before = scene.daemon({ flags: ["--once"] });
  assertEquals(await before.ended(), 0);
  insert(application, 1); // While nobody watches; the state says nothing of it, and the WAL is empty.
  application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const { files } = PLATFORM;
  const lock = files.tryLock(`${scene.state}/lock`);
  const config = databaseConfigFromArguments(scene.database, [`file://${scene.replica}`], scene.folder);
  const error = await assertRejects(() => awaitDaemonOf(PLATFORM, config, { patienceMs: 300 }), ReplicationError);
  assertEquals(error.code, "busy");
  lock?.release();
  assertEquals(await awaitDaemonOf(PLATFORM, config, { patienceMs: 300 }), "left");
  application.close();
  await using second = scene.daemon({ flags: ["--once"] });
  assertEquals(await second.ended(), 0);
  await scene.expectEqual();
});

/** This process has the database, as a run of `--once` has it, or as one that says something else. */
async function hold(scene: Scene, answer: () => Record<string, unknown>): Promise<() => Promise<void>> {
  const lock = PLATFORM.files.tryLock(`${scene.state}/lock`);
  const answers = startAnswers(scene.state, {
    watchFolder: (folder, listener) => EVENTS?.watchFolder(folder, listener),
    answer: () => Promise.resolve(answer()),
  });
  await until(async () => (await askDaemon(PLATFORM, scene.state, 2_000)).kind === "answer", "an answer");
  return async () => {
    await answers.stop();
    lock?.release();
  };
}

once(
  "replicate --once beside a daemon is done when that one knows all replicas to hold it, and they show it",
  async (scene) => {
    const application = scene.application();
    insert(application, 5);
    await using before = scene.daemon({ flags: ["--once"] });
    assertEquals(await before.ended(), 0);
    const config = databaseConfigFromArguments(scene.database, [`file://${scene.replica}`], scene.folder);
    const [replica] = config.replicas;
    const [generation] = await scene.generations();
    const [there, further, fresh] = ["0000000000000000:32", "0000000000000009:32", null].map((place) =>
      place && `${generation}/${place}`
    );
    let answer: Record<string, unknown> = ONCE_ANSWER;
    const release = await hold(scene, () => answer);
    const rows = [
      [there, there, "held"],
      [there, fresh, "busy"], // The replica holds it, as far as a listing tells; the process has not looked yet.
      [further, there, "busy"],
      [further, further, "busy"], // What the process believes to be there is not.
      [fresh, further, "busy"],
    ] as const;
    for (const [captured, position, wanted] of rows) {
      answer = { ...ONCE_ANSWER, captured, condition: "well", replicas: [{ url: replica?.url, position }] };
      const patienceMs = wanted === "held" ? 20_000 : 500;
      const end = await awaitDaemonOf(PLATFORM, config, { patienceMs }).catch((error) => error.code);
      assertEquals(end, wanted, `captured ${captured}, known to be held ${position}`);
    }
    await release();
    application.close();
  },
);

once("replicate that starts while --once runs waits for it", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using before = scene.daemon({ flags: ["--once"] });
  assertEquals(await before.ended(), 0);
  const release = await hold(scene, () => ONCE_ANSWER);
  await using daemon = scene.daemon();
  await daemon.line(`process ${Deno.pid} replicates this database`);
  await sleep(300); // It has not ended.
  await release();
  await daemon.ready();
  assertEquals(await daemon.stop(), 0);
  application.close();
  await scene.expectEqual();
});

once("replicate --once takes up what another --once has left", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using before = scene.daemon({ flags: ["--once"] });
  assertEquals(await before.ended(), 0);
  insert(application, 5);
  const release = await hold(scene, () => ONCE_ANSWER);
  await using second = scene.daemon({ flags: ["--once"] });
  await second.line(`Waiting until process ${Deno.pid}, which replicates the database already`);
  await release();
  assertEquals(await second.ended(), 0);
  application.close();
  await scene.expectEqual();
});

once("replicate --once beside a daemon whose state folder lost its generation ends with 0", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  Deno.removeSync(`${scene.state}/generation`);
  insert(application, 5);
  await using second = scene.daemon({ flags: ["--once"] });
  assertEquals(await second.ended(), 0, second.text);
  assertEquals(await daemon.stop(), 0);
  const output = `${scene.folder}/out.db`;
  assertEquals((await runTailrace(["restore", "-o", output, `file://${scene.replica}`])).code, 0);
  using restored = new DatabaseSync(output);
  assertEquals(restored.prepare("SELECT count(*) AS n FROM entry").get()?.["n"], 10);
});

once("replicate beside another daemon ends with 75, which it says once, and who that is", async (scene) => {
  insert(scene.application(), 5);
  const other = new Scene(`${scene.folder}/other`);
  insert(other.application(), 5);
  const dbs = [scene, other].map(({ database, replica }) => ({ path: database, replicas: [{ path: replica }] }));
  const config = `${scene.folder}/both.yml`;
  Deno.writeTextFileSync(config, JSON.stringify({ dbs }));
  await using daemon = startReplicate(["--config", config]);
  await daemon.until(() => daemon.saying("Snapshot done").length === 2, "both snapshots");
  const environment = { TAILRACE_COMMAND: "tailrace" };
  await using second = startReplicate(["--config", config], { environment });
  assertEquals(await second.ended(), 75);
  assertEquals(second.lines.slice(1), [
    `Cannot replicate 2 databases: process ${daemon.pid} replicates them`,
    `Try: ps -fp ${daemon.pid}`,
  ]);
  await using third = scene.daemon({ environment });
  assertEquals(await third.ended(), 75);
  assertEquals(third.lines.slice(1), [
    `Cannot use the state folder ${scene.state}: process ${daemon.pid} replicates this database`,
    `Try: ps -fp ${daemon.pid}`,
  ]);
  await using onlyOnce = startReplicate(["--once", "--config", config]);
  assertEquals(await onlyOnce.ended(), 0);
  assertEquals(onlyOnce.lines.slice(1).map((line) => line.replace(/^\S+ /, "")), [
    `INFO  Waiting until process ${daemon.pid}, which replicates the 2 databases already, has brought every replica ` +
    "what is committed now",
    "INFO  Every replica holds what was committed databases=2",
  ]);
  assertEquals(await daemon.stop(), 0);
  await other.end();
});

once("replicate --once that is stopped in its first snapshot ends with 1 and leaves no half of it", async (scene) => {
  const application = scene.application();
  application.exec("INSERT INTO entry(body) VALUES (zeroblob(150000000)); PRAGMA wal_checkpoint(TRUNCATE)");
  application.close();
  const files = () => [...walk(scene.replica)].filter((name) => /\.(snapshot|tmp)/.test(name));
  await using daemon = scene.daemon({ flags: ["--once"] });
  await daemon.until(() => files().some((name) => name.endsWith(".tmp")), "a snapshot that is being made");
  await daemon.whileStopped(() => {
    assertEquals(files().filter((name) => !name.endsWith(".tmp")), []);
    daemon.signal("SIGTERM");
  });
  assertEquals(await daemon.ended(), 1, daemon.text);
  assertEquals(files(), []);
  assertEquals(daemon.saying(" ERROR "), []);
  assertEquals(daemon.saying("interrupted").length, 1, daemon.text);
  await using second = scene.daemon({ flags: ["--once"] });
  assertEquals(await second.ended(), 0);
  await scene.expectEqual();
});

once("replicate --once that is stopped while it waits for another process ends with 1", async (scene) => {
  insert(scene.application(), 5);
  await using before = scene.daemon({ flags: ["--once"] });
  assertEquals(await before.ended(), 0);
  const release = await hold(scene, () => ONCE_ANSWER);
  await using second = scene.daemon({ flags: ["--once"] });
  await second.line("Waiting until");
  assertEquals(await second.stop("SIGINT"), 1);
  assertEquals(second.saying("it was interrupted").length, 1);
  await release();
});

function* walk(folder: string): Generator<string> {
  if (PLATFORM.files.status(folder) === undefined) return;
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}
