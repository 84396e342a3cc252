import type { Environment } from "../base/environment_value.ts";
import type { OutputStream } from "../platform/process.ts";

type Style = "bold" | "red" | "dim";
const CODES: Readonly<Record<Style, number>> = { bold: 1, red: 31, dim: 2 };

/** Whether colour and lines that move may be written: on a terminal, unless NO_COLOR or TERM=dumb says otherwise. */
export function mayDecorate(stream: OutputStream, environment: Environment): boolean {
  return stream.isTerminal && (environment("NO_COLOR")?.text ?? "") === "" && environment("TERM")?.text !== "dumb";
}

export function paint(text: string, style: Style, isDecorated: boolean): string {
  return isDecorated ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
}

export function writeLine(stream: OutputStream, text: string): void {
  stream.write(`${text}\n`);
}

/** A document of `--json`: indented, with `schema_version` first. */
export function writeJson(
  stream: OutputStream,
  schemaVersion: number,
  document: Readonly<Record<string, unknown>>,
): void {
  writeLine(stream, JSON.stringify({ schema_version: schemaVersion, ...document }, null, 2));
}
