import { formatMatrix, judge } from "../../scripts/test_litestream.ts";
import { parseReport, type ReportedRow, type Row } from "../litestream/support/matrix.ts";
import { assertEquals } from "../support/assert.ts";

const restore: Row = { writer: "litestream", reader: "tailrace", feature: "restore" };
const age: Row = { writer: "tailrace", reader: "litestream", feature: "age" };
const ok = (row: Row): ReportedRow => ({ ...row, outcome: "ok" });
const failed = (row: Row): ReportedRow => ({ ...row, outcome: "failed" });

Deno.test("judge() takes a row that nobody reported for missing, and one that nobody expects for unexpected", () => {
  assertEquals(judge([restore], [ok(age)]), [{ ...age, cell: "unexpected" }, { ...restore, cell: "missing" }]);
});

Deno.test("judge() takes the worst of several reports of one row", () => {
  assertEquals(judge([restore], [ok(restore), failed(restore), ok(restore)]), [{ ...restore, cell: "FAILED" }]);
  assertEquals(judge([restore], [ok(restore), ok(restore)]), [{ ...restore, cell: "ok" }]);
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
