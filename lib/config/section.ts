import { Secret } from "../base/secret.ts";
import { nearest } from "../base/suggest.ts";
import { type AgeKeyKind, parseAgeKeys } from "./age_keys.ts";
import type { ConfigDocument, ConfigNode, Entry } from "./document.ts";
import { expandVariables } from "./expand_env.ts";
import {
  type ConfigKey,
  type ConfigLevel,
  findKey,
  findUnsupportedKey,
  keysOf,
  levelsOf,
  type UnsupportedKeys,
  type ValueKey,
  type ValueOf,
} from "./keys.ts";
import { readValue, type Surroundings } from "./value.ts";

/** One map of a config, read by the table of keys: every key known, every value of its type. */
export class Section {
  readonly node: ConfigNode;
  readonly #nodes = new Map<string, ConfigNode>();
  readonly #values = new Map<string, unknown>();

  constructor(document: ConfigDocument, node: ConfigNode, level: ConfigLevel, surroundings: Surroundings) {
    this.node = node;
    const entries = document.entries(node);
    if (entries === undefined) throw document.problem(node, `${LEVEL_NAMES[level]} must be a map of keys and values`);
    for (const entry of kindFirst(entries)) {
      const row = findKey(level, entry.key);
      if (row === undefined) {
        refuseUnknownKey(document, level, entry, surroundings);
        continue;
      }
      this.#nodes.set(entry.key, entry.value ?? entry.keyNode);
      this.#values.set(entry.key, valueOf(document, row, entry, surroundings));
    }
  }

  /** Undefined when the key is absent. */
  get<K extends ValueKey>(key: K): ValueOf<K> | undefined {
    return this.#values.get(key) as ValueOf<K> | undefined;
  }

  /** The value's place, of a list or section its node; undefined when the key is absent. */
  child(key: string): ConfigNode {
    return this.#nodes.get(key);
  }
}

const LEVEL_NAMES: Readonly<Record<ConfigLevel, string>> = {
  global: "the top level",
  logging: '"logging"',
  database: "a database",
  replica: "a replica",
  age: '"age"',
  verify: '"verify"',
  check: "a check",
};

/** What a replica is decides what its other keys mean: trouble with that is told first. */
function kindFirst(entries: readonly Entry[]): readonly Entry[] {
  const isKind = ({ key }: Entry) => key === "type" || key === "url";
  return [...entries.filter(isKind), ...entries.filter((entry) => !isKind(entry))];
}

/** Returns only for a key that says by its value that it asks for nothing. */
function refuseUnknownKey(
  document: ConfigDocument,
  level: ConfigLevel,
  entry: Entry,
  surroundings: Surroundings,
): void {
  const unsupported = findUnsupportedKey(level, entry.key);
  if (unsupported === undefined) throw document.problem(entry.keyNode, explainUnknownKey(entry.key, level));
  if (isOff(document, unsupported, entry, surroundings)) return;
  const { reason, advice } = unsupported;
  throw document.problem(
    entry.keyNode,
    `the key "${entry.key}" is not supported by this version: ${reason} (${advice})`,
  );
}

function isOff(
  document: ConfigDocument,
  { off = [] }: UnsupportedKeys,
  entry: Entry,
  surroundings: Surroundings,
): boolean {
  const scalar = document.scalar(entry.value);
  if (scalar === undefined) return off.includes("") && document.describe(entry.value) === "missing";
  const expanded = surroundings.expand ? expandVariables(scalar.text, surroundings.environment) : scalar;
  return "text" in expanded && off.includes(expanded.text);
}

function explainUnknownKey(key: string, level: ConfigLevel): string {
  const elsewhere = levelsOf(key).map((other) => LEVEL_NAMES[other]);
  if (elsewhere.length > 0) {
    return `the key "${key}" does not belong to ${LEVEL_NAMES[level]} (it belongs to ${elsewhere.join(" or ")})`;
  }
  const known = keysOf(level).map((row) => row.key);
  const suggestion = nearest(key, known);
  const help = suggestion === undefined ? `known here: ${known.join(", ")}` : `did you mean "${suggestion}"?`;
  return `unknown key ${shorten(key)} (${help})`;
}

