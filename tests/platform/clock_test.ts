import { assert, assertEquals } from "../support/assert.ts";
import { SystemClock, unlessLate } from "../../lib/platform/clock.ts";
import { SystemRandom } from "../../lib/platform/random.ts";

const clock = new SystemClock();

Deno.test("SystemClock gives the wall clock's time and milliseconds that never go back", () => {
  const before = Date.now();
  const now = clock.now().getTime();
  assert(before <= now && now <= Date.now());
  let last = clock.monotonicMs();
  for (let round = 0; round < 1000; round++) {
    const next = clock.monotonicMs();
    assert(next >= last);
    last = next;
  }
});

Deno.test("sleep() takes about as long as it is told", async () => {
  const start = clock.monotonicMs();
  await clock.sleep(20);
  assert(clock.monotonicMs() - start >= 19);
});

Deno.test("sleep() ends at once when its signal is aborted, before or meanwhile, and leaves no timer", async () => {
  const start = clock.monotonicMs();
  await clock.sleep(60_000, AbortSignal.abort());
  const controller = new AbortController();
  const sleeping = clock.sleep(60_000, controller.signal);
  controller.abort();
  await sleeping;
  assert(clock.monotonicMs() - start < 10_000);
});

Deno.test("sleep() of more than the 25 days that a timer can wait does not end at once", async () => {
  const controller = new AbortController();
  let ended = false;
  const sleeping = clock.sleep(30 * 86_400_000, controller.signal).then(() => ended = true);
  await clock.sleep(20);
  assertEquals(ended, false);
  controller.abort();
  await sleeping;
});

Deno.test("unlessLate() waits for nobody whose signal is aborted, before or meanwhile", async () => {
  const start = clock.monotonicMs();
  const never = new Promise<never>(() => {});
  assertEquals(await unlessLate(clock, 60_000, never, AbortSignal.abort()), undefined);
  const controller = new AbortController();
  const waiting = unlessLate(clock, 60_000, never, controller.signal);
  controller.abort();
  assertEquals(await waiting, undefined);
  assert(clock.monotonicMs() - start < 30_000);
});

Deno.test("sleep() of no time still lets others have their turn", async () => {
  const order: string[] = [];
  setImmediate(() => order.push("other"));
  await clock.sleep(0);
  assertEquals(order, ["other"]);
});

Deno.test("yield() lets what waits on the event loop have its turn", async () => {
  const order: string[] = [];
  setImmediate(() => order.push("other"));
  await clock.yield();
  assertEquals(order, ["other"]);
});

Deno.test("SystemRandom gives as many bytes as asked for, each time others", () => {
  const random = new SystemRandom();
  assertEquals(random.bytes(8).length, 8);
  assertEquals(random.bytes(0).length, 0);
  assert(random.bytes(16).join() !== random.bytes(16).join());
});
