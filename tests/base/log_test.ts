import { assertEquals } from "../support/assert.ts";
import { createLogger, type LogLevel, silentLogger } from "../../lib/base/log.ts";

function aLogger(options: { level?: LogLevel; format?: "text" | "json" } = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    level: options.level ?? "debug",
    format: options.format ?? "text",
    now: () => new Date(1_750_000_000_000),
    writeLine: (line) => lines.push(line),
  });
  return { logger, lines };
}

Deno.test("createLogger() writes a line of time, level, sentence and fields", () => {
  const { logger, lines } = aLogger();
  logger.info("Replicating", { database: "/data/app.db", frames: 3, late: false });
  assertEquals(lines, ["2025-06-15T15:06:40.000Z INFO  Replicating database=/data/app.db frames=3 late=false"]);
});

Deno.test("createLogger() quotes values that would not stand alone, and leaves out absent ones", () => {
  const { logger, lines } = aLogger();
  logger.error("Failed", { reason: 'no "x"', path: "/a b", next: "a=b", line: "a\nb", empty: "", none: undefined });
  assertEquals(lines.map((line) => line.slice(25)), [
    'ERROR Failed reason="no \\"x\\"" path="/a b" next="a=b" line="a\\nb" empty=""',
  ]);
});

Deno.test("createLogger() shows control characters of a file name instead of obeying them", () => {
  const { logger, lines } = aLogger();
  logger.info("Cannot open /a\n2026 INFO b\x1b[2J\x9b", { path: "/\x1b[2J", both: "a \x07\x7f" });
  assertEquals(lines.map((line) => line.slice(25)), [
    'INFO  Cannot open /a\\u000a2026 INFO b\\u001b[2J\\u009b path=/\\u001b[2J both="a \\u0007\\u007f"',
  ]);
});

Deno.test("createLogger() writes one JSON document a line", () => {
  const { logger, lines } = aLogger({ format: "json" });
  logger.warn("Lag\nis long", { lag_ms: 5, database: undefined });
  assertEquals(lines.map((line) => JSON.parse(line)), [
    { time: "2025-06-15T15:06:40.000Z", level: "warn", msg: "Lag\nis long", lag_ms: 5 },
  ]);
  assertEquals(lines[0]?.includes("\n"), false);
});

Deno.test("createLogger() passes on its level and what is above, and nothing below", () => {
  const levels: LogLevel[] = ["debug", "info", "warn", "error"];
  for (const [rank, level] of levels.entries()) {
    const { logger, lines } = aLogger({ level });
    for (const each of levels) logger[each]("Said");
    assertEquals(lines.length, levels.length - rank, level);
  }
});

Deno.test("with() adds fields to every line, and its own come after those it was made from", () => {
  const { logger, lines } = aLogger();
  logger.with({ database: "app" }).with({ replica: "file" }).info("Synced", { frames: 1 });
  logger.info("Alone");
  assertEquals(lines.map((line) => line.slice(25)), ["INFO  Synced database=app replica=file frames=1", "INFO  Alone"]);
});

Deno.test("silentLogger takes every line and says nothing", () => {
  silentLogger.error("Failed");
  silentLogger.with({ a: 1 }).info("Fine");
  assertEquals(silentLogger.with({}) === silentLogger, false);
});
