/** The child in which `verify` looks inside a restored database: an order as JSON on its stdin, an answer as JSON. */
import { ExitCode, ReplicationError } from "../base/errors.ts";
import { inspectDatabase, type InspectionOrder } from "../sqlite/inspection.ts";
import type { CommandContext } from "./command.ts";

export async function run(context: CommandContext): Promise<number> {
  const order = orderFrom(await context.readInput());
  context.stdout.write(JSON.stringify(await inspectDatabase(order)));
  return ExitCode.done;
}

function orderFrom(text: string): InspectionOrder {
  try {
    const { path, structure, queries, pages } = JSON.parse(text);
    const isOrder = typeof path === "string" && typeof structure === "boolean" && [queries, pages].every(Array.isArray);
    if (isOrder) return { path, structure, queries, pages };
  } catch {
    // It is said below.
  }
  throw new ReplicationError("usage", "Cannot inspect: the order is none that verify gives");
}
