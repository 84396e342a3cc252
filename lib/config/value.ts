import { limits } from "../base/limits.ts";
import { parseCron } from "../schedule/cron.ts";
import { Secret } from "../base/secret.ts";
import { parseWebAddress, WEB_ADDRESS } from "../base/web_address.ts";
import { absolutePath, type PathSurroundings } from "./absolute_path.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import type { ConfigKey, ConfigTypes } from "./keys.ts";
import { canonicalHostName } from "./host_name.ts";
import { parseListenAddress } from "./listen_address.ts";
import { isReplicaUrl, parseReplicaUrl } from "./replica_url.ts";
import { formatSize, parseSize } from "./size.ts";

/** What the meaning of a value depends on besides the value. */
export interface Surroundings extends PathSurroundings {
  /** Whether variables are expanded. */
  readonly expand: boolean;
}

/** One scalar after expansion. */
export interface ValueText {
  readonly text: string;
  /** Without quotes: `5` may be a number, `"5"` is a text. */
  readonly plain: boolean;
  /** YAML takes it for a boolean. */
  readonly isBoolean: boolean;
}

export type Reading =
  | { readonly kind: "value"; readonly value: ConfigTypes[keyof ConfigTypes] }
  /** `problem` is said of the value. */
  | { readonly kind: "refused"; readonly problem: string }
  /** `expected` completes "it must be ...". */
  | { readonly kind: "wrong"; readonly expected: string };

/** Reads a value as its row of the table asks. */
export function readValue(row: ConfigKey, value: ValueText, surroundings: Surroundings): Reading {
  switch (row.type) {
    case "text":
      return readText(value);
    case "ping":
      return readPing(value);
    case "path":
      return readPath(value, surroundings);
    case "library":
      return value.text === "system" ? { kind: "value", value: value.text } : readPath(value, surroundings);
    case "duration":
      return readDuration(row, value);
    case "size":
      return readSize(row, value);
    case "integer":
      return readInteger(row, value);
    case "schedule":
      return readSchedule(value);
    case "address":
      return readAddress(value);
    case "names":
      return readNames(value);
    case "number":
      return readNumber(value);
    case "change":
      return readChange(value);
    case "boolean":
      return readBoolean(value);
    case "choice":
      return readChoice(row, value);
    case "url":
      return readUrl(value);
    case "recipients":
    case "identities":
    case "list":
      return wrong("a list");
    case "replica":
    case "section":
      return wrong("a map of keys and values");
  }
}

function wrong(expected: string): Reading {
  return { kind: "wrong", expected };
}

function readText({ text, isBoolean }: ValueText): Reading {
  if (isBoolean) return wrong("a text; in quotes, if this is one");
  if (text === "" || text.includes("\0")) return wrong("a text that is not empty");
  return { kind: "value", value: text };
}

function readPing(value: ValueText): Reading {
  const reading = readText(value);
  if (reading.kind !== "value") return reading;
  const isPossible = value.text.startsWith("@") || parseWebAddress(value.text) !== undefined;
  return isPossible
    ? { kind: "value", value: new Secret(value.text) }
    : wrong(`@FILE, which holds an address, or ${WEB_ADDRESS}`);
}

/** Litestream 0.5 takes a path with it, and without. */
const SQLITE_SCHEME = /^sqlite3?:\/\//;

function readPath(value: ValueText, surroundings: Surroundings): Reading {
  const reading = readText(value);
  if (reading.kind === "wrong") return wrong("a path");
  const text = value.text.replace(SQLITE_SCHEME, "");
  if (isReplicaUrl(text)) return wrong('a path; a URL belongs to the key "url" of a replica');
  const path = absolutePath(text, surroundings);
  if (path === undefined) return wrong('a path that does without "~", since the variable HOME is not set');
  return { kind: "value", value: path };
}

