import type { Clock } from "../platform/clock.ts";

const REPEAT_MS = 3_600_000;

/** Pauses that double from one failure to the next, and when to speak of a failure again. */
export class Backoff {
  readonly #clock: Clock;
  readonly #minMs: number;
  readonly #maxMs: number;
  #pauseMs: number;
  #saidMs = -Infinity;

  constructor(clock: Clock, minMs: number, maxMs: number) {
    this.#clock = clock;
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#pauseMs = minMs;
  }

  nextMs(): number {
    const pause = this.#pauseMs;
    this.#pauseMs = Math.min(this.#maxMs, pause * 2);
    return pause;
  }

  reset(): void {
    this.#pauseMs = this.#minMs;
  }

  noteSaid(): void {
    this.#saidMs = this.#clock.monotonicMs();
  }

  isTimeToRepeat(): boolean {
    return this.#clock.monotonicMs() - this.#saidMs >= REPEAT_MS;
  }
}
