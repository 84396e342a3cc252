/** What to do next, as it is printed: a line after "Try:" runs as it stands, anything else is a sentence. */
import { asCalled, operands, ownCommandLine } from "../base/command_line.ts";
import { ReplicationError } from "../base/errors.ts";
import { formatPosition, type Position } from "../position/position.ts";
import { Unrestorable } from "../restore/failure.ts";
import { WrongChecksum } from "../restore/wrong_checksum.ts";
import type { CommandContext, ParsedArguments } from "./command.ts";
import { writeLine } from "./output.ts";
import { printable } from "./table.ts";

export function adviceLine(advice: string, invocation: readonly string[]): string {
  const command = asCalled(advice, invocation);
  return command === undefined ? `Advice: ${advice}` : `Try: ${command}`;
}

/** What each of them says, then what to do about them, each thing once. */
export function complain({ stderr, invocation }: CommandContext, errors: readonly ReplicationError[]): void {
  for (const { message } of errors) writeLine(stderr, printable(message));
  const advice = new Set(errors.flatMap(({ advice }) => advice ?? []));
  for (const one of advice) writeLine(stderr, printable(adviceLine(one, invocation)));
}

/** What another command needs to read the same config. */
const CONFIG_FLAGS = ["config", "no-expand-env"];

/** Words by which the same replicas are found again. */
export function replicaWords({ arguments: arguments_ }: CommandContext, database: string | undefined): string[] {
  return [
    ...arguments_.typed([...CONFIG_FLAGS, "replica"]),
    ...operands([database ?? arguments_.positionals[0] ?? ""]),
  ];
}

const STATE_FLAGS = ["at", "index", "position", "generation"];

/** The error of a restore with the command that gets the newest state that there is, or makes new ones possible. */
export function withRestoreAdvice(error: unknown, context: CommandContext, isOfDatabase: boolean): unknown {
  if (!(error instanceof ReplicationError) || error.advice !== undefined) return error;
  const advice = adviceFor(error, context.arguments, replicaWords(context, undefined), isOfDatabase);
  return advice === undefined ? error : new ReplicationError(error.code, error.message, { cause: error, advice });
}

function adviceFor(
  error: ReplicationError,
  arguments_: ParsedArguments,
  words: readonly string[],
  isOfDatabase: boolean,
): string | undefined {
  if (error instanceof Unrestorable) {
    const { generation, point } = error.reachable;
    const typed = arguments_.typed(undefined, STATE_FLAGS);
    return restoreCommand({ generation, ...point }, [...typed, ...operands(arguments_.positionals)]);
  }
  if (error instanceof WrongChecksum) return mendCommand(words, isOfDatabase);
  return undefined;
}

export function restoreCommand(position: Position, words: readonly string[]): string {
  return ownCommandLine(["restore", "--position", formatPosition(position), ...words]);
}

/** Where a later state can be had: a new snapshot needs the database; of a URL one can look for another state. */
export function mendCommand(words: readonly string[], isOfDatabase: boolean): string {
  return isOfDatabase ? ownCommandLine(["snapshot", ...words]) : ownCommandLine(["points", ...words]);
}

/** For what nobody brings. */
export function replicateCommand({ arguments: arguments_ }: CommandContext): string {
  return ownCommandLine(["replicate", ...arguments_.typed(CONFIG_FLAGS)]);
}

/** For what a daemon should bring, and does not. */
export function statusCommand({ arguments: arguments_ }: CommandContext, database: string | undefined): string {
  return ownCommandLine(["status", ...arguments_.typed(CONFIG_FLAGS), ...(database === undefined ? [] : [database])]);
}
