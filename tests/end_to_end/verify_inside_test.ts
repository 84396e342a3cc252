/** The rungs that look inside a restored database: structure and the user's checks, in a process that can be killed. */
import { DatabaseSync, type DatabaseSyncOptions } from "node:sqlite";
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { runTailrace } from "../support/tailrace.ts";
import { type Scene, withScene } from "./scene.ts";

interface Members {
  readonly outcome: string;
  readonly reached: string;
  readonly schema: string | null;
  readonly values: Readonly<Record<string, number>>;
  readonly suspicions: readonly string[];
  readonly rungs: readonly { readonly rung: string; readonly outcome: string; readonly says: string }[];
  readonly findings: readonly { readonly problem: string; readonly code: string; readonly pages?: number[] }[];
}

class Inside {
  constructor(readonly scene: Scene) {}

  get config(): string {
    return `${this.scene.folder}/tailrace.yml`;
  }

  /** Writes the config, and replicates what is committed. */
  async replicate(verify: unknown = {}): Promise<void> {
    const replicas = [{ path: this.scene.replica }];
    Deno.writeTextFileSync(this.config, JSON.stringify({ dbs: [{ path: this.scene.database, verify, replicas }] }));
    assertEquals((await runTailrace(["replicate", "--once", "--config", this.config])).code, 0);
  }

  run(...words: string[]) {
    return runTailrace(["verify", "--config", this.config, "--scratch", this.scene.folder, ...words]);
  }

  async verify(...words: string[]): Promise<Members & { readonly code: number }> {
    const { code, stdout } = await this.run("--format", "json", ...words);
    return { code, ...JSON.parse(stdout).replicas[0] };
  }
}

function inside(name: string, work: (inside: Inside, application: DatabaseSync) => Promise<void>): void {
  Deno.test({
    name,
    timeout: 90_000,
    fn: () => withScene((scene) => work(new Inside(scene), scene.application())),
  });
}

inside("verify looks into the restored database, and says what its schema is", async (inside, application) => {
  application.exec("CREATE INDEX by_body ON entry(body); INSERT INTO entry(body) VALUES('a'), ('b')");
  await inside.replicate();
  const { code, reached, rungs, schema } = await inside.verify();
  assertEquals([code, reached], [0, "structure"]);
  assertEquals(rungs.map(({ rung, outcome }) => `${rung} ${outcome}`).slice(-3), [
    "equal pass",
    "structure pass",
    "checks not-available",
  ]);
  assertMatch(rungs.at(-2)?.says ?? "", /^integrity_check is ok, 2 objects in the schema [0-9a-f]{16}$/);
  application.exec("CREATE TABLE another(x)");
  await inside.replicate();
  const changed = await inside.verify();
  assertEquals(changed.suspicions, ["the schema is not that of the last proof"]);
  assert(changed.schema !== schema && changed.code === 0);
});

const NEWER = "INSERT INTO sqlite_schema VALUES('trigger', 'tr', 't', 0, 'CREATE TRIGGER tr NEWER SYNTAX')";

const ONLY_THE_APPLICATION_HAS: readonly [name: string, sql: string, outcome: string, says: RegExp][] = [
  [
    "a function in an index",
    "CREATE INDEX i ON t(slug(a))",
    "not-available",
    /needs what only the application has, for t \(unknown function: slug\(\)\)/,
  ],
  [
    "a collation of a unique column",
    "CREATE TABLE u(a TEXT COLLATE BINARY UNIQUE); INSERT INTO u VALUES('x');" +
    "UPDATE sqlite_schema SET sql = replace(sql, 'BINARY', 'nat')",
    "not-available",
    /for u \(no such collation sequence: nat\)/,
  ],
  [
    "an index on a generated column",
    "CREATE TABLE g(a, b TEXT GENERATED ALWAYS AS (slug(a)) VIRTUAL); CREATE INDEX gi ON g(b)",
    "not-available",
    /for g \(unknown function: slug\(\)\)/,
  ],
  [
    "the module of a virtual table",
    "INSERT INTO sqlite_schema VALUES('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING nowhere(a)')",
    "pass",
    /^integrity_check is ok/,
  ],
  ["syntax of a newer SQLite", NEWER, "not-available", /^its schema is not understood by this SQLite: malformed/],
];

