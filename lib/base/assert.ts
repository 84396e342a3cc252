/** A broken promise inside the program itself; never the fault of input, disk or network. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new AssertionError(`Assertion failed: ${claim}`);
}

export function unreachable(value: never): never {
  throw new AssertionError(`Assertion failed: unexpected value ${JSON.stringify(value)}`);
}
