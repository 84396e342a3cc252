/**
 * Runs before every test module, in the thread of that module.
 *
 * A limit in a test is there for what hangs, and a busy machine is slow without hanging: each test gets at least
 * `HANG_LIMIT_MS`, also one that names no limit, so that what hangs is called by its name and the others go on.
 *
 * An error that no test caught ends its module, and Deno's TAP reporter says no reason. It is told here, on the stream of
 * the whole process: `Deno.stderr` is the test's own.
 */
import { messageOf } from "../lib/base/errors.ts";

/** Shorter than what a run may be silent for, so that a test that hangs at its end is named, too. */
const HANG_LIMIT_MS = 900_000;

/** The words of a call of `Deno.test()` with a limit that fits every machine; names, options and functions as they came. */
export function withPatience(words: readonly unknown[]): readonly unknown[] {
  const at = words.findIndex((word) => typeof word === "object" && word !== null);
  if (at === -1) return [...words.slice(0, -1), { timeout: HANG_LIMIT_MS }, ...words.slice(-1)];
  const options = words[at] as { readonly timeout?: number };
  return words.with(at, { ...options, timeout: Math.max(options.timeout ?? 0, HANG_LIMIT_MS) });
}

function report(error: unknown): void {
  const text = `Uncaught in ${Deno.mainModule}: ${error instanceof Error ? error.stack : messageOf(error)}\n`;
  Deno.writeTextFileSync("/dev/stderr", text, { append: true });
}

const test = new Proxy(Deno.test, {
  apply: (target, self, words) => Reflect.apply(target, self, withPatience(words)),
});
Object.assign(Deno, { test });
addEventListener("error", (event) => report(event.error));
addEventListener("unhandledrejection", (event) => report(event.reason));
