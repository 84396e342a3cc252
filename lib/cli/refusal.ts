import { isReplicaUrl } from "../config/replica_url.ts";
import type { ParsedArguments } from "./command.ts";

/** When a flag could do nothing, or contradicts another one: parser and help say the same, from one row. */
export interface Refusal {
  /** Without dashes. */
  readonly flag: string;
  /** For the help; completes "Refused ...": `beside --once`. */
  readonly when: string;
  /** What of that was typed, which completes "Cannot use --flag ..."; undefined: nothing, and the flag is welcome. */
  readonly met: (arguments_: ParsedArguments) => string | undefined;
  /** Why, with the way out in brackets where there is one. */
  readonly because: string;
}

/** The first that is met, as `<subject>: <what is> (<what should be>)`. */
export function refusalOf(refusals: readonly Refusal[], arguments_: ParsedArguments): string | undefined {
  for (const { flag, met, because } of refusals) {
    const found = arguments_.isGiven(flag) ? met(arguments_) : undefined;
    if (found !== undefined) return `--${flag} ${found}: ${because}`;
  }
  return undefined;
}

/** For the help: when the flag is refused; undefined: never. */
export function refusedWhen(refusals: readonly Refusal[], flag: string): string | undefined {
  const all = refusals.filter((refusal) => refusal.flag === flag).map(({ when }) => when);
  return all.length === 0 ? undefined : `Refused ${all.join(", and ")}.`;
}

export function beside(flag: string, others: readonly string[], because: string): Refusal {
  return {
    flag,
    when: `beside ${named(others, "or")}`,
    met: (arguments_) => {
      const given = others.filter((other) => arguments_.isGiven(other));
      return given.length === 0 ? undefined : `beside ${named(given, "and")}`;
    },
    because,
  };
}

/** Each of them beside any of the others. */
export function oneOfThese(flags: readonly string[], because: string): Refusal[] {
  return flags.map((flag) => beside(flag, flags.filter((other) => other !== flag), because));
}

/** A command that takes a replica's URL instead of a database of the config. */
export function withUrl(flag: string, because: string): Refusal {
  return {
    flag,
    when: "with a URL",
    met: (arguments_) => isUrlGiven(arguments_) ? "with a URL" : undefined,
    because,
  };
}

/** What names replicas of the config beside one that is named by its URL. */
export const CONFIG_WITH_URL: readonly Refusal[] = ["config", "no-expand-env", "replica"].map((flag) =>
  withUrl(flag, "a URL needs no config (leave it out)")
);

export function isUrlGiven({ positionals }: ParsedArguments): boolean {
  return isReplicaUrl(positionals[0] ?? "");
}

function named(flags: readonly string[], between: string): string {
  return flags.map((flag) => `--${flag}`).join(` ${between} `);
}
