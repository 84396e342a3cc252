import { parseDuration } from "../config/duration.ts";

export interface Moment {
  readonly ms: number;
  /** The same without a doubt, where the text leaves one: a time in the zone of this machine, a duration without a sign. */
  readonly understoodAs?: string;
  /** The other moment at which clocks of this zone showed the same, since they were set back. */
  readonly orElse?: string;
}

const DAY_MS = 86_400_000;

const TIME = /^(\d{4}-\d{2}-\d{2})([Tt ])(\d{2}:\d{2})(:\d{2})?(\.\d+)? ?([Zz]|UTC|[+-]\d{2}:\d{2})?$/;

/**
 * A moment as people type it: a time with its zone (RFC 3339, seconds may be left out); one without, which is then local
 * (`2026-11-30 02:10`); a duration counted back from now (`-15m`, `20m`, `-1d`); `now`. Undefined when it is none of these:
 * with a `T` between day and time it is a machine's, whose zone may be another than ours, and a day that no calendar has, or
 * an hour that the clock skips, is none.
 */
export function parseMoment(text: string, nowMs: number): Moment | undefined {
  if (text === "now") return { ms: Math.floor(nowMs) };
  const match = TIME.exec(text);
  if (match === null) return parseAgo(text, nowMs);
  const [, day = "", between, minutes = "", seconds = ":00", fraction = "", zone] = match;
  if (between !== " " && zone === undefined) return undefined;
  if (!existsInCalendar(`${day}T${minutes}${seconds}`)) return undefined;
  // A record's time is whole milliseconds; what lies between two of them belongs to the earlier.
  const fractionMs = Math.floor(Number(`0${fraction}`) * 1_000 + 1e-9);
  return zone === undefined
    ? localMoment(`${day}T${minutes}${seconds}`, fractionMs)
    : zonedMoment(`${day}T${minutes}${seconds}${zone === "UTC" ? "Z" : zone.toUpperCase()}`, fractionMs);
}

function existsInCalendar(text: string): boolean {
  const ms = Date.parse(`${text}Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === `${text}.000Z`;
}

function zonedMoment(text: string, fractionMs: number): Moment | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : { ms: ms + fractionMs };
}

function localMoment(text: string, fractionMs: number): Moment | undefined {
  const asUtcMs = Date.parse(`${text}Z`);
  const around = [asUtcMs - DAY_MS, asUtcMs + DAY_MS].map((ms) => asUtcMs + new Date(ms).getTimezoneOffset() * 60_000);
  const moments = [...new Set(around)].filter((ms) => formatLocal(ms).startsWith(text)).toSorted((a, b) => a - b);
  const [ms, other] = moments;
  if (ms === undefined) return undefined;
  const moment = { ms: ms + fractionMs, understoodAs: formatLocal(ms) };
  return other === undefined ? moment : { ...moment, orElse: formatLocal(other) };
}

function parseAgo(text: string, nowMs: number): Moment | undefined {
  const duration = /\d[a-z\u00b5\u03bc]+$/.test(text) && !text.startsWith("+") ? parseDuration(text) : undefined;
  if (duration === undefined) return undefined;
  const ms = Math.floor(nowMs - Math.abs(duration));
  return text.startsWith("-") ? { ms } : { ms, understoodAs: `${formatLocal(ms)}, ${text} ago` };
}

/** RFC 3339 with the offset of this machine's zone at that time. */
function formatLocal(ms: number): string {
  const offsetMinutes = -new Date(ms).getTimezoneOffset();
  const local = new Date(ms + offsetMinutes * 60_000).toISOString().slice(0, 19);
  const size = Math.abs(offsetMinutes);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${local}${offsetMinutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
