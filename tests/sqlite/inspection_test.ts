/** By processes of their own: what SQLite may take of memory is a bound of the whole process. */
import { DatabaseSync } from "node:sqlite";
import type { Answer } from "../../lib/sqlite/inspection.ts";
import { assertEquals, assertLess } from "../support/assert.ts";
import { runMeasured } from "../support/peak.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const CHILD_MAX_BYTES = 300e6;

/** Answers of the child in which verify looks into a database, and its peak. */
async function ask(queries: readonly string[]): Promise<{ answers: readonly Answer[]; peakBytes: number }> {
  let result: { answers: readonly Answer[]; peakBytes: number } | undefined;
  await withTemporaryFolder(async (folder) => {
    const path = `${folder}/some.db`;
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE t(a, b); INSERT INTO t VALUES(7, 'x'), (8, 'y')");
    database.close();
    const order = JSON.stringify({ path, structure: true, queries, pages: [] });
    const { code, stdout, stderr, peakBytes } = await runMeasured(folder, ["inspect"], order);
    assertEquals([code, stderr], [0, ""]);
    result = { answers: JSON.parse(stdout).inspection.answers, peakBytes };
  });
  return result ?? { answers: [], peakBytes: Infinity };
}

const TOO_LONG = { kind: "error", problem: "its answer has more than 1048576 bytes" } as const;
const TOO_BIG = { kind: "error", problem: "string or blob too big" } as const;
const NO_MEMORY = { kind: "error", problem: "it needs more than the 67108864 bytes that a check may have" } as const;
const LONGEST = "0".repeat(1 << 20);

/** What a value of 15 MB is made of, as the only and as one of many columns. */
const LARGE = "WITH x(v) AS MATERIALIZED (SELECT char(0x1F600) || hex(zeroblob(4000000)))";

const ANSWERS: readonly [query: string, answer: Answer][] = [
  ["SELECT b, a FROM t ORDER BY a", { kind: "value", value: "x" }],
  ["PRAGMA integrity_check", { kind: "value", value: "ok" }],
  ["SELECT hex(zeroblob(524288))", { kind: "value", value: LONGEST }],
  ["SELECT hex(zeroblob(524289))", TOO_LONG],
  ["SELECT zeroblob(1048577)", TOO_LONG],
  ["SELECT replace(hex(zeroblob(225000000)), '0', '1')", TOO_BIG],
  [`${LARGE} SELECT v FROM x`, TOO_LONG],
  [`${LARGE} SELECT ${"v, ".repeat(1_999)} v FROM x`, TOO_BIG],
  [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) " +
    `SELECT ${Array.from({ length: 7 }, (_, slot) => `group_concat(hex(zeroblob(400000)), '${slot}')`).join()} FROM n`,
    TOO_BIG,
  ],
  [
    "SELECT json_group_array(v) FROM (WITH RECURSIVE n(i, v) AS " +
    "(SELECT 1, hex(zeroblob(5000000)) UNION ALL SELECT i + 1, v || 'x' FROM n WHERE i < 30) SELECT v FROM n)",
    TOO_BIG,
  ],
  [
    "SELECT hex(zeroblob(8000000)) || hex(zeroblob(300000)), replace(hex(zeroblob(4000000)), '0', '11') FROM t",
    TOO_BIG,
  ],
  ["SELECT count(*) FROM t", { kind: "value", value: 2 }],
];

Deno.test({
  name: "inspectDatabase() gives the first value of the first row, bounded, whatever a query makes",
  timeout: 120_000,
  fn: async () => {
    const { answers, peakBytes } = await ask(ANSWERS.map(([query]) => query));
    for (const [slot, [query, expected]] of ANSWERS.entries()) {
      const found = answers[slot];
      const isMemory = expected === TOO_BIG && JSON.stringify(found) === JSON.stringify(NO_MEMORY);
      if (!isMemory) assertEquals(found, expected, query); // Which of the two bounds is met first is for SQLite to say.
    }
    assertLess(peakBytes, CHILD_MAX_BYTES);
  },
});
