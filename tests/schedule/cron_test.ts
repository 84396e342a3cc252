import { nextTime, parseCron } from "../../lib/schedule/cron.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** Local times, as the schedule has them: `2025-06-01 12:30`. */
function next(schedule: string, after: string): string {
  const parsed = parseCron(schedule);
  assert(typeof parsed !== "string", `${schedule}: ${parsed}`);
  const found = nextTime(parsed, new Date(`${after.replace(" ", "T")}:00`));
  if (found === undefined) return "never";
  const two = (number: number) => String(number).padStart(2, "0");
  const date = [found.getFullYear(), two(found.getMonth() + 1), two(found.getDate())].join("-");
  return `${date} ${two(found.getHours())}:${two(found.getMinutes())}`;
}

Deno.test("nextTime() is the first minute of the schedule after the time, never the time itself", () => {
  assertEquals(next("0 3 * * *", "2025-06-01 02:59"), "2025-06-01 03:00");
  assertEquals(next("0 3 * * *", "2025-06-01 03:00"), "2025-06-02 03:00");
  assertEquals(next("*/15 * * * *", "2025-12-31 23:50"), "2026-01-01 00:00");
  assertEquals(next("5-10/5,40 9-17 * * *", "2025-06-01 09:10"), "2025-06-01 09:40");
  assertEquals(next("0 0 29 2 *", "2025-06-01 00:00"), "2028-02-29 00:00");
  assertEquals(next("30 4 1 */3 *", "2025-06-01 00:00"), "2025-07-01 04:30");
});

Deno.test("nextTime() takes either day when both are restricted, and both when one is not", () => {
  assertEquals(next("0 3 13 * 5", "2025-06-01 00:00"), "2025-06-06 03:00"); // A Friday.
  assertEquals(next("0 3 13 * 5", "2025-06-06 03:00"), "2025-06-13 03:00");
  assertEquals(next("0 3 * * 7", "2025-06-02 00:00"), "2025-06-08 03:00"); // A Sunday.
  assertEquals(next("0 3 * * 0", "2025-06-02 00:00"), "2025-06-08 03:00");
});

Deno.test("parseCron() refuses what no crontab has, and days that never come", () => {
  for (
    const text of ["", "0 3 * *", "0 3 * * * *", "60 3 * * *", "0 24 * * *", "0 3 0 * *", "0 3 * 13 *", "0 3 * * 8"]
  ) {
    assertEquals(typeof parseCron(text), "string", text);
  }
  for (const text of ["a 3 * * *", "1-0 3 * * *", "*/0 3 * * *", "1,,2 3 * * *", "-1 3 * * *", "0 3 30 2 *"]) {
    assertEquals(typeof parseCron(text), "string", text);
  }
  assertEquals(parseCron("0 3 30 2 *"), "a day that exists");
});
