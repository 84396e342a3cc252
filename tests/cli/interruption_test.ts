import type { CommandContext } from "../../lib/cli/command.ts";
import { withSignals } from "../../lib/cli/interruption.ts";
import type { StopSignal } from "../../lib/platform/process.ts";
import { assertEquals } from "../support/assert.ts";

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
