import { editDistance, nearest } from "../../lib/base/suggest.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("editDistance() counts a letter inserted, deleted, replaced or exchanged as one", () => {
  assertEquals(editDistance("restore", "restore"), 0);
  assertEquals(editDistance("restor", "restore"), 1);
  assertEquals(editDistance("restoree", "restore"), 1);
  assertEquals(editDistance("rextore", "restore"), 1);
  assertEquals(editDistance("retsore", "restore"), 1);
  assertEquals(editDistance("", "wal"), 3);
  assertEquals(editDistance("wal", ""), 3);
});

Deno.test("nearest() finds the word that was meant, whatever its case", () => {
  const words = ["replicate", "restore", "databases", "wal"];
  assertEquals(nearest("replciate", words), "replicate");
  assertEquals(nearest("Restore", words), "restore");
  assertEquals(nearest("database", words), "databases");
});

Deno.test("nearest() finds nothing where nothing is near", () => {
  assertEquals(nearest("compact", ["replicate", "restore", "wal"]), undefined);
  assertEquals(nearest("x", ["wal", "help"]), undefined);
  assertEquals(nearest("anything", []), undefined);
});
