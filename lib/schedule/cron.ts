/**
 * A schedule as crontab(5) writes it: minute, hour, day of the month, month, day of the week, in local time. `*`, numbers,
 * ranges, lists and steps; Sunday is 0 or 7. When both days are restricted, either may match. PURE.
 */
export interface CronSchedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  readonly isAnyDay: boolean;
  readonly isAnyWeekday: boolean;
}

const FIELDS = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of the month", min: 1, max: 31 },
  { name: "month", min: 1, max: 12 },
  { name: "day of the week", min: 0, max: 7 },
] as const;

/** A day that exists comes within this time: 29 February, over a century's turn. */
const DAYS_MAX = 366 * 9;

/** The schedule, or what is wrong with the text as a clause. */
export function parseCron(text: string): CronSchedule | string {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) return "five fields such as 0 3 * * *";
  const sets: Set<number>[] = [];
  for (const [slot, field] of FIELDS.entries()) {
    const values = parseField(parts[slot] ?? "", field);
    if (values === undefined) return `${field.name}s from ${field.min} to ${field.max}, *, a range, list or step`;
    sets.push(values);
  }
  const [minutes, hours, days, months, weekdays] = sets as [
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
  ];
  if (weekdays.has(7)) weekdays.add(0);
  const schedule = {
    minutes,
    hours,
    days,
    months,
    weekdays,
    isAnyDay: parts[2]?.startsWith("*") ?? false,
    isAnyWeekday: parts[4]?.startsWith("*") ?? false,
  };
  return nextTime(schedule, new Date(0)) === undefined ? "a day that exists" : schedule;
}

function parseField(text: string, { min, max }: { min: number; max: number }): Set<number> | undefined {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part);
    if (match === null) return undefined;
    const [, from, to, step] = match;
    const first = from === undefined ? min : Number(from);
    const last = to !== undefined ? Number(to) : from === undefined || step !== undefined ? max : first;
    const by = step === undefined ? 1 : Number(step);
    if (first < min || last > max || first > last || by < 1) return undefined;
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return values;
}

/** The first minute of the schedule after the time; undefined when none ever comes. An hour that a clock skips is passed over. */
export function nextTime(schedule: CronSchedule, after: Date): Date | undefined {
  const start = new Date(
    after.getFullYear(),
    after.getMonth(),
    after.getDate(),
    after.getHours(),
    after.getMinutes() + 1,
  );
  for (let day = 0; day <= DAYS_MAX; day++) {
    const date = new Date(start.getFullYear(), start.getMonth(), start.getDate() + day);
    if (!isOnDay(schedule, date)) continue;
    const found = firstOnDay(schedule, date, start);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isOnDay({ days, months, weekdays, isAnyDay, isAnyWeekday }: CronSchedule, date: Date): boolean {
  if (!months.has(date.getMonth() + 1)) return false;
  const [isDay, isWeekday] = [days.has(date.getDate()), weekdays.has(date.getDay())];
  return isAnyDay || isAnyWeekday ? isDay && isWeekday : isDay || isWeekday;
}

function firstOnDay({ hours, minutes }: CronSchedule, date: Date, start: Date): Date | undefined {
  const ascending = (values: ReadonlySet<number>) => [...values].sort((a, b) => a - b);
  for (const hour of ascending(hours)) {
    for (const minute of ascending(minutes)) {
      const found = new Date(date.getFullYear(), date.getMonth(), date.getDate(), hour, minute);
      if (found.getHours() === hour && found >= start) return found;
    }
  }
  return undefined;
}
