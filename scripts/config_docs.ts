/** Writes the tables of `docs/config.md` from the table of keys; with `--check` it only says whether they are up to date. */
import { complain } from "./project.ts";
import { CONFIG_KEYS, type ConfigKey, type ConfigLevel } from "../lib/config/keys.ts";
import { UNSUPPORTED_KEYS } from "../lib/config/unsupported_keys.ts";

export const CONFIG_DOCUMENT = new URL("../docs/config.md", import.meta.url);

const LEVEL_NAMES: Readonly<Record<ConfigLevel, string>> = {
  global: "top level",
  logging: "`logging`",
  database: "database",
  replica: "replica",
  snapshot: "`snapshot`",
  age: "`age`",
  verify: "`verify`",
  check: "`checks`",
};

const TYPE_NAMES: Readonly<Record<ConfigKey["type"], string>> = {
  text: "text",
  path: "path",
  library: "`system` or path",
  duration: "duration",
  size: "size",
  integer: "whole number",
  ping: "text",
  schedule: "five fields",
  address: "address",
  names: "names",
  number: "number",
  change: "number or part",
  boolean: "true or false",
  choice: "word",
  url: "URL",
  recipients: "list of texts",
  identities: "list of texts",
  list: "list",
  section: "map",
  replica: "map",
};

/** The document with its generated parts made anew. */
export function renewDocument(text: string): string {
  return replacePart(replacePart(text, "keys", formatKeys()), "unsupported keys", formatUnsupportedKeys());
}

function replacePart(text: string, name: string, body: string): string {
  const begin = `<!-- begin: ${name} -->\n`;
  const end = `<!-- end: ${name} -->`;
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`Cannot renew docs/config.md: the marks of "${name}" are missing`);
  return `${text.slice(0, from + begin.length)}\n${body}\n${text.slice(to)}`;
}

function formatKeys(): string {
  const rows: readonly ConfigKey[] = CONFIG_KEYS;
  return formatMarkdownTable(
    ["key", "level", "type", "default", "meaning"],
    rows.map((row) => [
      `\`${row.key}\``,
      row.levels.map((level) => LEVEL_NAMES[level]).join(", "),
      TYPE_NAMES[row.type],
      row.default,
      row.meaning,
    ]),
  );
}

function formatUnsupportedKeys(): string {
  return formatMarkdownTable(
    ["keys", "level", "why", "what to do"],
    UNSUPPORTED_KEYS.map(({ keys, levels, reason, advice, off = [], isSwitched = false }) => [
      keys.map((key) => `\`${key}\``).join(", "),
      levels.map((level) => LEVEL_NAMES[level]).join(", "),
      reason,
      [advice, ...mayStay(isSwitched ? ["enabled: false"] : off)].join("; "),
    ]),
  );
}

function mayStay(off: readonly string[]): string[] {
  return off.length === 0 ? [] : [`${off.map((value) => `\`${value || '""'}\``).join(" and ")} may stay`];
}

/** Padded as the formatter pads. */
function formatMarkdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |\n`;
  return line(titles) + line(widths.map((width) => "-".repeat(width))) + rows.map(line).join("");
}

if (import.meta.main) {
  const present = Deno.readTextFileSync(CONFIG_DOCUMENT);
  const renewed = renewDocument(present);
  if (!Deno.args.includes("--check")) Deno.writeTextFileSync(CONFIG_DOCUMENT, renewed);
  else if (renewed !== present) {
    complain("docs/config.md is not up to date (run: deno run -A scripts/config_docs.ts)");
    Deno.exit(1);
  }
}
