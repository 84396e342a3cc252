/**
 * `deno task test:litestream [paths and flags of deno test]`: fetches the real Litestream, runs the tests that need it, and
 * prints who reads what whom wrote. A row that is expected and was not reported is a failure; so is one that is reported
 * and not expected, since nobody would miss it. With paths or flags only these tests run, and nothing is missed.
 *
 * Its last line is `N passed, N failed`.
 */
import { EXPECTED_ROWS } from "../tests/litestream/support/expected_rows.ts";
import { parseReport, type ReportedRow, RESULTS_VARIABLE, type Row } from "../tests/litestream/support/matrix.ts";
import { complain, listFiles, say } from "./project.ts";
import { LITESTREAM_VERSION, setUpLitestream } from "./setup_litestream.ts";
import { parseRequest, runModules } from "./test.ts";
import { countedRun, type TestRun } from "./test_process.ts";

const FOLDER = "tests/litestream";

export type Verdict = "ok" | "FAILED" | "missing" | "unexpected";

export interface JudgedRow extends Row {
  readonly verdict: Verdict;
  /** What the matrix shows. */
  readonly cell: string;
}

/** Every row that is expected or was reported, once. A row that several tests report is only as good as the worst of them. */
export function judge(expected: readonly Row[], reported: readonly ReportedRow[]): JudgedRow[] {
  const wanted = new Map(expected.map((row) => [keyOf(row), row]));
  const found = Map.groupBy(reported, keyOf);
  const verdictOf = (key: string): Verdict => {
    const rows = found.get(key);
    if (rows === undefined) return "missing";
    if (rows.some(({ outcome }) => outcome === "failed")) return "FAILED";
    return wanted.has(key) ? "ok" : "unexpected";
  };
  const all = new Map([...wanted, ...reported.map((row) => [keyOf(row), row] as const)]);
  return [...all].map(([key, { writer, reader, feature }]) => {
    const verdict = verdictOf(key);
    const cell = verdict === "ok" ? found.get(key)?.[0]?.finding ?? verdict : verdict;
    return { writer, reader, feature, verdict, cell };
  });
}

function keyOf({ writer, reader, feature }: Row): string {
  return JSON.stringify([writer, reader, feature]);
}

function columnOf({ writer, reader }: Row): string {
  return `${writer} -> ${reader}`;
}

/** One line a feature, one column a pair of writer and reader; "-" where the pair has nothing to do with the feature. */
export function formatMatrix(rows: readonly JudgedRow[]): string {
  const columns = [...new Set(rows.map(columnOf))].sort();
  const features = [...new Set(rows.map(({ feature }) => feature))];
  const width = Math.max(...features.map((feature) => feature.length), "feature".length);
  const widths = columns.map((column) =>
    Math.max(column.length, ...rows.filter((row) => columnOf(row) === column).map(({ cell }) => cell.length))
  );
  const line = (first: string, cells: readonly string[]) =>
    `${first.padEnd(width)}  ${cells.map((cell, slot) => cell.padEnd(widths[slot] ?? 0)).join("  ")}`
      .trimEnd();
  const cell = (feature: string, column: string) =>
    rows.find((row) => row.feature === feature && columnOf(row) === column)?.cell ?? "-";
  return [
    line("feature", columns),
    ...features.map((feature) => line(feature, columns.map((column) => cell(feature, column)))),
  ].join("\n");
}

async function work(run: TestRun): Promise<void> {
  const { paths, flags } = parseRequest(Deno.args);
  const results = Deno.makeTempFileSync({ prefix: "tailrace-matrix-" });
  try {
    const env = { ...await setUpLitestream(), [RESULTS_VARIABLE]: results };
    const modules = listFiles(paths.length === 0 ? [FOLDER] : paths, "_litestream_test.ts");
    await runModules(run, modules, flags, env);
    const isWhole = paths.length === 0 && flags.length === 0;
    const reported = parseReport(Deno.readTextFileSync(results));
    const rows = judge(isWhole ? EXPECTED_ROWS : reported, reported);
    say(`\nLitestream ${LITESTREAM_VERSION}: writer -> reader\n${formatMatrix(rows)}\n`);
    const amiss = rows.filter(({ verdict }) => verdict === "missing" || verdict === "unexpected");
    for (const { writer, reader, feature, verdict } of amiss) {
      complain(`The row "${writer} -> ${reader}: ${feature}" is ${verdict}`);
    }
    run.add({ passed: 0, failed: amiss.length, skipped: 0 });
  } finally {
    Deno.removeSync(results);
  }
}

if (import.meta.main) Deno.exit(await countedRun(work));
