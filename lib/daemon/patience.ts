/** How long a stop goes on trying to finish one thing, and what is said meanwhile. */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import { Backoff } from "../replica/backoff.ts";
import type { LastTries } from "../replica/file_replicator.ts";

export interface PatienceOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** So long without any gain, and it is given up. 0: one try, as long as it takes, unless the device hangs. */
  readonly timeoutMs: number;
  /** For messages: `Cannot finish <subject>`. */
  readonly subject: string;
  /** Another text whenever something was gained for good. */
  readonly gained: () => string;
  /** For so long nothing at all has moved. */
  readonly stillMs: () => number;
}

const LOOK_MS = 100;
/** What is waited for is said again so often. */
const SAY_MS = 5_000;
/** When time is over, what still tries may end by itself, and tell why it has not succeeded. */
const LAST_WORD_MS = 1_000;

export class Patience implements LastTries {
  readonly #options: PatienceOptions;
  readonly #over = new AbortController();
  readonly #backoff: Backoff;
  readonly #beganMs: number;
  #gained: string;
  #gainedMs: number;
  #failure: string | undefined;
  #said: string | undefined;
  #saidMs: number;

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock, limits.retryMinMs, limits.lastTryPauseMaxMs);
    this.#beganMs = this.#gainedMs = this.#saidMs = options.clock.monotonicMs();
    this.#gained = options.gained();
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** The work, which asks `again()` after each failure; an error when it does not even answer. */
  async during<T>(work: (tries: LastTries) => Promise<T>): Promise<T> {
    const { timeoutMs, subject } = this.#options;
    if (timeoutMs === 0) {
      const { clock, stillMs } = this.#options;
      return await (stillMs() === Infinity ? work(this) : unlessStill(clock, work(this), subject, stillMs));
    }
    const done = new AbortController();
    const over = Symbol();
    try {
      const result = await Promise.race([work(this), this.#watch(done.signal).then(() => over as typeof over)]);
      if (result !== over) return result as T;
    } finally {
      done.abort();
    }
    const what = this.#failure ?? `nothing has moved for ${timeoutMs / 1_000} s`;
    throw new ReplicationError("unavailable", `Cannot finish ${subject}: ${what}`);
  }

  async again(error: unknown): Promise<boolean> {
    const { timeoutMs, clock } = this.#options;
    if (timeoutMs === 0 || this.signal.aborted || needsAPerson(error)) return false;
    this.#failure = error === undefined ? "it does not hold everything that is captured" : messageOf(error);
    this.#say();
    await clock.sleep(this.#backoff.nextMs(), this.signal);
    return !this.signal.aborted;
  }

  /** Resolves when time is over, or the work is done. */
  async #watch(done: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!this.#isOver()) {
      await clock.sleep(LOOK_MS, done);
      if (done.aborted) return;
      this.#say();
    }
    this.#over.abort();
    await clock.sleep(LAST_WORD_MS, done);
  }

  /** What moves is not cut off; but each try that fails moves something, so that then only a gain counts. */
  #isOver(): boolean {
    const { clock, timeoutMs, gained, stillMs } = this.#options;
    const now = clock.monotonicMs();
    if (gained() !== this.#gained) {
      this.#gained = gained();
      this.#gainedMs = now;
      this.#failure = undefined;
    }
    return now - this.#gainedMs >= timeoutMs && (this.#failure !== undefined || stillMs() >= timeoutMs);
  }

  /** Whenever the reason is another one, and now and then. */
  #say(): void {
    const { clock, log, timeoutMs } = this.#options;
    const now = clock.monotonicMs();
    const isNew = this.#failure !== undefined && this.#failure !== this.#said;
    if (!isNew && now - this.#saidMs < SAY_MS) return;
    this.#said = this.#failure;
    this.#saidMs = now;
    log.info("Stopping: waiting for the last sync", {
      reason: this.#failure ?? "it is under way",
      waited_s: Math.round((now - this.#beganMs) / 1_000),
      left_s: Math.max(0, Math.round((timeoutMs - (now - this.#gainedMs)) / 1_000)),
    });
  }
}

/** The work, as long as something moves; an error when nothing has for so long that the device hangs. */
export async function unlessStill<T>(
  clock: Clock,
  work: Promise<T>,
  subject: string,
  stillMs: () => number,
): Promise<T> {
  const limitMs = limits.deviceAnswerMaxMs;
  const [start, done] = [clock.monotonicMs(), new AbortController()];
  const watch = async () => {
    while (clock.monotonicMs() - start < limitMs || stillMs() < limitMs) {
      await clock.sleep(LOOK_MS, done.signal);
      if (done.signal.aborted) return await work;
    }
    const problem = `nothing has moved for ${limitMs / 1_000} s (does its device hang?)`;
    throw new ReplicationError("unavailable", `Cannot finish ${subject}: ${problem}`);
  };
  try {
    return await Promise.race([work, watch()]);
  } finally {
    done.abort();
  }
}

/** What no time mends. */
function needsAPerson(error: unknown): boolean {
  return error instanceof ReplicationError &&
    ["usage", "config-invalid", "unsupported", "foreign"].includes(error.code);
}
