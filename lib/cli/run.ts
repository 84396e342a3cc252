import { describeFault, ExitCode, exitCodeOf, ReplicationError } from "../base/errors.ts";
import { adviceLine } from "./advice.ts";
import type { Platform } from "../platform/platform.ts";
import type { Process } from "../platform/process.ts";
import { adviceFor, asksForHelp, parseArguments } from "./arguments.ts";
import type { Command, CommandContext } from "./command.ts";
import { findCommand } from "./commands.ts";
import { printable } from "./table.ts";

/** Runs the command that the words ask for; resolves to the exit code, whatever happens. */
export async function run(words: readonly string[], process: Process, platform: Platform): Promise<number> {
  try {
    return await runCommand(words, process, platform);
  } catch (error) {
    reportError(error, process);
    return exitCodeOf(error);
  }
}

async function runCommand(words: readonly string[], process: Process, platform: Platform): Promise<number> {
  const [first, ...rest] = words;
  if (first === undefined) {
    const { formatOverview } = await import("./help.ts");
    process.stderr.write(formatOverview(false));
    return ExitCode.usage;
  }
  if (first === "-h" || first === "--help" || first === "-help") return runCommand(["help"], process, platform);
  if (first === "--version" || first === "-version") return runCommand(["version", ...rest], process, platform);
  const command = findCommand(first) ?? (await import("./help.ts")).commandNamed(first);
  if (asksForHelp(rest)) return runCommand(["help", command.name], process, platform);
  return await runWith(command, rest, process, platform);
}

async function runWith(
  command: Command,
  words: readonly string[],
  process: Process,
  platform: Platform,
): Promise<number> {
  const context: CommandContext = {
    platform,
    arguments: parseArguments(command, words),
    environment: process.environment,
    currentFolder: () => process.currentFolder(),
    stdout: process.stdout,
    stderr: process.stderr,
    onSignal: (callback) => process.onSignal(callback),
    adoptOrphans: () => process.adoptOrphans(),
    runAgain: (words, signal, order) => process.runAgain(words, signal, order),
    readInput: () => process.readInput(),
    spawn: (program, arguments_) => process.spawn(program, arguments_),
    invocation: process.invocation,
    runtimeVersion: process.runtimeVersion,
    userId: process.userId,
  };
  const module = await command.load();
  await noteMoment(command, context);
  try {
    return await module.run(context);
  } catch (error) {
    const isBareUsage = error instanceof ReplicationError && error.code === "usage" && error.advice === undefined;
    if (!isBareUsage) throw error;
    throw new ReplicationError("usage", error.message, { cause: error, advice: adviceFor(command.name) });
  }
}

/** A time that was typed without its zone is said with it; where only trouble may be said, nothing is. */
async function noteMoment({ flags }: Command, context: CommandContext): Promise<void> {
  const has = (name: string) => flags.some((flag) => flag.name === name);
  const typed = has("at") ? context.arguments.text("at") : undefined;
  if (typed === undefined || (has("quiet") && context.arguments.isOn("quiet"))) return;
  const { parseMoment } = await import("./moment.ts");
  const moment = parseMoment(typed, context.platform.clock.now().getTime());
  const understood = moment?.understoodAs;
  if (understood !== undefined && moment?.orElse === undefined) {
    context.stderr.write(`Note: --at ${printable(typed)} is ${understood}\n`);
  }
}

/** A line for each thing that is wrong, one for what to do; anything but `ReplicationError` is a fault of the program itself. */
function reportError(error: unknown, { stderr, invocation }: Process): void {
  if (error instanceof ReplicationError) {
    for (const message of [error.message, ...error.others]) stderr.write(`${printable(message)}\n`);
    if (error.advice !== undefined) stderr.write(`${printable(adviceLine(error.advice, invocation))}\n`);
    return;
  }
  stderr.write(describeFault(error).split("\n").map(printable).join("\n"));
}
