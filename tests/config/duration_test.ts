import { formatDuration, parseDuration } from "../../lib/config/duration.ts";
import { assertEquals } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

Deno.test("parseDuration() reads durations as Go does", () => {
  assertEquals(parseDuration("1m30s"), 90_000);
  assertEquals(parseDuration("250ms"), 250);
  assertEquals(parseDuration("1.5h"), 5_400_000);
  assertEquals(parseDuration(".5s"), 500);
  assertEquals(parseDuration("1.s"), 1_000);
  assertEquals(parseDuration("100us"), 0.1);
  assertEquals(parseDuration("100\u00b5s"), 0.1);
  assertEquals(parseDuration("100\u03bcs"), 0.1);
  assertEquals(parseDuration("1000000ns"), 1);
  assertEquals(parseDuration("-10m"), -600_000);
  assertEquals(parseDuration("+10m"), 600_000);
  assertEquals(parseDuration("1s1s"), 2_000);
  assertEquals(parseDuration("8760h"), 31_536_000_000);
});

Deno.test("parseDuration() takes days of 24 hours", () => {
  assertEquals(parseDuration("7d"), 7 * 86_400_000);
  assertEquals(parseDuration("1d12h"), 129_600_000);
  assertEquals(parseDuration("-1d"), -86_400_000);
});

Deno.test("parseDuration() takes a bare 0, and no other number without a unit", () => {
  assertEquals(parseDuration("0"), 0);
  assertEquals(parseDuration("-0"), 0);
  assertEquals(parseDuration("0s"), 0);
  assertEquals(parseDuration("10"), undefined);
  assertEquals(parseDuration("1m30"), undefined);
});

Deno.test("parseDuration() refuses what is no duration", () => {
  for (
    const text of ["", "-", "+", "s", ".s", "1 s", "1S", "1D", "1m 30s", "--1s", "1.2.3s", "1e3s", "1s\n", "Infinity"]
  ) {
    assertEquals(parseDuration(text), undefined, text);
  }
  assertEquals(parseDuration("9".repeat(400) + "h"), undefined);
});

Deno.test("formatDuration() writes hours, minutes, seconds and milliseconds, without those that are 0", () => {
  assertEquals(formatDuration(0), "0s");
  assertEquals(formatDuration(5_400_000), "1h30m");
  assertEquals(formatDuration(1_250), "1s250ms");
  assertEquals(formatDuration(-600_000), "-10m");
  assertEquals(formatDuration(0.1), "100000ns");
});

Deno.test("parseDuration() and formatDuration() are twins", () => {
  const random = seededRandom(7);
  for (let i = 0; i < 500; i++) {
    const ms = parseDuration(`${randomInteger(random, 1e9)}ms${randomInteger(random, 1e6)}ns`) ?? NaN;
    assertEquals(parseDuration(formatDuration(ms)), ms, `${ms}`);
    assertEquals(parseDuration(formatDuration(-ms)), ms === 0 ? 0 : -ms, `${-ms}`);
  }
});
