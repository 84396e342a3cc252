/** Runs `inspect` as a process of its own: a hostile database may crash it or never end, and neither is our end. */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { withTimeLimit } from "../platform/clock.ts";
import type { InspectionOrder, InspectionResult } from "../sqlite/inspection.ts";
import type { CommandContext } from "./command.ts";

/** Of a database that is no trap: checking a hundred gigabytes takes less. */
const INSPECTION_MAX_MS = 3_600_000;

export async function inspectInChild(
  context: CommandContext,
  order: InspectionOrder,
  signal: AbortSignal,
): Promise<InspectionResult> {
  let isLate = false;
  const ended = await withTimeLimit(context.platform.clock, INSPECTION_MAX_MS, async (limit) => {
    const output = await context.runAgain(["inspect"], AbortSignal.any([signal, limit]), JSON.stringify(order));
    isLate = limit.aborted;
    return output;
  });
  if (isLate) {
    throw new ReplicationError("unavailable", `Cannot inspect ${order.path}: it took longer than an hour`);
  }
  if (signal.aborted) throw new ReplicationError("cancelled", `Cannot inspect ${order.path}: it was interrupted`);
  if (ended.code !== 0) {
    const why = ended.signal ?? `exit code ${ended.code}`;
    const said = ended.stderr.trim().split("\n")[0] ?? "";
    throw new ReplicationError("failed", `Cannot inspect ${order.path}: the process ended by ${why}: ${said}`);
  }
  try {
    return JSON.parse(ended.stdout);
  } catch (error) {
    throw new ReplicationError("failed", `Cannot inspect ${order.path}: ${messageOf(error)}`, { cause: error });
  }
}
