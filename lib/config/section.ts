import { Secret } from "../base/secret.ts";
import { nearest } from "../base/suggest.ts";
import { type AgeKeyKind, parseAgeKeys } from "./age_keys.ts";
import type { ConfigDocument, ConfigNode, Entry } from "./document.ts";
import { expandVariables } from "./expand_env.ts";
import { type ConfigKey, type ConfigLevel, findKey, keysOf, levelsOf, type ValueKey, type ValueOf } from "./keys.ts";
import { findUnsupportedKey, type UnsupportedKeys } from "./unsupported_keys.ts";
import { readValue, type Surroundings } from "./value.ts";

/**
 * One map of a config, read by the table of keys: every key known, every value of its type. What is not is noted, and the
 * other keys are read all the same; only of a replica of a kind that is not supported nothing more is said.
 */
export class Section {
  readonly node: ConfigNode;
  readonly #nodes = new Map<string, ConfigNode>();
  readonly #values = new Map<string, unknown>();
  #hasRefused = false;

  constructor(document: ConfigDocument, node: ConfigNode, level: ConfigLevel, surroundings: Surroundings) {
    this.node = node;
    const entries = document.entries(node);
    if (entries === undefined) throw document.problem(node, `${LEVEL_NAMES[level]} must be a map of keys and values`);
    for (const entry of kindFirst(entries)) {
      if (level === "global" && entry.key.startsWith(FREE_PREFIX)) continue;
      const row = findKey(level, entry.key);
      if (row === undefined) {
        const isOff = document.attempt(() => refuseUnknownKey(document, level, entry, surroundings));
        this.#hasRefused ||= isOff === undefined;
        continue;
      }
      this.#nodes.set(entry.key, entry.value ?? entry.keyNode);
      const read = () => valueOf(document, row, entry, surroundings);
      const value = level === "replica" && isKind(entry) ? read() : document.attempt(read);
      if (value !== undefined) this.#values.set(entry.key, value);
    }
  }

  /** Undefined when the key is absent, or its value wrong. */
  get<K extends ValueKey>(key: K): ValueOf<K> | undefined {
    return this.#values.get(key) as ValueOf<K> | undefined;
  }

  /** Whether a key is missing, and none was refused that may be meant for it. */
  lacks(...keys: readonly string[]): boolean {
    return !this.#hasRefused && keys.every((key) => !this.#nodes.has(key));
  }

  /** The value's place, of a list or section its node; undefined when the key is absent. */
  child(key: string): ConfigNode {
    return this.#nodes.get(key);
  }
}

/** Keys of the top level that begin with it are nobody's: a place for anchors, as in other YAML of such servers. */
const FREE_PREFIX = "x-";

const LEVEL_NAMES: Readonly<Record<ConfigLevel, string>> = {
  global: "the top level",
  logging: '"logging"',
  database: "a database",
  replica: "a replica",
  snapshot: '"snapshot"',
  age: '"age"',
  verify: '"verify"',
  check: "a check",
};

/** What a replica is decides what its other keys mean: trouble with that is told first. */
function kindFirst(entries: readonly Entry[]): readonly Entry[] {
  return [...entries.filter(isKind), ...entries.filter((entry) => !isKind(entry))];
}

function isKind({ key }: Entry): boolean {
  return key === "type" || key === "url";
}

/** True, and returns only, for a key that says by its value that it asks for nothing. */
function refuseUnknownKey(
  document: ConfigDocument,
  level: ConfigLevel,
  entry: Entry,
  surroundings: Surroundings,
): true {
  const unsupported = findUnsupportedKey(level, entry.key);
  if (unsupported === undefined) throw document.problem(entry.keyNode, explainUnknownKey(entry.key, level));
  if (isOff(document, unsupported, entry, surroundings)) return true;
  const { reason, advice } = unsupported;
  throw document.problem(
    entry.keyNode,
    `the key "${entry.key}" is not supported by this version: ${reason} (${advice})`,
  );
}

function isOff(
  document: ConfigDocument,
  { off = [], isSwitched = false }: UnsupportedKeys,
  entry: Entry,
  surroundings: Surroundings,
): boolean {
  if (isSwitched) {
    const enabled = document.entries(entry.value)?.find(({ key }) => key === "enabled");
    return enabled !== undefined && document.scalar(enabled.value)?.text === "false";
  }
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
  if (items === undefined && row.type === "replica" && document.entries(entry.value) !== undefined) return undefined;
  if (row.mayBeEmpty === true && document.describe(entry.value) === "missing") return undefined;

  const scalar = document.scalar(entry.value);
  const isScalar = scalar !== undefined;
  const text = isScalar ? expand(document, row, place, scalar.text, surroundings) : "";
  if (isScalar && row.mayBeEmpty === true && text === "") return undefined;
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
  const ofMap = document.describe(entry.value) === "a map" ? row.insteadOfMap : undefined;
  const expected = ofMap ?? (reading.kind === "wrong" ? reading.expected : "a single value");
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
      for (const { name, removed } of expansion.cleaned) {
        // Each line of a key's file is a key, and its last one ends as well.
        if (row.type === "identities" || row.type === "recipients") continue;
        document.warn(
          place,
          `the environment variable "${name}" in the value of "${row.key}" is taken without ${removed}`,
        );
      }
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
  const isSecret = row.type === "identities" || row.type === "ping" ||
    (row.type === "recipients" && /secret/i.test(text));
  return isSecret ? "(secret)" : shorten(text);
}

/** As it is written, before expansion: what a variable holds may be secret. */
function shorten(text: string): string {
  return JSON.stringify(text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`);
}
