/**
 * Who reads what whom wrote: every row that must be proven, and how a test reports that it has proven one. Pure, apart from
 * the line that `matrixTest()` appends to the file which `deno task test:litestream` names and reads.
 */
export const RESULTS_VARIABLE = "TAILRACE_TEST_MATRIX";

/** "by hand" is a replica put together from a real WAL by this project's tests, with tools that are not the program's. */
export type Writer = "by hand" | "litestream" | "tailrace" | "both in turns";
export type Reader = "litestream" | "tailrace" | "litestream 0.5" | "both";
export type Outcome = "ok" | "failed";

export interface Row {
  readonly writer: Writer;
  readonly reader: Reader;
  readonly feature: string;
}

export interface ReportedRow extends Row {
  readonly outcome: Outcome;
  /** What the reader does, where "ok" would say too little: a refusal may be what is right. */
  readonly finding?: string;
}

/** A test that proves one row. It reports what it came to, whether it passes or not. */
export function matrixTest(row: Row, prove: () => Promise<string | void>): void {
  Deno.test(`matrix: ${row.writer} -> ${row.reader}: ${row.feature}`, async () => {
    let reported: ReportedRow = { ...row, outcome: "failed" };
    try {
      const finding = await prove();
      reported = { ...row, outcome: "ok", ...(finding === undefined ? {} : { finding }) };
    } finally {
      report(reported);
    }
  });
}

/** Without the variable the test runs for itself, and nobody asks. */
function report(row: ReportedRow): void {
  const path = Deno.env.get(RESULTS_VARIABLE);
  if (path === undefined || path === "") return;
  Deno.writeTextFileSync(path, `${JSON.stringify(row)}\n`, { append: true });
}

export function parseReport(text: string): ReportedRow[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as ReportedRow);
}
