import { assert, assertEquals } from "../support/assert.ts";
import { limits } from "../../lib/base/limits.ts";

Deno.test("limits are positive integers, and each range has its ends in order", () => {
  for (const [name, value] of Object.entries(limits)) assert(Number.isSafeInteger(value) && value > 0, name);
  assert(limits.pageSizeMinBytes < limits.pageSizeMaxBytes);
  assert(limits.minCheckpointPages < limits.maxCheckpointPages);
  assert(limits.retryMinMs < limits.retryMaxMs);
});

Deno.test("limits keep our checkpoints ahead of SQLite's own, which every commit would run from 1,000 pages on", () => {
  assertEquals(limits.minCheckpointPages < 1000, true);
});
