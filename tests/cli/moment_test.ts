import { parseMoment } from "../../lib/cli/moment.ts";
import { assertEquals, assertFalse, assertMatch } from "../support/assert.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const MODULE = new URL("../../lib/cli/moment.ts", import.meta.url).href;
const NOW = Date.parse("2025-06-01T12:00:00Z");

Deno.test("parseMoment() takes RFC 3339 with any zone and any fraction, with seconds and without", () => {
  const noon = Date.parse("2024-02-29T12:00:00Z");
  for (
    const [text, ms] of [
      ["2024-02-29T12:00:00Z", noon],
      ["2024-02-29t12:00:00z", noon],
      ["2024-02-29 12:00:00Z", noon],
      ["2024-02-29 12:00Z", noon],
      ["2024-02-29T12:00Z", noon],
      ["2024-02-29 12:00 UTC", noon],
      ["2024-02-29 13:00 +01:00", noon],
      ["2024-02-29T14:30:00+02:30", noon],
      ["2024-02-29T11:00:00-01:00", noon],
      ["2024-02-29T12:00:00.5Z", noon + 500],
      ["2024-02-29T12:00:00.29Z", noon + 290],
      ["2024-02-29T12:00:00.123999999Z", noon + 123],
    ] as const
  ) assertEquals(parseMoment(text, NOW), { ms }, text);
});

Deno.test("parseMoment() counts a duration back from now, and says what it takes one without a sign for", () => {
  for (const [text, ms] of [["-15m", 900_000], ["-1h30m", 5_400_000], ["-1d", 86_400_000], ["-0s", 0]] as const) {
    assertEquals(parseMoment(text, NOW), { ms: NOW - ms }, text);
  }
  assertEquals(parseMoment("now", NOW), { ms: NOW });
  const ago = parseMoment("20m", NOW);
  assertEquals(ago?.ms, NOW - 1_200_000);
  assertMatch(ago?.understoodAs ?? "", /^2025-06-\d\dT\d\d:\d\d:00[+-]\d\d:\d\d, 20m ago$/);
});

Deno.test("parseMoment() takes a day and a time without a zone for local time, and says it with the zone", () => {
  for (const text of ["2024-02-29 12:00", "2024-02-29 12:00:00"]) {
    const moment = parseMoment(text, NOW);
    assertEquals(moment?.ms, new Date(2024, 1, 29, 12).getTime(), text);
    assertEquals(Date.parse(moment?.understoodAs ?? ""), moment?.ms, text);
    assertMatch(moment?.understoodAs ?? "", /^2024-02-29T12:00:00[+-]\d\d:\d\d$/, text);
  }
});

Deno.test("parseMoment() tells of both moments that a clock showed alike, in any zone", async () => {
  const program = `import { parseMoment } from ${JSON.stringify(MODULE)};
    const { ms, understoodAs, orElse } = parseMoment(Deno.args[0], 0) ?? {};
    globalThis.console.log(JSON.stringify([ms === Date.parse(understoodAs), understoodAs, orElse]));`;
  const table = [
    ["Europe/Berlin", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"],
    ["Europe/Berlin", "2026-10-25 01:59", "2026-10-25T01:59:00+02:00"],
    ["Europe/Berlin", "2026-10-25 03:00", "2026-10-25T03:00:00+01:00"],
    ["America/New_York", "2026-11-01 01:00:59", "2026-11-01T01:00:59-04:00", "2026-11-01T01:00:59-05:00"],
    ["Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"],
    ["Pacific/Apia", "2011-12-31 00:10", "2011-12-31T00:10:00+14:00"], // The day before was none there.
    ["UTC", "2026-10-25 02:30", "2026-10-25T02:30:00+00:00"],
  ] as const;
  for (const [zone, text, ...both] of table) {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", program, text], env: { TZ: zone } })
      .output();
    const [isSame, first, second] = JSON.parse(new TextDecoder().decode(stdout));
    assertEquals([isSame, first, second ?? undefined], [true, both[0], both[1]], `${text} in ${zone}`);
  }
});

Deno.test("momentFrom() chooses none of two moments that a clock showed alike", async () => {
  const program = `import { momentFrom } from ${JSON.stringify(import.meta.resolve("../../lib/cli/restore_target.ts"))};
    try { momentFrom("2026-10-25 02:30", 0) } catch (error) { globalThis.console.log(error.code, error.message) }`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    env: { TZ: "Europe/Berlin" },
  }).output();
  assertEquals(
    new TextDecoder().decode(stdout).trim(),
    'usage Cannot use --at "2026-10-25 02:30": clocks showed it twice that day ' +
      "(expected 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00)",
  );
});

Deno.test("parseMoment() knows the zone of the machine, and refuses an hour that its clock skips", async () => {
  const program = `import { parseMoment } from ${JSON.stringify(MODULE)};
    const texts = ["2026-03-29 01:30", "2026-03-29 02:30", "2026-03-29 03:30", "2026-11-30 02:10"];
    globalThis.console.log(JSON.stringify(texts.map((text) => parseMoment(text, 0)?.understoodAs ?? "none")));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    env: { TZ: "Europe/Berlin" },
  }).output();
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), [
    "2026-03-29T01:30:00+01:00",
    "none",
    "2026-03-29T03:30:00+02:00",
    "2026-11-30T02:10:00+01:00",
  ]);
});

Deno.test("parseMoment() refuses what is no moment: a machine's time without a zone, a duration ahead, no calendar's day", () => {
  const wrong = [
    "2025-06-01T12:00:00",
    "2025-06-01T12:00",
    "2025-06-01",
    "2025-02-30 12:00",
    "2025-02-30T12:00:00Z",
    "2025-02-29T12:00:00Z",
    "2025-06-01T24:00:00Z",
    "2025-06-01T12:61:00Z",
    "2025-06-01T12:00:00+25:00",
    "15",
    "0",
    "+15m",
    "-",
    "yesterday",
    "",
    "1748779200",
  ];
  for (const text of wrong) assertEquals(parseMoment(text, NOW), undefined, text);
});

Deno.test("run() says with its zone what --at was typed without, but not where silence is wanted", async () => {
  await withTemporaryFolder(async (folder) => {
    const noteOf = async (...words: readonly string[]) =>
      (await runTailrace([...words, `file://${folder}`], { environment: { TZ: "Asia/Tokyo" } })).stderr.split("\n")[0];
    const local = ["--at", "2026-11-30 02:10"];
    const note = "Note: --at 2026-11-30 02:10 is 2026-11-30T02:10:00+09:00";
    assertEquals(await noteOf("points", ...local), note);
    assertEquals(await noteOf("restore", "-o", `${folder}/x.db`, ...local), note);
    assertFalse((await noteOf("verify", "--quiet", ...local))?.startsWith("Note"));
    assertFalse((await noteOf("points", "--at", "2026-11-30T02:10:00Z"))?.startsWith("Note"));
  });
});