function readUrl(value: ValueText): Reading {
  const reading = readText(value);
  if (reading.kind === "wrong") return reading;
  const parsed = parseReplicaUrl(value.text);
  return parsed.kind === "file" ? { kind: "value", value: parsed.path } : parsed;
}

function readDuration(row: ConfigKey, { text, plain }: ValueText): Reading {
  const nanoseconds = plain && isInteger(text);
  const ms = nanoseconds ? Number(text) / 1e6 : parseDuration(text);
  const min = row.min ?? 0;
  if (ms === undefined) return wrong("a duration such as 10s, 1m30s or 250ms");
  if (nanoseconds && ms !== 0 && ms < 1) {
    return wrong("a duration with a unit, such as 10s: a bare number is nanoseconds");
  }
  if (ms > 0 && ms < 1) return wrong("at least 1ms");
  if (ms === 0 && row.mayBeZero === true) return { kind: "value", value: ms };
  if (ms < min) return wrong(min === 0 ? "no negative duration" : `at least ${formatDuration(min)}`);
  const maxMs = row.maxMs ?? limits.intervalMaxMs;
  if (ms > maxMs) return wrong(`at most ${formatDuration(maxMs)}`);
  return { kind: "value", value: ms };
}

function readSize(row: ConfigKey, { text }: ValueText): Reading {
  const bytes = parseSize(text);
  if (bytes === undefined) return wrong("a size such as 512MB, 1GiB, or a number of bytes");
  if (bytes < (row.min ?? 0)) return wrong(`at least ${formatSize(row.min ?? 0)}`);
  return { kind: "value", value: bytes };
}

function readInteger(row: ConfigKey, { text, plain }: ValueText): Reading {
  const value = plain && isInteger(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) return wrong("a whole number");
  if (value < (row.min ?? 0)) return wrong(`at least ${row.min ?? 0}`);
  return { kind: "value", value };
}

function readSchedule({ text }: ValueText): Reading {
  const parsed = parseCron(text);
  return typeof parsed === "string" ? wrong(parsed) : { kind: "value", value: parsed };
}

function readAddress({ text }: ValueText): Reading {
  const address = parseListenAddress(text);
  return address === undefined
    ? wrong("an address with a port, such as 127.0.0.1:9090")
    : { kind: "value", value: address };
}

function readNames({ text }: ValueText): Reading {
  const names = text.trim().split(/\s+/);
  const isName = (name: string) => !name.includes(":") && canonicalHostName(name) !== undefined;
  return names.every(isName)
    ? { kind: "value", value: names }
    : wrong("names of hosts with a space between two, such as backup.example.com");
}

function readNumber({ text, plain }: ValueText): Reading {
  return plain && isNumber(text) ? { kind: "value", value: Number(text) } : wrong("a number");
}

function readChange({ text }: ValueText): Reading {
  const isPart = text.endsWith("%");
  const number = isPart ? text.slice(0, -1) : text;
  if (!isNumber(number) || Number(number) < 0) return wrong("a number such as 500, or a part such as 10%");
  return { kind: "value", value: { amount: isPart ? Number(number) / 100 : Number(number), isPart } };
}

function isNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?$/.test(text);
}

/** No leading zeros: to some readers of YAML they make the number octal. */
function isInteger(text: string): boolean {
  return /^(0|[1-9]\d*)$/.test(text);
}

const TRUE_WORDS = ["true", "yes", "on"];
const FALSE_WORDS = ["false", "no", "off"];

function readBoolean({ text, plain }: ValueText): Reading {
  const word = plain ? text.toLowerCase() : "";
  if (TRUE_WORDS.includes(word)) return { kind: "value", value: true };
  if (FALSE_WORDS.includes(word)) return { kind: "value", value: false };
  return wrong("true or false");
}

function readChoice(row: ConfigKey, { text }: ValueText): Reading {
  const word = text.toLowerCase();
  if (row.choices?.includes(word)) return { kind: "value", value: word };
  return wrong((row.choices ?? []).join(", "));
}
