/** `status` says how things stand, with and without a daemon, and what last happened to the history and why. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { startReplicate, until } from "../support/daemon.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

interface ReplicaMembers {
  readonly name: string;
  readonly position: string | null;
  readonly lag_ms: number | null;
  readonly oldest_point: string | null;
  readonly error: string | null;
  readonly trouble: { readonly message: string } | null;
  readonly last_proof: { readonly outcome: string; readonly reached: string; readonly problem: string | null } | null;
  readonly last_success: { readonly reached: string } | null;
}

interface DatabaseMembers {
  readonly daemon_pid: number | null;
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

async function statusOf(config: string, expected: readonly [number, string] = [0, ""]): Promise<DatabaseMembers> {
  const { code, stdout, stderr } = await runTailrace(["status", "--json", "--config", config]);
  assertEquals([code, stderr.slice(-16)], expected);
  return JSON.parse(stdout).databases[0];
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

      const { daemon_pid, generation, position, replicas: [near, far] } = await statusOf(config, [
        75,
        "is it mounted?)\n",
      ]);
      assertEquals(daemon_pid, daemon.pid);
      assertEquals(generation?.reason, "there is no earlier state");
      assertEquals([near?.position, near?.lag_ms, near?.trouble], [position, 0, null]);
      assert(Date.parse(near?.oldest_point ?? "") > 0);
      assertEquals([near?.last_proof?.outcome, near?.last_success?.reached], ["pass", "structure"]);
      assertStringIncludes(far?.trouble?.message ?? "", "is it mounted?");
      assertEquals(far?.position, null);

      Deno.renameSync(`${flip}-away`, flip);
      await daemon.line("The replica is well again");
      assertEquals((await statusOf(config)).replicas[1]?.trouble, null);
      const { stdout } = await runTailrace(["status", "--config", config, scene.database]);
      const [titles, first, second, turn] = stdout.split("\n");
      assertMatch(titles ?? "", /^database +replica +daemon +position +lag +oldest point +last proof +trouble$/);
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
      Deno.removeSync(`${scene.folder}/far`, { recursive: true });
      Deno.writeTextFileSync(`${scene.folder}/far`, "a file");
      const { code, stdout, stderr } = await runTailrace(["status", "--config", config]);
      assertEquals(code, 2);
      assertStringIncludes(stdout, "FAIL, ");
      assertStringIncludes(stderr, `${scene.folder}/far`);
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
