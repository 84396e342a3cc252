/** A broken promise inside the program itself; never the fault of input, disk or network. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws an `AssertionError` that names the claim, in production too. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new AssertionError(`Assertion failed: ${claim}`);
}
