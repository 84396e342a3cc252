import { ExitCode } from "../base/errors.ts";
import { product } from "../base/product.ts";
import type { CommandContext } from "./command.ts";
import { writeJson, writeLine } from "./output.ts";

const SCHEMA_VERSION = 1;

export function run(context: CommandContext): Promise<number> {
  if (context.arguments.isOn("json")) {
    writeJson(context.stdout, SCHEMA_VERSION, {
      name: product.name,
      version: product.version,
      deno: context.runtimeVersion,
    });
  } else {
    writeLine(context.stdout, `${product.name} ${product.version}`);
  }
  return Promise.resolve(ExitCode.done);
}
