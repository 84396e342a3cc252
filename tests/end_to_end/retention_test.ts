/** Retention and scheduled snapshots by the real program, beside an application that goes on writing. */
import { planRestore } from "../../lib/restore/plan.ts";
import { gatherFacts } from "../../lib/restore/gather.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Daemon, linesAmiss, sleep } from "../support/daemon.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const KEYS = [
  "retention: 1200ms",
  "retention-check-interval: 150ms",
  "snapshot-interval: 400ms",
  "min-checkpoint-page-count: 20",
];

for (const layout of ["raw", "litestream"] as const) {
  Deno.test({
    name: `A replica under retention stays small and is at all times restorable to what is written (${layout})`,
    timeout: 60_000,
    fn: () =>
      withScene(async (scene) => {
        const application = scene.application();
        insert(application, 500);
        await using daemon = scene.configuredDaemon(KEYS);
        await daemon.line("Snapshot done");
        let looks = 0;
        const end = performance.now() + 6_000;
        const isTurnedOver = async () => daemon.saying("Retention removed").length >= 3 && await oldestIndex(scene) > 3;
        while (performance.now() < end || !await isTurnedOver()) {
          insert(application, 10);
          await sleep(15);
          if (looks++ % 10 === 0) await expectRestorable(scene);
          if (looks % 60 === 0) await expectPruned(scene);
        }
        assertEquals(await daemon.stop(), 0);
        application.close();
        await scene.expectEqual();
        expectCalm(daemon);
        const generations = await scene.generations();
        assertEquals(generations.length, 1);
        const { snapshots } = await scene.store.catalog(generations[0] ?? assertNever());
        assert(snapshots.length < daemon.saying("Snapshot done").length, "it stays small");
      }, layout),
  });
}

/** Of the snapshots and the WAL; it may be looked at between the removal of the two. */
async function oldestIndex(scene: Scene): Promise<number> {
  const { snapshots, wals } = await scene.store.catalog((await scene.generations())[0] ?? assertNever());
  return Math.min(snapshots[0]?.index ?? 0, wals[0]?.index ?? 0);
}

/** Somebody removes meanwhile: what a listing still had may be gone, and then is looked at again. */
async function expectRestorable(scene: Scene): Promise<void> {
  for (let tries = 0;; tries++) {
    const plan = planRestore(await gatherFacts(scene.store, { kind: "latest" }), { kind: "latest" });
    if (plan.kind === "plan") return;
    assert(tries < 5, plan.problem);
  }
}

/** The command beside the daemon does the same. */
async function expectPruned(scene: Scene): Promise<void> {
  const words = ["prune", "--json", "--config", `${scene.folder}/tailrace.yml`, scene.database];
  const { code, stdout, stderr } = await runTailrace(words);
  assertEquals(code, 0, stderr);
  const [replica] = JSON.parse(stdout).replicas;
  assertEquals(replica.generation, (await scene.generations()).at(-1));
}

function expectCalm(daemon: Daemon): void {
  assertEquals(linesAmiss(daemon.lines), []);
}

function assertNever(): never {
  throw new Error("There is a generation");
}
