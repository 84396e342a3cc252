import { parseConfig } from "../../lib/config/parse.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";

const SURROUNDINGS = { expand: true, environment: () => undefined, currentFolder: "/work" };

function verifyOf(global: unknown, database: unknown) {
  const text = JSON.stringify({
    ...(global === undefined ? {} : { verify: global }),
    dbs: [{
      path: "/data/app.db",
      replicas: [{ path: "/backup/app" }],
      ...(database === undefined ? {} : { verify: database }),
    }],
  });
  return parseConfig(text, "config.yml", SURROUNDINGS).config.databases[0]?.verify;
}

Deno.test("verify of a database wins key by key over that of the top level", () => {
  const users = { name: "users", query: "SELECT count(*) FROM users", min: 1, "max-change": "10%" };
  const state = { name: "state", query: "SELECT state FROM job", equals: "done" };
  assertEquals(verifyOf({ level: "equal", sample: 2, checks: [users] }, undefined), {
    level: "equal",
    sample: 2,
    checks: [{ name: "users", query: users.query, min: 1, maxChange: { amount: 0.1, isPart: true } }],
  });
  assertEquals(
    verifyOf({ level: "equal", sample: 2, checks: [users] }, {
      "level": "full",
      "max-age": "1h",
      "proven-within": "0",
      checks: [state],
    }),
    {
      level: "checks",
      sample: 2,
      maxAgeMs: 3_600_000,
      provenWithinMs: 0,
      checks: [{ name: "state", query: state.query, equals: "done" }],
    },
  );
  assertEquals(verifyOf(undefined, undefined), { checks: [] });
});

Deno.test("a check that cannot be meant is refused with its place", () => {
  const check = (rest: Record<string, unknown>) => ({ checks: [{ name: "a", query: "SELECT 1", ...rest }] });
  const cases: [unknown, string][] = [
    [check({}), 'the check "a" expects nothing (write "equals", "min", "max" or "max-change")'],
    [check({ equals: "1", min: 0 }), 'the check "a" has "equals" beside a range'],
    [check({ min: "many" }), 'the value of "min" is "many" (it must be a number)'],
    [
      check({ "max-change": "-3" }),
      'the value of "max-change" is "-3" (it must be a number such as 500, or a part such as 10%)',
    ],
    [{ checks: [{ name: "a", min: 1 }] }, 'a check needs a "name" and a "query"'],
    [{ checks: [...check({ min: 1 }).checks, ...check({ min: 1 }).checks] }, 'the check name "a" is used twice'],
    [
      { level: "most" },
      'the value of "level" is "most" (it must be reach, chain, intact, restore, equal, structure, checks, full)',
    ],
    [{ schedule: "0 25 * * *" }, 'the value of "schedule" is "0 25 * * *" (it must be hours from 0 to 23'],
    [{ scedule: "0 3 * * *" }, 'unknown key "scedule" (did you mean "schedule"?)'],
  ];
  for (const [verify, problem] of cases) {
    const { message } = assertThrows(() => verifyOf(undefined, verify), ReplicationError);
    assertStringIncludes(message, problem);
    assertStringIncludes(message, "config.yml:1:");
  }
});
