/** The signatures of the `@std/assert` functions that `assert.ts` passes on. */
// deno-lint-ignore no-explicit-any -- A class is asked for, whatever its constructor takes.
type Class<T> = abstract new (...parameters: any[]) => T;

export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}

export function assert(condition: unknown, message?: string): asserts condition;
export function assertFalse(condition: unknown, message?: string): asserts condition is false;
export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
export function assertInstanceOf<T>(actual: unknown, expected: Class<T>, message?: string): asserts actual is T;

/** Deep equality; types, property sets and undefined properties count. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void;
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
/** Identity, as `Object.is` judges it. */
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
/** Only the properties that `expected` names are compared. */
export function assertObjectMatch(actual: object, expected: Record<PropertyKey, unknown>, message?: string): void;

export function assertGreater<T extends number | bigint>(actual: T, expected: T, message?: string): void;
export function assertGreaterOrEqual<T extends number | bigint>(actual: T, expected: T, message?: string): void;
export function assertLess<T extends number | bigint>(actual: T, expected: T, message?: string): void;
export function assertLessOrEqual<T extends number | bigint>(actual: T, expected: T, message?: string): void;

export function assertMatch(actual: string, expected: RegExp, message?: string): void;
export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
export function assertStringIncludes(actual: string, expected: string, message?: string): void;

/** Returns what was thrown. */
export function assertThrows(work: () => unknown, message?: string): unknown;
export function assertThrows<E extends Error>(
  work: () => unknown,
  expected: Class<E>,
  messageIncludes?: string,
  message?: string,
): E;
/** Returns what the promise was rejected with; throwing before a promise is returned does not count. */
export function assertRejects(work: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
export function assertRejects<E extends Error>(
  work: () => PromiseLike<unknown>,
  expected: Class<E>,
  messageIncludes?: string,
  message?: string,
): Promise<E>;

export function fail(message?: string): never;
