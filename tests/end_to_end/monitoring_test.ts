/** `addr`: what a running daemon says of itself is what is done to it: a replica that is away, a database that is gone, a proof. */
import { formatIndex } from "../../lib/position/position.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type Daemon, startReplicate, until } from "../support/daemon.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

/** Where the daemon listens, once it says so. */
async function addressOf(daemon: Daemon): Promise<string> {
  return /metrics=(http:\S+)\/metrics/.exec(await daemon.line("Serving metrics and health"))?.[1] ?? "";
}

async function health(address: string) {
  const response = await fetch(`${address}/health`);
  const { healthy, databases: [database] } = JSON.parse(await response.text());
  assertEquals(response.status, healthy ? 200 : 503);
  const [replica] = database.replicas;
  return { healthy, database, replica };
}

/** The value of the one series that begins so; undefined when there is none. */
async function metric(address: string, name: string): Promise<number | undefined> {
  const text = await (await fetch(`${address}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(name) && /[ {]/.test(one[name.length] ?? ""));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

function monitoredDaemon(scene: Scene): Daemon {
  return startReplicate(["--config", scene.config([], ["addr: 127.0.0.1:0"])]);
}

Deno.test({
  name: "metrics and health follow a replica that goes away and comes back, and a database that goes",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      insert(application, 20);
      await using daemon = monitoredDaemon(scene);
      const address = await addressOf(daemon);
      const isWell = async () => {
        const { healthy, replica } = await health(address);
        return healthy && replica.condition === "well" && replica.lag_ms === 0;
      };
      await until(isWell, "the replica to be well");
      const before = await health(address);
      assertEquals([before.database.condition, before.replica.failures], ["well", 0]);
      assertEquals(before.replica.position, before.database.position);
      const written = await metric(address, "tailrace_replica_wal_bytes_total") ?? 0;
      insert(application, 20);
      await until(async () => (await metric(address, "tailrace_replica_wal_bytes_total") ?? 0) > written, "more WAL");
      await until(isWell, "all of it to be replicated");

      Deno.renameSync(scene.replica, `${scene.replica}-away`);
      insert(application, 1);
      const isMissed = async () => {
        const { replica } = await health(address);
        return replica.condition === "trouble" && replica.lag_ms > 100;
      };
      await until(isMissed, "the replica to be missed, and the lag to grow");
      const away = await health(address);
      assertEquals([away.healthy, away.database.condition, away.replica.condition], [false, "well", "trouble"]);
      assertMatch(away.replica.problem, /is it mounted\?/);
      assertEquals(await metric(address, "tailrace_replica_well"), 0);
      assertEquals(await metric(address, "tailrace_healthy"), 0);
      assert((await metric(address, "tailrace_replica_lag_seconds") ?? 0) >= 0.1);
      assert((await metric(address, "tailrace_replica_failures_total") ?? 0) > 0);
      Deno.renameSync(`${scene.replica}-away`, scene.replica);
      await until(isWell, "the replica to be well again");
      assertEquals(await metric(address, "tailrace_replica_well"), 1);

      application.close();
      for (const name of ["", "-wal", "-shm"]) Deno.removeSync(`${scene.database}${name}`);
      await until(async () => (await health(address)).database.condition === "trouble", "the database to be missed");
      const gone = await health(address);
      assertEquals([gone.healthy, gone.database.problem], [false, "the database is no longer there"]);
      assertEquals(await metric(address, "tailrace_database_well"), 0);
      assertEquals(await metric(address, "tailrace_database_size_bytes"), undefined);
    }),
});

Deno.test({
  name: "metrics and health have the result of the last verification, and turn with it",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      insert(application, 50);
      await using daemon = monitoredDaemon(scene);
      const address = await addressOf(daemon);
      await until(async () => (await health(address)).replica.condition === "well", "the replica to be well");
      await scene.replicated();
      const config = `${scene.folder}/tailrace.yml`;
      const verify = () => runTailrace(["verify", "--config", config, "--scratch", scene.folder]);
      assertEquals((await health(address)).replica.last_proof, null);
      assertEquals(await metric(address, "tailrace_verify_outcome"), undefined);

      assertEquals((await verify()).code, 0);
      const passed = await health(address);
      assertEquals([passed.healthy, passed.replica.last_proof.outcome], [true, "pass"]);
      assertEquals(passed.replica.last_success, passed.replica.last_proof);
      assertEquals(await metric(address, "tailrace_verify_outcome"), 1);
      const success = await metric(address, "tailrace_verify_last_success_timestamp_seconds") ?? 0;
      assert(Math.abs(success - Date.now() / 1_000) < 60, `${success}`);

      const [generation, index] = await scene.newestWal();
      const path = `${scene.replica}/generations/${generation}/wal/${formatIndex(index)}.wal`;
      const bytes = Deno.readFileSync(path);
      const at = bytes.length >> 1;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      Deno.writeFileSync(path, bytes);
      assertEquals((await verify()).code, 4);
      const failed = await health(address);
      assertEquals([failed.healthy, failed.replica.condition], [false, "trouble"]);
      assertMatch(failed.replica.problem, /^a verification failed: /);
      assertEquals(failed.replica.last_success, passed.replica.last_success);
      assertEquals(await metric(address, "tailrace_verify_outcome"), 0);
      assertEquals(await metric(address, "tailrace_verify_last_success_timestamp_seconds"), success);
      assert((await metric(address, "tailrace_verify_last_run_timestamp_seconds") ?? 0) > success);

      bytes[at] = (bytes[at] ?? 0) ^ 1;
      Deno.writeFileSync(path, bytes);
      assertEquals((await verify()).code, 0);
      assertEquals((await health(address)).healthy, true);
    }),
});

Deno.test({
  name: "health of a database that is waited for is trouble after absent-after",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const config = scene.config([], ["addr: 127.0.0.1:0", "absent-after: 1s"]);
      await using daemon = startReplicate(["--config", config]);
      const address = await addressOf(daemon);
      assertEquals((await health(address)).database.condition, "waiting");
      await until(async () => !(await health(address)).healthy, "trouble");
      const { database } = await health(address);
      assertMatch(database.problem, /^it does not exist yet, for [1-9]\d*s$/);
      assertEquals(await metric(address, "tailrace_database_well"), 0);
      insert(scene.application(), 1);
      await until(async () => (await health(address)).healthy, "the database to be well");
      assertEquals(await daemon.stop(), 0);
    }),
});
