/** Times that a clock gave which was ahead, or before it was put back: they prove no freshness, and are not carried on. */
import { limits } from "./limits.ts";

/** Whether a time lies further ahead of now than clocks differ; nothing is as new as it says then. */
export function isFuture(timeMs: number, nowMs: number): boolean {
  return timeMs > nowMs + limits.clockAheadMaxMs;
}

/** The time of what happens now, after something of `lastMs`: never earlier, unless that one lies in the future. */
export function timeAfter(lastMs: number, nowMs: number): number {
  return isFuture(lastMs, nowMs) ? nowMs : Math.max(lastMs, nowMs);
}
