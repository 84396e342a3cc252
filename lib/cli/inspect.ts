/** The child in which `verify` looks inside a restored database: an order as JSON, an answer as JSON. */
import { ExitCode } from "../base/errors.ts";
import { inspectDatabase, type InspectionOrder } from "../sqlite/inspection.ts";
import type { CommandContext } from "./command.ts";

export async function run(context: CommandContext): Promise<number> {
  const order: InspectionOrder = JSON.parse(context.arguments.positionals[0] ?? "");
  context.stdout.write(JSON.stringify(await inspectDatabase(order)));
  return ExitCode.done;
}
