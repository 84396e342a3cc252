import { readConfig } from "../../lib/config/parse.ts";
import { reduceStatus } from "../../lib/base/engine_event.ts";
import { adviceText, shortTable, type Shown, verdictLine, whyLines } from "../../lib/cli/status_text.ts";
import { widthOf } from "../../lib/cli/table.ts";
import type { Help } from "../../lib/daemon/help.ts";
import type { Grade, Unsafe } from "../../lib/daemon/safety.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";

/** A database with these replicas, and why it is not safe. */
function shownOf(path: string, replicas: readonly string[], unsafe: readonly Unsafe[]): Shown {
  const text = JSON.stringify({
    dbs: [{ path, replicas: replicas.map((name) => ({ name, path: `/backup/${name}` })) }],
  });
  const surroundings = { expand: false, environment: () => undefined, currentFolder: "/" };
  const [database] = readConfig(text, "c.yml", { ...surroundings, fromLitestreamConfig: false }).config.databases;
  assert(database !== undefined);
  return {
    database,
    status: {
      statePath: `${path}-state`,
      heard: { kind: "none" },
      daemon: undefined,
      path: undefined,
      generation: undefined,
      position: undefined,
      recorded: reduceStatus([]),
      lastTurn: undefined,
    },
    rows: database.replicas.map(({ name, url }) => ({
      view: { name, url, syncIntervalMs: 0, holdsGenerations: true, lagMs: 0 },
    })),
    unsafe,
  };
}

function because(why: string, replica?: string, grade: Grade = "trouble"): Unsafe {
  return { grade, why, help: { kind: "verify" }, ...(replica === undefined ? {} : { replica }) };
}

Deno.test("verdictLine() counts databases, replicas and what more there is, of one as of many", () => {
  assertEquals(verdictLine([shownOf("/a.db", ["near"], [])]), "ALL SAFE: 1 database, 1 replica");
  const two = [shownOf("/a.db", ["near", "far"], []), shownOf("/b.db", ["near"], [])];
  assertEquals(verdictLine(two), "ALL SAFE: 2 databases, 3 replicas");
  const reasons = [
    because("no daemon follows it"),
    because("never verified", "near"),
    because("never verified", "far"),
  ];
  const lines = [1, 2, 3].map((count) => verdictLine([shownOf("/a.db", ["near", "far"], reasons.slice(0, count))]));
  assertEquals(
    lines,
    ["", " (and 1 more)", " (and 2 more)"].map((more) => `NOT SAFE: a.db: no daemon follows it${more}`),
  );
});

Deno.test("verdictLine() and shortTable() fit 80 columns, cut between words, and keep the names of files", () => {
  const deep = `/srv/${"applications/".repeat(12)}`;
  const why = (path: string) =>
    `Cannot replicate ${path}: it is a folder (it should be a database that is in WAL mode)`;
  const table: readonly [string, RegExp][] = [
    [`${deep}production.db`, /^NOT SAFE: production\.db: it is a folder \(.*…/],
    [`${deep}my shop/my data.db`, /^NOT SAFE: my data\.db: it is a folder \(.*…/],
    ["/データ/とても/長い/名前/の/フォルダ/本番データベース.db", /^NOT SAFE: 本番データベース\.db: it is a folder …?/],
    [`/${"x".repeat(120)}.db`, /^NOT SAFE: x+…x+\.db: it is a folder …?/],
  ];
  for (const [path, wanted] of table) {
    for (const count of [1, 12]) {
      const shown = [shownOf(path, ["near", "f".repeat(60)], Array.from({ length: count }, () => because(why(path))))];
      const line = verdictLine(shown);
      assertMatch(line, wanted);
      assertEquals(line.endsWith(` (and ${count - 1} more)`), count > 1);
      for (const one of [line, ...shortTable(shown, 0).split("\n")]) assert(widthOf(one) <= 80, one);
      assert(whyLines(shown).join(" ").includes(path.split(" ")[0] ?? ""), "a path that can be copied");
    }
  }
});

Deno.test("verdictLine() says what is wrong where there is no room for all, and of which replica", () => {
  const far = `Cannot use the replica /mnt/a: b/backup/far: ${"the folder does not exist"} (is it mounted?)`;
  const line = (why: string, replicas: readonly string[]) =>
    verdictLine([shownOf("/srv/app.db", replicas, [because(why, "far"), because("never verified", "far")])]);
  const all = "app.db, replica far: the folder does not exist (is it …";
  assertEquals(line(far, ["near", "far"]), `NOT SAFE: ${all} (and 1 more)`);
  assertEquals(line(far, ["far"]), `NOT SAFE: ${all} (and 1 more)`);
  assertEquals(
    line("Cannot read /backup/far: no", ["far"]),
    "NOT SAFE: app.db: Cannot read /backup/far: no (and 1 more)",
  );
  const own = `Cannot replicate /srv/app.db: ${"it is in rollback-journal mode "}(should be in WAL mode)`;
  assertEquals(
    verdictLine([shownOf("/srv/app.db", ["far"], [because(own)])]),
    "NOT SAFE: app.db: it is in rollback-journal mode (should be in WAL mode)",
  );
});

Deno.test("adviceText() has a command, or a sentence, for each kind of help", () => {
  const { database } = shownOf("/srv/app.db", ["near"], []);
  const kinds: Readonly<Record<Help["kind"], Help>> = {
    replicate: { kind: "replicate" },
    verify: { kind: "verify" },
    status: { kind: "status" },
    snapshot: { kind: "snapshot", replica: "near" },
    process: { kind: "process", pid: 7 },
    advice: { kind: "advice", text: "mount it" },
  };
  assertEquals(Object.values(kinds).map((help) => adviceText(help, database, ["--config", "c.yml"])), [
    "tailrace replicate --config c.yml",
    "tailrace verify --config c.yml /srv/app.db",
    "tailrace status --config c.yml /srv/app.db",
    "tailrace snapshot --config c.yml --replica near /srv/app.db",
    "ps -fp 7",
    "mount it",
  ]);
});

Deno.test("verdictLine() of many databases names the worst by as much of its path as tells it from the others", () => {
  const paths = ["a", "b"].flatMap((site) => ["app.db", "users.db"].map((name) => `/srv/${site}/data/${name}`));
  const shown = [...paths, "/srv/other.db"].map((path, slot) =>
    shownOf(path, ["near"], [because("never verified", "near", slot === 2 ? "damaged" : "stale")])
  );
  assertEquals(verdictLine(shown), "NOT SAFE: b/data/app.db: never verified (and 4 more)");
  assertEquals(whyLines(shown).at(-1), "- other.db: never verified");
});
