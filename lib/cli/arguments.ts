import { assert } from "../base/assert.ts";
import { ownCommandLine } from "../base/command_line.ts";
import { ReplicationError } from "../base/errors.ts";
import { product } from "../base/product.ts";
import { withoutUserInfo } from "../base/secret.ts";
import { nearest } from "../base/suggest.ts";
import type { Command, Flag, ParsedArguments } from "./command.ts";
import { refusalOf } from "./refusal.ts";

/** Every command has it. */
export const HELP_FLAG: Flag = { name: "help", aliases: ["h"], meaning: "Show this help." };

/** Whether help is asked for, however wrong the rest may be. */
export function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  const before = end === -1 ? words : words.slice(0, end);
  return before.some((word) => word === "-h" || word === "--help" || word === "-help");
}

/**
 * Reads the words after the command by its table: `--name value`, `--name=value`, and the same with one dash, before,
 * between and after positionals; `--` ends the flags. A flag that takes a value takes the next word even when it begins
 * with a dash (`--at -10m`), unless that is one of the command's own flags: then the value was forgotten.
 * Throws `ReplicationError` "usage".
 */
export function parseArguments(command: Command, words: readonly string[]): ParsedArguments {
  const positionals: string[] = [];
  const values = new Map<string, string>();
  const flags = [...command.flags, HELP_FLAG];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") {
      positionals.push(...words.slice(i + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const { flag, inline } = recognise(command, flags, word);
    if (values.has(flag.name)) throw usage(command, `--${flag.name}: it is given twice`);
    if (flag.value === undefined) {
      values.set(flag.name, switchValue(command, flag, inline));
      continue;
    }
    const value = inline ?? words[++i];
    if (value === undefined || (inline === undefined && isFlag(flags, value))) {
      throw usage(command, `--${flag.name}: its value is missing (--${flag.name} ${flag.value})`);
    }
    checkValue(command, flag, value);
    values.set(flag.name, value);
  }
  checkPositionals(command, positionals);
  const parsed = new TableArguments(command, positionals, values);
  const refusal = refusalOf(command.refusals ?? [], parsed) ?? command.refuse?.(parsed);
  if (refusal !== undefined) throw usage(command, refusal);
  return parsed;
}

interface Recognised {
  readonly flag: Flag;
  /** What stands after `=`. */
  readonly inline: string | undefined;
}

function recognise(command: Command, flags: readonly Flag[], word: string): Recognised {
  const [, dashes = "", name = "", inline] = /^(--?)([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const flag = findFlag(flags, name);
  if (flag !== undefined) return { flag, inline };
  const names = flags.flatMap(spellings);
  const suggestion = nearest(name, names);
  const help = suggestion === undefined ? "" : ` (did you mean ${suggestion.length === 1 ? "-" : "--"}${suggestion}?)`;
  throw usage(command, `${dashes}${name}: there is no such flag${help}`);
}

function findFlag(flags: readonly Flag[], name: string): Flag | undefined {
  return flags.find((flag) => spellings(flag).includes(name));
}

function spellings(flag: Flag): string[] {
  return [flag.name, ...(flag.aliases ?? [])];
}

/** Whether a word is one of the flags, rather than a value that begins with a dash; `--` is none. */
function isFlag(flags: readonly Flag[], word: string): boolean {
  const [, name] = /^--?([^=]+)/.exec(word) ?? [];
  return word === "--" || (name !== undefined && findFlag(flags, name) !== undefined);
}

/** As Litestream's flags take them. */
const ON_WORDS = ["true", "TRUE", "True", "t", "T", "1"];
const OFF_WORDS = ["false", "FALSE", "False", "f", "F", "0"];

function switchValue(command: Command, flag: Flag, inline: string | undefined): string {
  if (inline === undefined || ON_WORDS.includes(inline)) return "true";
  if (OFF_WORDS.includes(inline)) return "false";
  throw usage(command, `--${flag.name}=${inline}: it is a switch (without a value)`);
}

function checkValue(command: Command, flag: Flag, value: string): void {
  const expected = value === "" ? "not empty" : flag.check?.(value);
  if (expected !== undefined) {
    throw usage(command, `--${flag.name} ${JSON.stringify(value)}: it is not valid (it must be ${expected})`);
  }
}

function checkPositionals(command: Command, positionals: readonly string[]): void {
  const { min, max, expected, except = [] } = command.positionals;
  if (positionals.includes("")) throw usage(command, `an empty argument: ${expected} is expected`);
  if (positionals.length < min || except.includes(positionals.length)) {
    const found = positionals.length === 0
      ? "nothing is given"
      : `only ${positionals.map(withoutUserInfo).join(" ")} is given`;
    throw usage(command, `${product.name} ${command.name}: ${found} (${expected} is expected)`, "run");
  }
  if (positionals.length > max) {
    const surplus = JSON.stringify(withoutUserInfo(positionals[max] ?? ""));
    throw usage(command, `the argument ${surplus}: it is one too many (${expected} is expected)`);
  }
}

function usage(command: Command, subjectAndProblem: string, act = "use"): ReplicationError {
  return new ReplicationError("usage", `Cannot ${act} ${subjectAndProblem}`, { advice: adviceFor(command.name) });
}

export function adviceFor(command: string): string {
  return ownCommandLine([command, "--help"]);
}

class TableArguments implements ParsedArguments {
  readonly command: string;
  readonly positionals: readonly string[];
  readonly #flags: readonly Flag[];
  readonly #values: ReadonlyMap<string, string>;

  constructor(command: Command, positionals: readonly string[], values: ReadonlyMap<string, string>) {
    this.command = command.name;
    this.positionals = positionals;
    this.#flags = command.flags;
    this.#values = values;
  }

  typed(names?: readonly string[], without: readonly string[] = []): string[] {
    return this.#flags.flatMap((flag) => {
      const value = this.#values.get(flag.name);
      const isWanted = (names === undefined || names.includes(flag.name)) && !without.includes(flag.name);
      if (!isWanted || value === undefined) return [];
      if (flag.value === undefined) return value === "true" ? [`--${flag.name}`] : [];
      return [`--${flag.name}`, value];
    });
  }

  isGiven(flag: string): boolean {
    const isOff = findFlag(this.#flags, flag)?.value === undefined && this.#value(flag) === "false";
    return this.#value(flag) !== undefined && !isOff;
  }

  isOn(flag: string): boolean {
    return this.#value(flag) === "true";
  }

  text(flag: string): string | undefined {
    return this.#value(flag);
  }

  integer(flag: string): number | undefined {
    const value = this.#value(flag);
    return value === undefined ? undefined : Number(value);
  }

  #value(flag: string): string | undefined {
    assert(findFlag(this.#flags, flag)?.name === flag, `--${flag} is a flag of ${this.command}`);
    return this.#values.get(flag);
  }
}
