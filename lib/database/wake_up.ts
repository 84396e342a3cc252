/** When to look at the wal-index again: soon while something happens, seldom when nothing does, at once on a file event. */
import { type Clock, IS_OVER } from "../platform/clock.ts";

export interface Activity {
  /** Since something was captured, or written to the WAL. */
  readonly msSinceStir: number;
  /** On slot 0 with nothing to hand over. */
  readonly atRest: boolean;
}

/** How long to sleep unless woken. PURE. */
export function pollIntervalMs(activity: Activity, fallbackMs: number): number {
  if (activity.msSinceStir < 200) return 1; // A timer of 1 ms fires after about 2.
  if (activity.msSinceStir < 1_000) return 10;
  if (!activity.atRest) return Math.min(50, fallbackMs);
  return Math.min(250, fallbackMs);
}

export class WakeUp {
  readonly #clock: Clock;
  #wanted = false;
  #endWait: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the present wait, or the next one when nobody waits. */
  wake(): void {
    this.#wanted = true;
    this.#endWait?.();
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#wanted && !signal.aborted) {
      const stop = new AbortController();
      const endWait = () => stop.abort(IS_OVER);
      this.#endWait = endWait;
      signal.addEventListener("abort", endWait);
      await this.#clock.sleep(ms, stop.signal);
      signal.removeEventListener("abort", endWait);
      this.#endWait = undefined;
    }
    this.#wanted = false;
  }
}