function valueOf(document: ConfigDocument, row: ConfigKey, entry: Entry, surroundings: Surroundings): unknown {
  const place = entry.value ?? entry.keyNode;
  const items = document.items(entry.value);
  if (items !== undefined && row.type === "list") return undefined; // Its maps are sections of their own.
  if (row.type === "section" && document.entries(entry.value) !== undefined) return undefined; // So is it.
  if (items !== undefined && row.type === "recipients") return ageKeys(document, row, items, place, surroundings);
  if (items !== undefined && row.type === "identities") {
    return ageKeys(document, row, items, place, surroundings).map((key) => new Secret(key));
  }
  if (row.type === "address" && document.describe(entry.value) === "missing") return "off"; // As Litestream has it.

  const scalar = document.scalar(entry.value);
  const isScalar = scalar !== undefined;
  const text = isScalar ? expand(document, row, place, scalar.text, surroundings) : "";
  const reading = readValue(
    row,
    { text, plain: scalar?.plain ?? false, isBoolean: scalar?.isBoolean ?? false },
    surroundings,
  );
  if (isScalar && reading.kind === "value") return reading.value;
  // Whatever is said shows a value as it is written: what a variable holds may be secret.
  if (isScalar && reading.kind === "refused") {
    throw document.problem(place, `the ${row.key} ${scalar.text}: ${reading.problem}`);
  }
  if (isScalar && row.unsupported?.choices.includes(text.toLowerCase())) {
    throw document.problem(place, `the ${row.key} "${text}" ${row.unsupported.problem}`);
  }
  const found = isScalar ? shown(row, scalar.text) : document.describe(entry.value);
  const expected = reading.kind === "wrong" ? reading.expected : "a single value";
  throw document.problem(place, `the value of "${row.key}" is ${found} (it must be ${expected})`);
}

function ageKeys(
  document: ConfigDocument,
  row: ConfigKey,
  items: readonly ConfigNode[],
  list: ConfigNode,
  surroundings: Surroundings,
): string[] {
  const kind: AgeKeyKind = row.type === "identities" ? "identity" : "recipient";
  return items.flatMap((item) => {
    const place = item ?? list;
    const scalar = document.scalar(item);
    const text = scalar === undefined ? "" : expand(document, row, place, scalar.text, surroundings);
    const parsed = parseAgeKeys(kind, text);
    if (parsed.kind === "keys") return parsed.keys;
    const found = scalar === undefined ? document.describe(item) : shown(row, scalar.text);
    throw document.problem(place, `a value of "${row.key}" is ${found} (it must be ${parsed.expected})`);
  });
}

function expand(
  document: ConfigDocument,
  row: ConfigKey,
  place: ConfigNode,
  text: string,
  surroundings: Surroundings,
): string {
  if (!surroundings.expand) return text;
  const expansion = expandVariables(text, surroundings.environment);
  switch (expansion.kind) {
    case "text":
      return expansion.text;
    case "undefined":
      throw document.problem(
        place,
        `the environment variable "${expansion.name}" in the value of "${row.key}" is not set ` +
          "(set it, or use --no-expand-env)",
      );
    case "malformed":
      throw document.problem(
        place,
        `${shown(row, expansion.found)} in the value of "${row.key}" names no environment variable ` +
          "(write ${NAME}, or use --no-expand-env)",
      );
  }
}

const SHOWN_MAX = 60;

/** A secret key may stand at the place of a public one by mistake. */
function shown(row: ConfigKey, text: string): string {
  const isSecret = row.type === "identities" || row.type === "secret" ||
    (row.type === "recipients" && /secret/i.test(text));
  return isSecret ? "(secret)" : shorten(text);
}

/** As it is written, before expansion: what a variable holds may be secret. */
function shorten(text: string): string {
  return JSON.stringify(text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`);
}