for (const [name, sql, outcome, says] of ONLY_THE_APPLICATION_HAS) {
  inside(`trouble: ${name}, which is not known here, is followed and proven up to "equal"`, async (inside) => {
    using application = new DatabaseSync(inside.scene.database, { defensive: false } as DatabaseSyncOptions);
    application.function("slug", { deterministic: true }, (text) => String(text).toLowerCase());
    application.exec("CREATE TABLE t(a); INSERT INTO t VALUES('x'); PRAGMA writable_schema = ON");
    application.exec(sql);
    await inside.replicate();
    const { code, rungs, findings } = await inside.verify();
    const [equal, structure] = rungs.slice(-3);
    assertEquals([code, equal?.outcome, structure?.outcome, findings.length], [0, "pass", outcome, 0]);
    assertMatch(structure?.says ?? "", says);
  });
}

inside("verify looks at each other table where one cannot be checked here", async (inside, application) => {
  application.function("slug", { deterministic: true }, (text) => String(text).toLowerCase());
  application.exec("CREATE TABLE t(a); CREATE INDEX i ON t(slug(a)); INSERT INTO t VALUES('x')");
  application.exec("CREATE INDEX one ON entry(body); CREATE TABLE other(x); CREATE INDEX two ON other(x)");
  application.exec("INSERT INTO entry(body) VALUES('a'), ('b'); INSERT INTO other VALUES(1)");
  const rude = new DatabaseSync(inside.scene.database, { defensive: false } as DatabaseSyncOptions);
  rude.exec(`PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'two') WHERE name = 'one'`);
  rude.close();
  await inside.replicate();
  const { code, findings } = await inside.verify();
  assertEquals([code, findings[0]?.code], [4, "corrupt"]);
});

inside("verify passes no check that cannot be asked", async (inside) => {
  const rude = new DatabaseSync(inside.scene.database, { defensive: false } as DatabaseSyncOptions);
  rude.exec(`CREATE TABLE t(a); PRAGMA writable_schema = ON; ${NEWER}`);
  rude.close();
  await inside.replicate({ checks: [{ name: "rows", query: "SELECT count(*) FROM t", equals: 0 }] });
  const { code, findings } = await inside.verify();
  assertEquals([code, findings[0]?.code], [75, "unsupported"]);
});

inside(
  "verify fails when the source itself is broken inside, and says that the copy is no worse",
  async (inside, application) => {
    application.exec("CREATE INDEX one ON entry(body); CREATE TABLE other(x); CREATE INDEX two ON other(x)");
    application.exec("INSERT INTO entry(body) VALUES('a'), ('b'); INSERT INTO other VALUES(1)");
    const rude = new DatabaseSync(inside.scene.database, { defensive: false } as DatabaseSyncOptions);
    rude.exec(`PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'two') WHERE name = 'one'`);
    rude.close();
    await inside.replicate();
    const { code, reached, findings } = await inside.verify();
    assertEquals([code, reached, findings[0]?.code], [4, "equal", "corrupt"]);
    assertMatch(findings[0]?.problem ?? "", /^integrity_check: /);
    const { stdout } = await inside.run();
    assertStringIncludes(stdout, "Advice: PRAGMA integrity_check in the source: the restored copy is what it holds");
  },
);

inside(
  "verify notes rows whose foreign key leads nowhere, and passes: the source has them",
  async (inside, application) => {
    application.exec(
      "PRAGMA foreign_keys = OFF; CREATE TABLE child(x REFERENCES entry(n)); INSERT INTO child VALUES(7), (8)",
    );
    await inside.replicate();
    const { code, suspicions } = await inside.verify();
    assertEquals([code, suspicions], [0, ["2 rows of the table child have a foreign key without its parent"]]);
  },
);

