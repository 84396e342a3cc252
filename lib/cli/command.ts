import type { Platform } from "../platform/platform.ts";
import type { Process } from "../platform/process.ts";
import type { Refusal } from "./refusal.ts";

/** What a command gets: the outside world, this process, and what was typed. */
export interface CommandContext extends Process {
  readonly platform: Platform;
  readonly arguments: ParsedArguments;
  /** Aborted, nothing that is still to be read is waited for any longer, as after a signal. */
  readonly until?: AbortSignal;
}

/** One row of the command table, from which parser and help come. */
export interface Command {
  readonly name: string;
  /** One sentence, without a final period. */
  readonly summary: string;
  /** For this program only: help does not list it. */
  readonly isInternal?: boolean;
  /** Lines after `tailrace <name> `, one a form. */
  readonly usage: readonly string[];
  /** Lines after `tailrace `; help shows them first. */
  readonly examples: readonly string[];
  readonly flags: readonly Flag[];
  readonly positionals: Positionals;
  /** Further paragraphs of the help. */
  readonly notes?: readonly string[];
  /** Which flags cannot be used, and when. */
  readonly refusals?: readonly Refusal[];
  /** What is wrong besides, as `<subject>: <what is> (<what should be>)`; undefined when all is well. */
  readonly refuse?: (arguments_: ParsedArguments) => string | undefined;
  /** By a literal `import()`: starts fast, and a bundle holds it. */
  readonly load: () => Promise<CommandModule>;
}

export interface CommandModule {
  /** Does the work and resolves to the exit code; throws `ReplicationError` for everything that stops it. */
  run(context: CommandContext): Promise<number>;
}

export interface Flag {
  /** Without dashes: `if-db-not-exists`. */
  readonly name: string;
  /** Further spellings, without dashes: `o`. */
  readonly aliases?: readonly string[];
  /** How help shows the value (`FILE`); absent for a switch, which takes none. */
  readonly value?: string;
  readonly meaning: string;
  /** Says what the value should be when it is none that can be meant. */
  readonly check?: (value: string) => string | undefined;
}

export interface Positionals {
  readonly min: number;
  readonly max: number;
  /** What is expected, for the message about a wrong number: `a database or a replica URL`. */
  readonly expected: string;
  /** Whether a number between `min` and `max` is nevertheless wrong. */
  readonly except?: readonly number[];
}

/** What was typed, checked against the command's table. Asking for a flag that is not in the table is a programmer's error. */
export interface ParsedArguments {
  readonly command: string;
  readonly positionals: readonly string[];
  /**
   * The flags that were typed, with their values, for another command line: those that are named, or all; without those that
   * are left out.
   */
  typed(names?: readonly string[], without?: readonly string[]): string[];
  /** Whether the flag was typed, and does not only say that its switch is off. */
  isGiven(flag: string): boolean;
  /** Whether the switch is on. */
  isOn(flag: string): boolean;
  /** The value as typed; undefined when the flag was not given. */
  text(flag: string): string | undefined;
  /** The value as a decimal integer (its check has accepted it); undefined when the flag was not given. */
  integer(flag: string): number | undefined;
}
