/**
 * Where a PASSIVE checkpoint runs. On the event loop everything waits for it, for the device's two syncs most of all; beside
 * it a thread of its own costs some 18 ms and 10 MB. So what is small runs on the loop as long as the device is quick. Where
 * an application never pauses the copy must come to an end before as much again was written: then more of it does. PURE.
 */
const LOOP_MAX_BYTES = 4 << 20;
const HURRIED_MAX_BYTES = 40 << 20;
/** Of a device that is quick: for its syncs, and for what it takes in beside other work. */
const SYNCS_MAX_MS = 200;
const BYTES_PER_MS = 100_000;

export interface CopyFacts {
  /** Of the pages that would be copied. */
  readonly bytes: number;
  /** Whether the write lock is to be had next. */
  readonly isHurried: boolean;
  /** Whether the last copy was slow, wherever it ran. */
  readonly isDeviceSlow: boolean;
}

export function decideCopyPlace({ bytes, isHurried, isDeviceSlow }: CopyFacts): "loop" | "beside" {
  if (isDeviceSlow) return "beside";
  return bytes <= (isHurried ? HURRIED_MAX_BYTES : LOOP_MAX_BYTES) ? "loop" : "beside";
}

export function isSlowCopy(bytes: number, milliseconds: number): boolean {
  return milliseconds > SYNCS_MAX_MS + bytes / BYTES_PER_MS;
}
