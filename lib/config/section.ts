import { nearest } from "../base/suggest.ts";
import type { ConfigDocument, ConfigNode, Entry } from "./document.ts";
import { expandVariables } from "./expand_env.ts";
import {
  type ConfigKey,
  type ConfigLevel,
  findKey,
  keysOf,
  levelsOf,
  UNSUPPORTED_KEYS,
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
    for (const entry of entries) {
      const row = findKey(level, entry.key);
      if (row === undefined) throw document.problem(entry.keyNode, explainUnknownKey(entry.key, level));
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
};

function explainUnknownKey(key: string, level: ConfigLevel): string {
  if (UNSUPPORTED_KEYS[level].includes(key)) {
    return `the key "${key}" is not supported by this version (remove it; all keys are in docs/config.md)`;
  }
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
  const items = row.type === "list" ? document.items(entry.value) : undefined;
  const entries = row.type === "section" ? document.entries(entry.value) : undefined;
  if (items !== undefined || entries !== undefined) return undefined; // Their maps are sections of their own.

  const scalar = document.scalar(entry.value);
  const isScalar = scalar !== undefined;
  const text = isScalar ? expand(document, row, place, scalar.text, surroundings) : "";
  const reading = readValue(
    row,
    { text, plain: scalar?.plain ?? false, isBoolean: scalar?.isBoolean ?? false },
    surroundings,
  );
  if (isScalar && reading.kind === "value") return reading.value;
  if (isScalar && row.unsupportedChoices?.includes(text.toLowerCase())) {
    const supported = (row.choices ?? []).join(", ");
    throw document.problem(place, `the ${row.key} "${text}" is not supported by this version (only ${supported})`);
  }
  const found = isScalar ? shorten(scalar.text) : document.describe(entry.value);
  const expected = reading.kind === "wrong" ? reading.expected : "a single value";
  throw document.problem(place, `the value of "${row.key}" is ${found} (it must be ${expected})`);
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
        `${shorten(expansion.found)} in the value of "${row.key}" names no environment variable ` +
          "(write ${NAME}, or use --no-expand-env)",
      );
  }
}

const SHOWN_MAX = 60;

/** As it is written, before expansion: what a variable holds may be secret. */
function shorten(text: string): string {
  return JSON.stringify(text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`);
}
