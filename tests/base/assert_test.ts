import { assertEquals, assertThrows } from "../support/assert.ts";
import { assert, AssertionError } from "../../lib/base/assert.ts";

Deno.test("assert() is silent when the claim holds and names the claim when it does not", () => {
  assert(true, "offset is an integer");
  const error = assertThrows(() => assert(false, "offset is an integer"), AssertionError);
  assertEquals(error.message, "Assertion failed: offset is an integer");
});
