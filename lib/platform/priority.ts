import os from "node:os";

const LOW = 10;

/** From here on whatever else runs on this machine comes first; what is lower already stays so. */
export function lowerPriority(): void {
  try {
    if (os.getPriority() < LOW) os.setPriority(LOW);
  } catch {
    // Not permitted here, and nothing depends on it.
  }
}
