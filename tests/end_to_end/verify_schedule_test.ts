/** `replicate` with `verify: {schedule}` proves its replicas by itself, without holding up a commit on its way. */
import { type Durable, followLog, lagsOf, percentile, readWalFacts } from "../../scripts/lag.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { sleep } from "../support/daemon.ts";
import { runTailrace, tailraceCommand } from "../support/tailrace.ts";
import { insert, withScene } from "./scene.ts";

Deno.test({
  name: "a verification on schedule is run by the daemon, is in status, and leaves the lag of commits as it is",
  timeout: 180_000,
  fn: () =>
    withScene(async (scene) => {
      const config = `${scene.folder}/tailrace.yml`;
      const verify = { schedule: "* * * * *" };
      Deno.writeTextFileSync(
        config,
        JSON.stringify({ dbs: [{ path: scene.database, verify, replicas: [{ path: scene.replica }] }] }),
      );
      const application = scene.application();
      insert(application, 20_000, 1_000); // Something to restore.
      const child = tailraceCommand(["replicate", "--config", config, "--log-level", "debug"]).spawn();
      const [durable, lines]: [Durable[], string[]] = [[], []];
      const reading = followLog(child.stderr, durable, (line) => lines.push(line));
      const draining = child.stdout.cancel();
      const commits: number[] = [];
      const statement = application.prepare("INSERT INTO entry(body) VALUES(randomblob(100))");
      const verified = () => lines.find((line) => line.includes("Verified: every replica is proven"));
      for (const start = performance.now(); verified() === undefined && performance.now() - start < 120_000;) {
        statement.run();
        commits.push(performance.timeOrigin + performance.now());
        await sleep(20);
      }
      const line = verified() ?? "";
      const [seconds, endMs] = [Number(/seconds=([\d.]+)/.exec(line)?.[1]), Date.parse(line.slice(0, 24))];
      await sleep(500);
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 0);
      await Promise.all([reading, draining]);
      assert(seconds > 0.2, lines.join("\n"));

      const lags = lagsOf(readWalFacts(scene.replica), commits, durable);
      const isMeanwhile = commits.map((at) => at >= endMs - seconds * 1_000 && at <= endMs);
      const meanwhile = lags.filter((_, slot) => isMeanwhile[slot]);
      assert(meanwhile.length > 5, `${meanwhile.length} commits during ${seconds} s`);
      // A commit that waited for the end of the verification would have waited for half of it, on average.
      assertLess(percentile(meanwhile, 0.5), seconds * 1_000 / 4);

      const { stdout } = await runTailrace(["status", "--json", "--config", config]);
      const [{ replicas: [replica] }] = JSON.parse(stdout).databases;
      assertEquals([replica.last_proof.outcome, replica.last_proof.reached], ["pass", "structure"]);
    }),
});
