import type { EventKind } from "./engine_event.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Structured log: a sentence, then fields. Fields hold no secrets; values that are secret cannot be printed. What changes
 * how a database or a replica stands is an event, and has a kind: nothing may depend on the sentence.
 */
export interface Logger {
  debug(message: string, fields?: LogFields, event?: EventKind): void;
  info(message: string, fields?: LogFields, event?: EventKind): void;
  warn(message: string, fields?: LogFields, event?: EventKind): void;
  error(message: string, fields?: LogFields, event?: EventKind): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger;
}

/** What a line of the log says. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  readonly event?: EventKind | undefined;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly now: () => Date;
  readonly writeLine: (line: string) => void;
}

export function createLogger(options: LogOptions, bound: LogFields = {}): Logger {
  const write = (level: LogLevel, message: string, fields: LogFields | undefined, event: EventKind | undefined) => {
    if (RANK[level] < RANK[options.level]) return;
    const all = fields === undefined ? bound : { ...bound, ...fields };
    const time = options.now().toISOString();
    options.writeLine(
      options.format === "json" ? formatJson(time, level, message, all, event) : formatText(time, level, message, all),
    );
  };
  return {
    debug: (message, fields, event) => write("debug", message, fields, event),
    info: (message, fields, event) => write("info", message, fields, event),
    warn: (message, fields, event) => write("warn", message, fields, event),
    error: (message, fields, event) => write("error", message, fields, event),
    with: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

/** Hands every line on, and gives it to `observe` too, whatever the level that is written. */
export function observed(logger: Logger, observe: (entry: LogEntry) => void, bound: LogFields = {}): Logger {
  const both = (level: LogLevel) => (message: string, fields?: LogFields, event?: EventKind) => {
    logger[level](message, fields, event);
    observe({ level, message, fields: { ...bound, ...fields }, event });
  };
  return {
    debug: both("debug"),
    info: both("info"),
    warn: both("warn"),
    error: both("error"),
    with: (fields) => observed(logger.with(fields), observe, { ...bound, ...fields }),
  };
}

export const silentLogger: Logger = createLogger({
  level: "error",
  format: "text",
  now: () => new Date(0),
  writeLine: () => {},
});

function formatJson(time: string, level: LogLevel, message: string, fields: LogFields, event?: EventKind): string {
  return JSON.stringify({ time, level, msg: message, ...(event === undefined ? {} : { event }), ...fields });
}

function formatText(time: string, level: LogLevel, message: string, fields: LogFields): string {
  let line = `${time} ${level.toUpperCase().padEnd(5)} ${visible(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${key}=${quote(String(value))}`;
  }
  return line;
}

function quote(value: string): string {
  return /^[^\s"=]+$/.test(value) ? visible(value) : visible(JSON.stringify(value));
}

/** File names may hold any character: one that would begin a line or move a terminal's cursor is shown, not obeyed. */
function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
