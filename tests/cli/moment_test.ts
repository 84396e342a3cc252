import { parseMoment } from "../../lib/cli/moment.ts";
import { assertEquals } from "../support/assert.ts";

const NOW = Date.parse("2025-06-01T12:00:00Z");

Deno.test("parseMoment() takes RFC 3339 with any zone and any fraction", () => {
  const noon = Date.parse("2024-02-29T12:00:00Z");
  for (
    const [text, ms] of [
      ["2024-02-29T12:00:00Z", noon],
      ["2024-02-29t12:00:00z", noon],
      ["2024-02-29 12:00:00Z", noon],
      ["2024-02-29T14:30:00+02:30", noon],
      ["2024-02-29T11:00:00-01:00", noon],
      ["2024-02-29T12:00:00.5Z", noon + 500],
      ["2024-02-29T12:00:00.29Z", noon + 290],
      ["2024-02-29T12:00:00.123999999Z", noon + 123],
    ] as const
  ) assertEquals(parseMoment(text, NOW), ms, text);
});

Deno.test("parseMoment() counts a negative duration from now", () => {
  assertEquals(parseMoment("-15m", NOW), NOW - 900_000);
  assertEquals(parseMoment("-1h30m", NOW), NOW - 5_400_000);
  assertEquals(parseMoment("-0s", NOW), NOW);
});

Deno.test("parseMoment() refuses what is no moment: without a zone, without a sign, on no calendar", () => {
  const wrong = [
    "2025-06-01T12:00:00",
    "2025-06-01",
    "2025-06-01 12:00Z",
    "2025-02-30T12:00:00Z",
    "2025-02-29T12:00:00Z",
    "2025-06-01T24:00:00Z",
    "2025-06-01T12:61:00Z",
    "2025-06-01T12:00:00+25:00",
    "15m",
    "+15m",
    "-",
    "yesterday",
    "",
    "1748779200",
  ];
  for (const text of wrong) assertEquals(parseMoment(text, NOW), undefined, text);
});
