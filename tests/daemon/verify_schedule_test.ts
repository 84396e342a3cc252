import { ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { createLogger } from "../../lib/base/log.ts";
import { dueBy, endedInTime, VerifySchedule } from "../../lib/daemon/verify_schedule.ts";
import type { VerifyConfig } from "../../lib/config/config.ts";
import type { ChildOutput } from "../../lib/platform/process.ts";
import { parseCron } from "../../lib/schedule/cron.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";

const START = new Date(2025, 5, 1, 2, 58, 30);

function schedule(text: string, verify: (signal: AbortSignal) => Promise<ChildOutput>) {
  const parsed = parseCron(text);
  assert(typeof parsed !== "string");
  return scheduleOf({ schedule: parsed, checks: [] }, verify);
}

function scheduleOf(config: VerifyConfig, verify: (signal: AbortSignal) => Promise<ChildOutput>) {
  const dueAfter = dueBy(config);
  assert(dueAfter !== undefined);
  const clock = new SimulatedClock(START.getTime());
  const lines: string[] = [];
  const log = createLogger({
    level: "info",
    format: "text",
    now: () => clock.now(),
    writeLine: (line) => lines.push(line),
  });
  return { clock, lines, running: new VerifySchedule({ clock, log, dueAfter, verify }) };
}

const ended = (code: number, stdout = ""): ChildOutput => ({ code, signal: undefined, stdout, stderr: "" });

async function pass(clock: SimulatedClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    clock.advance(Math.min(left, 10_000));
    await clock.yield();
  }
}

Deno.test("VerifySchedule runs at its times, and says what came of it", async () => {
  const outputs = [ended(0), ended(4, "FAILED  /data/app.db\n  more\n"), ended(0)];
  let runs = 0;
  const { clock, lines, running } = schedule("0 3 * * *", () => Promise.resolve(outputs[runs++] ?? ended(0)));
  await pass(clock, 80_000);
  assertEquals(runs, 0);
  await pass(clock, 20_000);
  assertEquals(runs, 1);
  await pass(clock, 86_400_000);
  assertEquals(runs, 2);
  assert(lines[0]?.includes("Verified: every replica is proven"));
  assert(
    lines[1]?.includes('ERROR Verification did not prove every replica code=4 said="FAILED  /data/app.db"'),
    lines[1],
  );
  await running.stop();
  await pass(clock, 86_400_000);
  assertEquals(runs, 2);
});

Deno.test("VerifySchedule follows a wall clock that is set, and leaves out what came due during a run", async () => {
  let runs = 0;
  let end = () => {};
  const { clock, running } = schedule("*/5 * * * *", () => {
    runs++;
    return new Promise((resolve) => end = () => resolve(ended(0)));
  });
  clock.set(new Date(2025, 5, 1, 6, 0, 1).getTime());
  await pass(clock, 40_000);
  assertEquals(runs, 1);
  await pass(clock, 20 * 60_000);
  assertEquals(runs, 1);
  end();
  await pass(clock, 10_000);
  assertEquals(runs, 1);
  await pass(clock, 5 * 60_000);
  assertEquals(runs, 2);
  end();
  await running.stop();
});

Deno.test("VerifySchedule.stop() ends a run that goes on, and says nothing of it", async () => {
  const { clock, lines, running } = schedule(
    "* * * * *",
    (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(ended(137)))),
  );
  await pass(clock, 60_000);
  await running.stop();
  assertEquals(lines, []);
});

Deno.test("VerifySchedule goes on when a verification cannot even be run, and says so", async () => {
  let runs = 0;
  const { clock, lines, running } = schedule("* * * * *", () => {
    runs++;
    return runs === 1 ? Promise.reject(new Error("no such program")) : Promise.resolve(ended(0));
  });
  await pass(clock, 130_000);
  assertEquals(runs, 2);
  assert(lines[0]?.includes('ERROR Verification cannot be run reason="no such program"'), lines[0]);
  assert(lines[1]?.includes("Verified"));
  await running.stop();
});

Deno.test("VerifySchedule runs so long after its start and after the end of each run, where an interval is given", async () => {
  let runs = 0;
  const verify = () => Promise.resolve(ended(runs++));
  const { clock, running } = scheduleOf({ intervalMs: 3_600_000, checks: [] }, verify);
  await pass(clock, 3_590_000);
  assertEquals(runs, 0);
  await pass(clock, 30_000);
  assertEquals(runs, 1);
  await pass(clock, 3_540_000);
  assertEquals(runs, 1);
  await pass(clock, 60_000);
  assertEquals(runs, 2);
  await running.stop();
  assertEquals(dueBy({ checks: [] }), undefined);
});

Deno.test("VerifySchedule tries again soon what could not be started and may pass, and says it once", async () => {
  let runs = 0;
  const { clock, lines, running } = schedule("0 3 * * *", () => {
    if (++runs < 4) {
      throw new ReplicationError("unavailable", "Cannot start this program once more: too many open files");
    }
    return Promise.resolve(ended(0));
  });
  await pass(clock, 100_000 + 4 * limits.verifyAgainMs);
  assertEquals(runs, 4);
  assertEquals(lines.filter((line) => line.includes("cannot be run")).length, 1);
  assert(lines.at(-1)?.includes("Verified"), lines.join("\n"));
  await running.stop();
});

Deno.test("VerifySchedule is stopped while it waits to try again", async () => {
  const { clock, running } = schedule("0 3 * * *", () => {
    throw new ReplicationError("unavailable", "Cannot start this program once more: too many open files");
  });
  await pass(clock, 100_000);
  await running.stop();
});

Deno.test("endedInTime() ends a run that hangs, also one that cannot be killed, and the next one starts", async () => {
  for (const isKillable of [true, false]) {
    const asked: string[] = [];
    const clock = new SimulatedClock(START.getTime());
    const hangs = (signal: AbortSignal) =>
      new Promise<ChildOutput>((resolve) => {
        signal.addEventListener("abort", () => {
          asked.push("killed");
          if (isKillable) resolve(ended(137));
        });
      });
    const verify = (signal: AbortSignal) => endedInTime(clock, signal, hangs);
    const running = verify(new AbortController().signal);
    await clock.yield();
    clock.advance(limits.scheduledVerifyMaxMs - 1);
    await clock.yield();
    assertEquals(asked, []);
    clock.advance(1);
    await clock.yield();
    assertEquals(asked, ["killed"]);
    if (!isKillable) clock.advance(limits.killedMaxMs);
    assertEquals(await running, { code: 75, signal: undefined, stdout: "it was ended after 24 h", stderr: "" });
    assertEquals(clock.sleeping, 0);
  }
});

Deno.test("endedInTime() leaves what ends by itself, or is stopped, as it is", async () => {
  const clock = new SimulatedClock(START.getTime());
  const stop = new AbortController();
  assertEquals(await endedInTime(clock, stop.signal, () => Promise.resolve(ended(4, "x"))), ended(4, "x"));
  const running = endedInTime(
    clock,
    stop.signal,
    (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(ended(137)))),
  );
  stop.abort();
  assertEquals(await running, ended(137));
  assertEquals(clock.sleeping, 0);
});
