import { formatTable, printable } from "../../lib/cli/table.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("formatTable() aligns columns two spaces apart, with titles and without trailing spaces", () => {
  const columns = [{ title: "name" }, { title: "size", align: "right" }, { title: "note" }] as const;
  assertEquals(
    formatTable(columns, [["a", "5", "x"], ["longer", "12345", ""]]),
    "name     size  note\na           5  x\nlonger  12345\n",
  );
  assertEquals(formatTable(columns, []), "name  size  note\n");
});

Deno.test("printable() shows control characters instead of sending them", () => {
  assertEquals(printable("a\nb\x1b[31m\t\u0085"), "a\\x0ab\\x1b[31m\\x09\\x85");
  assertEquals(printable("\u00e9 \u65e5 \u{1f600}"), "\u00e9 \u65e5 \u{1f600}");
});
