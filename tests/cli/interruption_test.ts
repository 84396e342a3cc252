import type { CommandContext } from "../../lib/cli/command.ts";
import { withSignals } from "../../lib/cli/interruption.ts";
import type { StopSignal } from "../../lib/platform/process.ts";
import { assertEquals } from "../support/assert.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";

interface Stage {
  readonly context: CommandContext;
  readonly send: (name: StopSignal) => void;
  readonly said: string[];
  nowMs: number;
}

function aStage(): Stage {
  const said: string[] = [];
  let listener: (name: StopSignal) => void = () => {};
  const stage = { said, nowMs: 0, send: (name: StopSignal) => listener(name) };
  const context = {
    platform: { clock: { monotonicMs: () => stage.nowMs } },
    stderr: { write: (text: string) => said.push(text), isTerminal: false },
    environment: () => undefined,
    onSignal: (callback: typeof listener) => {
      listener = callback;
      return () => {};
    },
  } as unknown as CommandContext;
  return Object.assign(stage, { context });
}

Deno.test("withSignals() says at the first signal that it stops, and takes another one at once for the same", async () => {
  const stage = aStage();
  const ended = withSignals(stage.context, async (signal) => {
    stage.send("SIGINT");
    assertEquals(stage.said, ["Stopping (SIGINT); once more to end at once\n"]);
    stage.nowMs = 30;
    stage.send("SIGTERM");
    await Promise.resolve();
    return signal.aborted ? "cleaned up" : "went on";
  });
  assertEquals(await ended, "cleaned up");
});

Deno.test("withSignals() leaves at a second signal, after what the work holds was removed", async () => {
  const stage = aStage();
  const removed: string[] = [];
  const ended = withSignals(
    stage.context,
    () => {
      stage.send("SIGINT");
      stage.nowMs = 1_000;
      stage.send("SIGTERM");
      return new Promise<string>(() => {});
    },
    () => removed.push("draft"),
  );
  assertEquals(await ended, 143);
  assertEquals(removed, ["draft"]);
});

Deno.test({
  name: "restore from a replica that hangs ends at the first signal, and nothing of it stays",
  timeout: 30_000,
  sanitizeOps: false,
  sanitizeResources: false, // What hangs is left, with how long it would have been waited for.
  fn: () =>
    withTemporaryFolder(async (folder) => {
      await new ReplicaBuilder(`${folder}/replica`).snapshot(0, 0, imageOf(4096, 1, 2));
      let send: (name: StopSignal) => void = () => {};
      const hangs = Promise.withResolvers<void>();
      const ended = runInProcess(["restore", "-o", `${folder}/app.db`, `${folder}/replica`], folder, {}, {
        timePasses: true,
        onSignal: (callback) => {
          send = callback;
          return () => {};
        },
        openLater: (path, open) => {
          if (!path.endsWith(".snapshot")) return open();
          hangs.resolve();
          return new Promise(() => {});
        },
      });
      const names = () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
      await hangs.promise;
      assertEquals(names(), ["app.db.tailrace-restore.tmp", "replica"]);
      send("SIGINT");
      assertEquals((await ended).code, 1);
      assertEquals(names(), ["replica"]);
    }),
});
