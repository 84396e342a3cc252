/** Flags that several commands have, and what their values must be. */
import { parseDuration } from "../config/duration.ts";
import { CONFIG_VARIABLES, DEFAULT_CONFIG_PATHS } from "../config/find_config.ts";
import { parseGeneration } from "../position/generation.ts";
import { parseIndex, parsePosition } from "../position/position.ts";
import type { Flag } from "./command.ts";
import { beside, oneOfThese, type Refusal } from "./refusal.ts";

export const CONFIG: Flag = {
  name: "config",
  value: "FILE",
  meaning: `Config to read (else ${
    [...CONFIG_VARIABLES.map((name) => `$${name}`), ...DEFAULT_CONFIG_PATHS].join(", ")
  }).`,
};
export const NO_EXPAND_ENV: Flag = {
  name: "no-expand-env",
  meaning: "Take $NAME and ${NAME} in the config as they stand.",
};
export const REPLICA: Flag = {
  name: "replica",
  value: "NAME",
  meaning: "Only the replica of this name in the config.",
};
export const GENERATION: Flag = {
  name: "generation",
  value: "ID",
  meaning: "Only this generation.",
  check: (value) => parseGeneration(value) === undefined ? "16 lowercase hex digits" : undefined,
};
export const AT: Flag = {
  name: "at",
  aliases: ["timestamp"],
  value: "TIME",
  meaning: "The last state at or before this time: 2026-11-30T02:10:00Z, '2026-11-30 02:10', -15m, -1d, now.",
};
export const STATES: readonly Flag[] = [
  AT,
  {
    name: "index",
    value: "HEX",
    meaning: "The state at the end of this WAL index.",
    check: (value) => parseIndex(value) === undefined ? "1 to 16 hex digits" : undefined,
  },
  {
    name: "position",
    value: "POSITION",
    meaning: "The state at this position: <generation>/<index>:<offset>.",
    check: (value) => parsePosition(value) === undefined ? "<generation>/<index in hex>:<offset>" : undefined,
  },
];
export const JSON_OUTPUT: Flag = { name: "json", meaning: "Write one JSON document (docs/json.md)." };

/** Of a command that is told by a flag which state is meant. */
export const REFUSED_STATES: readonly Refusal[] = [
  ...oneOfThese(STATES.map(({ name }) => name), "each names a state (give one of them)"),
  beside("generation", ["position"], "a position names its generation (leave it out)"),
];

export function oneOf(...words: readonly string[]): (value: string) => string | undefined {
  return (value) => words.includes(value) ? undefined : words.join(", ");
}

export function longDuration(example: string): (value: string) => string | undefined {
  return (value) => (parseDuration(value) ?? 0) > 0 ? undefined : `a duration such as ${example}, longer than 0`;
}