inside("verify runs the checks of the config, and compares with the last proof", async (inside, application) => {
  application.exec("INSERT INTO entry(body) VALUES('a'), ('b'), ('c'), ('d')");
  const rows = { name: "rows", query: "SELECT count(*) FROM entry", min: 2, "max-change": "50%" };
  const first = { name: "first", query: "SELECT body FROM entry ORDER BY n", equals: "a" };
  const twice = { name: "gone", query: "SELECT count(*) FROM no_such_table", min: 0 };
  await inside.replicate({ checks: [rows, first] });
  const passed = await inside.verify();
  assertEquals([passed.code, passed.reached, passed.values], [0, "checks", { rows: 4 }]);
  assertEquals(passed.rungs.at(-1)?.says, "2 checks passed");

  application.exec("DELETE FROM entry WHERE n > 1");
  application.exec("UPDATE entry SET body = 'z'");
  await inside.replicate({ checks: [{ ...rows, min: 1 }, first, twice] });
  const { code, findings, reached } = await inside.verify();
  assertEquals([code, reached], [4, "structure"]);
  assertEquals(findings.map(({ problem }) => problem), [
    'the check "rows" gives 1 (expected at most 50% from 4, as it was proven last)',
    'the check "first" gives "z" (expected a)',
    'the check "gone" cannot be run: no such table: no_such_table',
  ]);
});

inside("a check can neither write nor go on for ever: --timeout ends it, and nothing is told", async (inside) => {
  await inside.replicate({
    checks: [
      { name: "write", query: "DELETE FROM entry RETURNING 1", min: 0 },
      { name: "attach", query: "ATTACH 'evil.db' AS evil", min: 0 },
    ],
  });
  const written = await inside.verify();
  assertEquals(written.code, 4);
  for (const { problem } of written.findings) assertMatch(problem, /readonly|cannot be run|expected a number/);
  assertEquals([...Deno.readDirSync(inside.scene.folder)].filter(({ name }) => name === "evil.db"), []);

  const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  await inside.replicate({ checks: [{ name: "endless", query: endless, min: 0 }] });
  const start = performance.now();
  const { code, outcome, findings } = await inside.verify("--timeout", "3s");
  assertEquals([code, outcome], [75, "inconclusive"]);
  assertEquals(findings.map(({ code }) => code), ["timeout"]);
  assertLess(performance.now() - start, 15_000);
  const left = [...Deno.readDirSync(inside.scene.folder)].filter(({ name }) => name.startsWith("tailrace-verify"));
  const scratch = left.flatMap(({ name }) => [...Deno.readDirSync(`${inside.scene.folder}/${name}`)]);
  assertEquals(scratch.filter(({ isDirectory }) => isDirectory), []);
});

inside(
  "verify --format junit says each rung as a test case, and --jitter waits no longer than it says",
  async (inside) => {
    await inside.replicate();
    const { code, stdout } = await inside.run("--format", "junit", "--jitter", "200ms");
    assertEquals(code, 0);
    assertMatch(stdout, /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites name="verify" time="\d+\.\d{3}">\n/);
    assertMatch(stdout, /<testsuite name=".*app\.db file" tests="7" failures="0" errors="0" skipped="1" time=/);
    assertEquals(stdout.match(/<testcase /g)?.length, 7);
    assertMatch(stdout, /name="checks" time="0\.\d{3}"><skipped message="not available: the config has no checks"\/>/);
  },
);

inside(
  "verify names the page of a damaged frame, and the table that it belonged to before",
  async (inside, application) => {
    for (let i = 0; i < 40; i++) application.exec(`INSERT INTO entry(body) VALUES(randomblob(3000))`);
    await inside.replicate();
    application.exec("UPDATE entry SET body = randomblob(3000) WHERE n = 20");
    await inside.replicate();
    const wal =
      [...Deno.readDirSync(`${inside.scene.replica}/generations`)].flatMap(({ name }) =>
        [...Deno.readDirSync(`${inside.scene.replica}/generations/${name}/wal`)]
          .filter((file) => file.name.endsWith(".wal"))
          .map((file) => `${inside.scene.replica}/generations/${name}/wal/${file.name}`)
      ).sort().at(-1) ?? "";
    const bytes = Deno.readFileSync(wal);
    bytes[bytes.length - 500] = (bytes[bytes.length - 500] ?? 0) ^ 1;
    Deno.writeFileSync(wal, bytes);
    const { code, findings, suspicions } = await inside.verify();
    assertEquals(code, 4);
    const [page] = findings.flatMap((finding) => finding.pages ?? []);
    assert(page !== undefined && page > 1);
    assertEquals(suspicions.at(-1), `the damaged page ${page} belonged to entry before`);
  },
);
