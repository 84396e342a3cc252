/** What a user asserts of a restored database by a query, and whether an answer keeps it. PURE. */
import type { Answer } from "../sqlite/inspection.ts";

const SHOWN_MAX = 200;

export interface Check {
  readonly name: string;
  readonly query: string;
  /** As text: `5`, `ok`. */
  readonly equals?: string;
  readonly min?: number;
  readonly max?: number;
  /** How far the number may be from that of the last proof, either way: as it is, or as a part of it. */
  readonly maxChange?: { readonly amount: number; readonly isPart: boolean };
}

/** Numbers by the names of their checks. */
export type CheckValues = Readonly<Record<string, number>>;

/**
 * What is wrong with the answer; undefined when nothing is. What a row holds is never told, but for the number or text that
 * was compared with a bound. `before`: of the last proof; without one no change is judged.
 */
export function judgeAnswer(check: Check, answer: Answer | undefined, before: number | undefined): string | undefined {
  if (answer === undefined) return `the check ${quoted(check)} was not run`;
  if (answer.kind === "error") return `the check ${quoted(check)} cannot be run: ${answer.problem}`;
  const { value } = answer;
  const say = (expected: string) => `the check ${quoted(check)} gives ${shown(value)} (expected ${expected})`;
  const { equals, min, max, maxChange } = check;
  if (equals !== undefined) return String(value) === equals ? undefined : say(equals);
  const number = numberOf(value);
  if (number === undefined) return say("a number");
  if (min !== undefined && number < min) return say(`at least ${min}`);
  if (max !== undefined && number > max) return say(`at most ${max}`);
  if (maxChange === undefined || before === undefined) return undefined;
  const allowed = maxChange.isPart ? Math.abs(before) * maxChange.amount : maxChange.amount;
  const bound = maxChange.isPart ? `${maxChange.amount * 100}%` : String(maxChange.amount);
  return Math.abs(number - before) <= allowed
    ? undefined
    : say(`at most ${bound} from ${before}, as it was proven last`);
}

/** An answer may be long, and stands in reports, pings and the memory of proofs. */
function shown(value: string | number | null): string {
  const text = JSON.stringify(value);
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`;
}

export function numberOf(value: string | number | null): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

function quoted({ name }: Check): string {
  return JSON.stringify(name);
}
