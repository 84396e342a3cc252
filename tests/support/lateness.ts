/**
 * How late this machine wakes up a process that only sleeps. A limit in milliseconds that the program promises holds on a
 * machine that has time for it; on a busy one every hand-over between processes comes as late as that.
 */
import { sleep } from "./daemon.ts";

/** Hand-overs that what is measured may need: ours to step aside, SQLite's to ask again, both to get a core. */
const HAND_OVERS = 10;

export class Lateness {
  #worstMs = 0;

  async sleep(ms: number): Promise<void> {
    const start = performance.now();
    await sleep(ms);
    this.#worstMs = Math.max(this.#worstMs, performance.now() - start - ms);
  }

  /** The limit, on this machine, at this time. */
  allow(limitMs: number): number {
    return limitMs + HAND_OVERS * this.#worstMs;
  }
}
