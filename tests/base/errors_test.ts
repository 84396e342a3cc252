import { assert, assertEquals, assertFalse } from "../support/assert.ts";
import {
  describeFault,
  type ErrorCode,
  exitCodeOf,
  isRetryable,
  messageOf,
  ReplicationError,
  worstExitCode,
} from "../../lib/base/errors.ts";

const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  contested: 75,
  "usage": 2,
  "config-invalid": 2,
  "not-found": 3,
  "corrupt": 4,
  "gap": 4,
  "foreign": 4,
  "busy": 75,
  "unavailable": 75,
  "denied": 1,
  "no-space": 1,
  "cancelled": 1,
  "unsupported": 1,
  "failed": 1,
};

Deno.test("exitCodeOf() gives each error code its exit code, and everything else that of a fault", () => {
  for (const [code, exitCode] of Object.entries(EXIT_CODES)) {
    assertEquals(exitCodeOf(new ReplicationError(code as ErrorCode, "Cannot read x: y")), exitCode, code);
  }
  assertEquals(exitCodeOf(new Error("x")), 70);
  assertEquals(exitCodeOf("x"), 70);
});

Deno.test("isRetryable() is true of what may pass by itself, and of nothing else", () => {
  for (const code of Object.keys(EXIT_CODES)) {
    const expected = ["busy", "contested", "unavailable"].includes(code);
    assertEquals(isRetryable(new ReplicationError(code as ErrorCode, "Cannot read x: y")), expected, code);
  }
  assertFalse(isRetryable(new Error("busy")));
});

Deno.test("worstExitCode() takes the worst in the order 4, 70, 3, 1, 5, 75, 0, and wrong usage before all", () => {
  const order = [2, 4, 70, 3, 1, 5, 75, 0];
  for (let worst = 0; worst < order.length; worst++) {
    assertEquals(worstExitCode(order.slice(worst).reverse()), order[worst]);
  }
  assertEquals(worstExitCode([]), 0);
  assertEquals(worstExitCode([0, 143]), 143); // Of what has no place in the order it is no success either.
});

Deno.test("ReplicationError keeps its cause and its advice, and has neither when none is given", () => {
  const cause = new Error("ENOENT");
  const error = new ReplicationError("not-found", "Cannot read x: y", { cause, advice: "tailrace doctor" });
  assertEquals([error.cause, error.advice, error.message], [cause, "tailrace doctor", "Cannot read x: y"]);
  const plain = new ReplicationError("failed", "Cannot read x: y");
  assert(!("cause" in plain) && plain.advice === undefined);
});

Deno.test("messageOf() makes one line of whatever was thrown", () => {
  assertEquals(messageOf(new ReplicationError("gap", "Cannot restore x: y")), "Cannot restore x: y");
  assertEquals(messageOf("text"), "text");
  assertEquals(messageOf(undefined), "undefined");
});

Deno.test("describeFault() says one sentence before the trace, whatever was thrown", () => {
  const error = new TypeError("x is odd\nand long");
  assertEquals(
    describeFault(error).split("\n")[0],
    "Cannot go on: x is odd (a fault of the program; please report it)",
  );
  assert(describeFault(error).includes("errors_test.ts"), "the trace");
  assertEquals(describeFault("odd"), "Cannot go on: odd (a fault of the program; please report it)\n");
});
