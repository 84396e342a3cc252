import { node } from "./node_modules.ts";

const LOW = 10;

/** From here on whatever else runs on this machine comes first; what is lower already stays so. */
export function lowerPriority(): void {
  try {
    if (node.os.getPriority() < LOW) node.os.setPriority(LOW);
  } catch {
    // Not permitted here, and nothing depends on it.
  }
}
