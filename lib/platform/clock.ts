export interface Clock {
  /** Wall-clock time. It may jump; only records and messages use it. */
  now(): Date;
  /** Milliseconds since some start, with fractions, never going back. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Lets everything else that waits on the event loop have a turn. */
  yield(): Promise<void>;
}

/** Without a reason each signal makes an error with a stack, which costs more than the rest of the wait. */
export const IS_OVER = "it is over";

/** The work with a signal that is aborted when it has taken so long. */
export async function withTimeLimit<T>(
  clock: Clock,
  ms: number,
  work: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const [limit, done] = [new AbortController(), new AbortController()];
  const waiting = clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted) limit.abort();
  });
  try {
    return await work(limit.signal);
  } finally {
    done.abort(IS_OVER);
    await waiting;
  }
}

/** What the work gives; undefined when it takes longer, or the signal is aborted, and then it goes on by itself. */
export async function unlessLate<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
  signal?: AbortSignal,
): Promise<{ readonly value: T } | undefined> {
  const done = new AbortController();
  const ended = Promise.withResolvers<undefined>();
  const end = () => ended.resolve(undefined);
  signal?.addEventListener("abort", end);
  if (signal?.aborted) end();
  clock.sleep(ms, done.signal).then(end);
  try {
    return await Promise.race([work.then((value) => ({ value })), ended.promise]);
  } finally {
    done.abort(IS_OVER);
    signal?.removeEventListener("abort", end);
  }
}

/** A timer of more milliseconds than 31 bits hold ends at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export class SystemClock implements Clock {
  now(): Date {
    return new Date();
  }

  monotonicMs(): number {
    return performance.now();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    const end = this.monotonicMs() + ms;
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout>;
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const wait = (left: number) => {
        timer = setTimeout(() => {
          const still = end - this.monotonicMs();
          return still > 0 ? wait(still) : finish();
        }, Math.min(left, TIMER_MAX_MS));
      };
      signal?.addEventListener("abort", finish);
      wait(ms);
    });
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
