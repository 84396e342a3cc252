/** Runs `inspect` as a process of its own: a hostile database may crash it or never end, and neither is our end. */
import { messageOf, ReplicationError } from "../base/errors.ts";
import type { InspectionOrder, InspectionResult } from "../sqlite/inspection.ts";
import type { CommandContext } from "./command.ts";

export async function inspectInChild(
  context: CommandContext,
  order: InspectionOrder,
  signal: AbortSignal,
): Promise<InspectionResult> {
  const ended = await context.runAgain(["inspect", JSON.stringify(order)], signal);
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
