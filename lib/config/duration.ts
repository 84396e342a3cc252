/**
 * Durations as Go writes them: an optional sign, then numbers with a unit each, `1m30s`, `250ms`, `1.5h`, `-10m`;
 * and days, which are 24 hours, `7d`. A bare `0` needs no unit. Values are milliseconds, exact to the nanosecond.
 */
const UNIT_MS: Readonly<Record<string, number>> = {
  "ns": 1e-6,
  "us": 1e-3,
  "\u00b5s": 1e-3, // Micro sign.
  "\u03bcs": 1e-3, // Greek mu, which keyboards write as well.
  "ms": 1,
  "s": 1_000,
  "m": 60_000,
  "h": 3_600_000,
  "d": 86_400_000,
};
const NANOSECONDS_PER_MS = 1e6;

/** Undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const signed = /^([+-]?)(.+)$/.exec(text);
  const magnitude = signed === null ? undefined : parseMagnitude(signed[2] ?? "");
  if (signed === null || magnitude === undefined) return undefined;
  return signed[1] === "-" && magnitude !== 0 ? -magnitude : magnitude;
}

function parseMagnitude(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d))+$/.test(text)) return undefined;
  let wholeMs = 0;
  let nanoseconds = 0;
  for (const [, number = "", unit = ""] of text.matchAll(/([\d.]+)([a-z\u00b5\u03bc]+)/g)) {
    const ms = Number(number) * (UNIT_MS[unit] ?? NaN);
    wholeMs += Math.trunc(ms);
    nanoseconds += Math.round((ms - Math.trunc(ms)) * NANOSECONDS_PER_MS);
  }
  return Number.isSafeInteger(wholeMs) ? joinMs(wholeMs, nanoseconds) : undefined;
}

function joinMs(wholeMs: number, nanoseconds: number): number {
  const carried = Math.floor(nanoseconds / NANOSECONDS_PER_MS);
  return wholeMs + carried + (nanoseconds - carried * NANOSECONDS_PER_MS) / NANOSECONDS_PER_MS;
}

/** `1h30m`, `250ms`, `0s`; parsed again it gives the same value. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 0) return `-${formatDuration(-ms)}`;
  let rest = Math.trunc(ms);
  const nanoseconds = Math.round((ms - rest) * NANOSECONDS_PER_MS);
  let text = "";
  for (const unit of ["h", "m", "s", "ms"]) {
    const unitMs = UNIT_MS[unit] ?? NaN;
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  if (nanoseconds > 0) text += `${nanoseconds}ns`;
  return text === "" ? "0s" : text;
}
