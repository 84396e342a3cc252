import { Backoff } from "../../lib/replica/backoff.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { assert, assertEquals, assertFalse } from "../support/assert.ts";

class HandClock extends SystemClock {
  elapsedMs = 0;

  override monotonicMs(): number {
    return this.elapsedMs;
  }
}

Deno.test("Backoff.nextMs() doubles up to the largest pause, and begins anew after reset()", () => {
  const backoff = new Backoff(new HandClock(), 100, 1_000);
  assertEquals([1, 2, 3, 4, 5, 6].map(() => backoff.nextMs()), [100, 200, 400, 800, 1_000, 1_000]);
  backoff.reset();
  assertEquals([1, 2].map(() => backoff.nextMs()), [100, 200]);
});

Deno.test("Backoff.isTimeToRepeat() is so at first, and an hour after noteSaid()", () => {
  const clock = new HandClock();
  const backoff = new Backoff(clock, 100, 1_000);
  assert(backoff.isTimeToRepeat());
  backoff.noteSaid();
  assertFalse(backoff.isTimeToRepeat());
  clock.elapsedMs = 3_599_999;
  assertFalse(backoff.isTimeToRepeat());
  clock.elapsedMs = 3_600_000;
  assert(backoff.isTimeToRepeat());
  backoff.noteSaid();
  assertFalse(backoff.isTimeToRepeat());
});
