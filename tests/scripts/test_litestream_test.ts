import { formatMatrix, judge, type Verdict } from "../../scripts/test_litestream.ts";
import { parseReport, type ReportedRow, type Row } from "../litestream/support/matrix.ts";
import { assertEquals } from "../support/assert.ts";

const restore: Row = { writer: "litestream", reader: "tailrace", feature: "restore" };
const age: Row = { writer: "tailrace", reader: "litestream", feature: "age" };
const ok = (row: Row): ReportedRow => ({ ...row, outcome: "ok" });
const judged = (row: Row, verdict: Verdict, cell: string = verdict) => ({ ...row, verdict, cell });
const failed = (row: Row): ReportedRow => ({ ...row, outcome: "failed" });

Deno.test("judge() takes a row that nobody reported for missing, and one that nobody expects for unexpected", () => {
  assertEquals(judge([restore], [ok(age)]), [judged(restore, "missing"), judged(age, "unexpected")]);
});

Deno.test("judge() takes the worst of several reports of one row", () => {
  assertEquals(judge([restore], [ok(restore), failed(restore), ok(restore)]), [judged(restore, "FAILED")]);
  assertEquals(judge([restore], [ok(restore), ok(restore)]), [judged(restore, "ok")]);
});

Deno.test("judge() shows what the reader does, where a test says so", () => {
  assertEquals(judge([restore], [{ ...ok(restore), finding: "refuses" }]), [judged(restore, "ok", "refuses")]);
  assertEquals(judge([restore], [failed(restore)]), [judged(restore, "FAILED")]);
});

Deno.test("formatMatrix() has a line for each feature and a column for each pair", () => {
  assertEquals(
    formatMatrix(judge([restore, age], [ok(restore), failed(age)])),
    "feature  litestream -> tailrace  tailrace -> litestream\n" +
      "restore  ok                      -\n" +
      "age      -                       FAILED",
  );
});

Deno.test("parseReport() reads one row a line", () => {
  assertEquals(parseReport(`${JSON.stringify(ok(age))}\n${JSON.stringify(failed(restore))}\n`), [
    ok(age),
    failed(restore),
  ]);
});
