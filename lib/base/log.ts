export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured log: a sentence, then fields. Fields hold no secrets; values that are secret cannot be printed. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger;
}

/** What a line of the log says. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly now: () => Date;
  readonly writeLine: (line: string) => void;
}

export function createLogger(options: LogOptions, bound: LogFields = {}): Logger {
  const write = (level: LogLevel, message: string, fields: LogFields | undefined) => {
    if (RANK[level] < RANK[options.level]) return;
    const all = fields === undefined ? bound : { ...bound, ...fields };
    const time = options.now().toISOString();
    options.writeLine(
      options.format === "json" ? formatJson(time, level, message, all) : formatText(time, level, message, all),
    );
  };
  return {
    debug: (message, fields) => write("debug", message, fields),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
    with: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

/** Hands every line on, and gives it to `observe` too, whatever the level that is written. */
export function observed(logger: Logger, observe: (entry: LogEntry) => void, bound: LogFields = {}): Logger {
  const both = (level: LogLevel) => (message: string, fields?: LogFields) => {
    logger[level](message, fields);
    observe({ level, message, fields: { ...bound, ...fields } });
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

function formatJson(time: string, level: LogLevel, message: string, fields: LogFields): string {
  return JSON.stringify({ time, level, msg: message, ...fields });
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
