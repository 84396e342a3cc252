/**
 * A watch waits some hundred times a second for months: what one wait leaves behind must be nothing. This file is the test, and
 * the program that it measures, since memory can be told only of a process that does nothing else.
 */
import { WakeUp } from "../../lib/database/wake_up.ts";
import type { Clock } from "../../lib/platform/clock.ts";
import { assertEquals, assertLess } from "../support/assert.ts";

const WAITS = 20_000;
/** A listener or a signal that is kept for each wait takes some hundred bytes. */
const BYTES_PER_WAIT_MAX = 16;

/** Time passes when the test says so: a sleep ends by its signal, or when all sleepers are told to. */
class FakeClock implements Clock {
  #sleeping: (() => void)[] = [];

  now(): Date {
    return new Date(0);
  }

  monotonicMs(): number {
    return 0;
  }

  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#sleeping.push(resolve);
      signal?.addEventListener("abort", () => resolve());
    });
  }

  yield(): Promise<void> {
    return Promise.resolve();
  }

  /** Every sleeper's time is up. */
  pass(): void {
    for (const resolve of this.#sleeping) resolve();
    this.#sleeping = [];
  }

  /** Forgets those that were woken. */
  forget(): void {
    this.#sleeping = [];
  }
}

/** One half of the waits is woken, the other times out. */
async function waitOften(times: number, wakeUp: WakeUp, clock: FakeClock, signal: AbortSignal): Promise<void> {
  for (let i = 0; i < times; i++) {
    const waiting = wakeUp.wait(1_000, signal);
    if (i % 2 === 0) clock.pass();
    else wakeUp.wake();
    await waiting;
    clock.forget();
  }
}

Deno.test("WakeUp.wait() leaves no listener on the signal, however often it is woken or times out", async () => {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  let most = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners.add(listener);
    most = Math.max(most, listeners.size);
    add(type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners.delete(listener);
    remove(type, listener);
  };
  const clock = new FakeClock();
  await waitOften(WAITS, new WakeUp(clock), clock, signal);
  assertEquals([listeners.size, most], [0, 1]);
});

Deno.test({
  name: "WakeUp.wait() does not keep memory, however often it is woken or times out",
  timeout: 30_000,
  fn: async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "--v8-flags=--expose-gc", import.meta.url],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const grown = Number(new TextDecoder().decode(stdout));
    assertLess(grown / WAITS, BYTES_PER_WAIT_MAX);
  },
});

/** Bytes by which the heap has grown, once what nobody needs is gone. */
async function measure(): Promise<number> {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) throw new Error("The program is not run with --expose-gc");
  const settledHeap = async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5)); // Weak references are cleared between two turns.
      collect();
    }
    return Deno.memoryUsage().heapUsed;
  };
  const clock = new FakeClock();
  const wakeUp = new WakeUp(clock);
  const { signal } = new AbortController();
  await waitOften(WAITS / 10, wakeUp, clock, signal);
  const before = await settledHeap();
  await waitOften(WAITS, wakeUp, clock, signal);
  const grown = await settledHeap() - before;
  signal.throwIfAborted(); // It lives until here.
  return grown;
}

if (import.meta.main) {
  const bytes = new TextEncoder().encode(`${await measure()}\n`);
  Deno.stdout.writeSync(bytes);
}
