import { ReplicationError } from "../base/errors.ts";
import type { Clock } from "../platform/clock.ts";

const MINUTE_MS = 60_000;

/** A doubt that comes back at once is not mended by yet another generation, or yet another look at the whole database. */
export class Recurrence {
  readonly #clock: Clock;
  readonly #perMinuteMax: number;
  readonly #path: string;
  readonly #what: string;
  readonly #beganMs: number[] = [];

  /** `what` happens: "generations began". */
  constructor(clock: Clock, perMinuteMax: number, path: string, what: string) {
    this.#clock = clock;
    this.#perMinuteMax = perMinuteMax;
    this.#path = path;
    this.#what = what;
  }

  count(): void {
    this.#beganMs.push(this.#clock.monotonicMs());
  }

  /** Throws when one more would be too many. */
  refuseOneMore(reason: string): void {
    const now = this.#clock.monotonicMs();
    const recent = this.#beganMs.filter((began) => now - began < MINUTE_MS);
    this.#beganMs.splice(0, Infinity, ...recent);
    if (recent.length < this.#perMinuteMax) return;
    throw new ReplicationError(
      "failed",
      `Cannot follow ${this.#path}: ${recent.length} ${this.#what} within a minute, the last because ${reason}`,
    );
  }
}
