import { ownCommandLine } from "../base/command_line.ts";
import { ExitCode, ReplicationError } from "../base/errors.ts";
import { product } from "../base/product.ts";
import { nearest } from "../base/suggest.ts";
import { HELP_FLAG } from "./arguments.ts";
import type { Command, CommandContext, Flag } from "./command.ts";
import { COMMANDS, findCommand } from "./commands.ts";
import { mayDecorate, paint } from "./output.ts";
import { refusedWhen } from "./refusal.ts";
import { wrap } from "./wrap.ts";

export function run(context: CommandContext): Promise<number> {
  const isDecorated = mayDecorate(context.stdout, context.environment);
  const [name] = context.arguments.positionals;
  context.stdout.write(
    name === undefined ? formatOverview(isDecorated) : formatCommandHelp(commandNamed(name), isDecorated),
  );
  return Promise.resolve(ExitCode.done);
}

/** Throws `ReplicationError` "usage" with the nearest command's name when there is none of this name. */
export function commandNamed(name: string): Command {
  const command = findCommand(name);
  if (command !== undefined) return command;
  const suggestion = nearest(name, COMMANDS.filter(isForPeople).map((known) => known.name));
  const help = suggestion === undefined ? "" : ` (did you mean "${suggestion}"?)`;
  throw new ReplicationError("usage", `Cannot run ${JSON.stringify(name)}: there is no such command${help}`, {
    advice: suggestion === undefined ? ownCommandLine(["help"]) : ownCommandLine([suggestion, "--help"]),
  });
}

export function formatOverview(isDecorated: boolean): string {
  const heading = (text: string) => paint(text, "bold", isDecorated);
  return [
    ...wrap(
      `${product.title} streams every committed SQLite transaction to a second place, and restores it from there.`,
    ),
    "",
    heading("Examples:"),
    `  ${product.name} replicate app.db file:///backup/app`,
    `  ${product.name} restore -o copy.db file:///backup/app`,
    "",
    heading("Usage:"),
    `  ${product.name} COMMAND [flags] [DB | URL]`,
    "",
    heading("Commands:"),
    ...indentPairs(COMMANDS.filter(isForPeople).map((command) => [command.name, command.summary])),
    "",
    ...wrap("Every command has --help. Exit codes are the same everywhere: docs/exit_codes.md."),
    "",
  ].join("\n");
}

export function formatCommandHelp(command: Command, isDecorated: boolean): string {
  const heading = (text: string) => paint(text, "bold", isDecorated);
  return [
    ...wrap(`${command.summary}.`),
    "",
    heading("Examples:"),
    ...command.examples.map((example) => `  ${product.name} ${example}`),
    "",
    heading("Usage:"),
    ...command.usage.map((usage) => `  ${product.name} ${command.name} ${usage}`),
    "",
    heading("Flags:"),
    ...indentPairs([...command.flags, HELP_FLAG].map((flag) => [formatFlag(flag), meaningOf(command, flag)])),
    "",
    ...(command.notes === undefined ? [] : [...command.notes.flatMap((note) => wrap(note)), ""]),
  ].join("\n");
}

function isForPeople({ isInternal }: Command): boolean {
  return isInternal !== true;
}

function formatFlag(flag: Flag): string {
  const [short, ...others] = [flag.name, ...(flag.aliases ?? [])]
    .map((name) => name.length === 1 ? `-${name}` : `--${name}`)
    .sort((a, b) => a.length - b.length);
  return [short, ...others].join(", ") + (flag.value === undefined ? "" : ` ${flag.value}`);
}

/** With when it is refused: the parser does so by the same row. */
function meaningOf({ refusals = [] }: Command, { name, meaning }: Flag): string {
  const refused = refusedWhen(refusals, name);
  return refused === undefined ? meaning : `${meaning} ${refused}`;
}

function indentPairs(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([left]) => left.length));
  return pairs.flatMap(([left, right]) => wrap(right, `  ${left.padEnd(width)}  `, " ".repeat(width + 4)));
}
