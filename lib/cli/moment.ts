import { parseDuration } from "../config/duration.ts";

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * A moment as people type it, in ms: RFC 3339 with its zone, or a negative duration counted from now (`-15m`). Undefined
 * when it is neither: a time without a zone is nobody's, and a day that no calendar has is none.
 */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return parseAgo(text, nowMs);
  const [, day = "", time = "", fraction = "", zone = ""] = match;
  const localMs = Date.parse(`${day}T${time}Z`);
  const exists = !Number.isNaN(localMs) && new Date(localMs).toISOString() === `${day}T${time}.000Z`;
  const ms = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  // A record's time is whole milliseconds; what lies between two of them belongs to the earlier.
  return exists && !Number.isNaN(ms) ? ms + Math.floor(Number(`0${fraction}`) * 1_000 + 1e-9) : undefined;
}

function parseAgo(text: string, nowMs: number): number | undefined {
  const duration = text.startsWith("-") ? parseDuration(text) : undefined;
  return duration === undefined ? undefined : Math.floor(nowMs + duration);
}
