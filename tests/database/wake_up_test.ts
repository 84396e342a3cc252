import { pollIntervalMs, WakeUp } from "../../lib/database/wake_up.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { assertEquals, assertGreaterOrEqual, assertLess } from "../support/assert.ts";

for (
  const [row, msSinceStir, atRest, fallbackMs, expected] of [
    ["right after a change", 0, false, 1_000, 1],
    ["right after a change, at rest already", 199, true, 1_000, 1],
    ["a moment after a change", 200, false, 1_000, 10],
    ["almost a second after a change", 999, true, 1_000, 10],
    ["later, with a hold that must go on moving", 1_000, false, 1_000, 50],
    ["later, at rest", 1_000, true, 1_000, 250],
    ["later, at rest, where the config asks for more", 60_000, true, 100, 100],
    ["later, moving, where the config asks for more", 60_000, false, 20, 20],
    ["later, at rest, where the config asks for less", 60_000, true, 10_000, 250],
  ] as const
) {
  Deno.test(`pollIntervalMs() ${row} is ${expected}`, () => {
    assertEquals(pollIntervalMs({ msSinceStir, atRest }, fallbackMs), expected);
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const LONG_MS = 10_000;

Deno.test("WakeUp.wait() ends by itself, by wake(), and by the signal", async () => {
  const wakeUp = new WakeUp(new SystemClock());
  const stop = new AbortController();
  assertGreaterOrEqual(await timed(() => wakeUp.wait(5, stop.signal)), 4);
  const woken = timed(() => wakeUp.wait(LONG_MS, stop.signal));
  wakeUp.wake();
  assertLess(await woken, LONG_MS / 2);
  const stopped = timed(() => wakeUp.wait(LONG_MS, stop.signal));
  stop.abort();
  assertLess(await stopped, LONG_MS / 2);
  assertLess(await timed(() => wakeUp.wait(LONG_MS, stop.signal)), LONG_MS / 2);
});

Deno.test("WakeUp.wake() while nobody waits ends the next wait, and only that one", async () => {
  const wakeUp = new WakeUp(new SystemClock());
  const { signal } = new AbortController();
  wakeUp.wake();
  wakeUp.wake();
  assertLess(await timed(() => wakeUp.wait(LONG_MS, signal)), LONG_MS / 2);
  assertGreaterOrEqual(await timed(() => wakeUp.wait(10, signal)), 9);
});
