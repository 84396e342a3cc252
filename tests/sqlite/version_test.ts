import { hasNoopCheckpoint, hasWalResetBug } from "../../lib/sqlite/version.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("hasWalResetBug() knows the fixed versions of each line", () => {
  const buggy = ["3.7.0", "3.8.11.1", "3.40.1", "3.44.5", "3.45.0", "3.49.2", "3.50.6", "3.51.0", "3.51.2"];
  const fixed = ["3.44.6", "3.44.10", "3.50.7", "3.50.10", "3.51.3", "3.52.0", "3.53.2", "4.0.0"];
  assertEquals(buggy.filter((version) => !hasWalResetBug(version)), []);
  assertEquals(fixed.filter(hasWalResetBug), []);
});

Deno.test("hasNoopCheckpoint() begins with 3.51", () => {
  assertEquals(["3.7.0", "3.50.7", "3.51.0", "3.53.2"].map(hasNoopCheckpoint), [false, false, true, true]);
});
