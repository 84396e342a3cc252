/**
 * What `deno test --reporter=tap` prints, read line by line while it comes: each test with its result and its reason at
 * once. Deno's own form tells the reasons only at the end, and nothing when it is killed before.
 *
 * Tests count, steps do not: a failed step fails its test, and its reason is told with it.
 */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const RESULT = /^( *)(not ok|ok) \d+(?: - (.*))?$/;
/** Where, and how the reason begins. */
const REASON_LINES = 8;
const STEPS_BEGIN = /^ *# Subtest: /;
const SKIPPED = " # SKIP";
// deno-lint-ignore no-control-regex -- Colours are escape sequences.
const COLOURS = /\u001b\[[0-9;]*m/g;

interface Result {
  readonly name: string;
  readonly isOk: boolean;
  readonly isSkipped: boolean;
  readonly isStep: boolean;
}

export class TapReader {
  /** As `deno test` counts: without steps. */
  readonly #counts = { passed: 0, failed: 0, skipped: 0 };
  /** A failure waits for its reason, which stands in the lines behind it. */
  #failure: Result | undefined;
  #isInReason = false;
  #reason = "";
  readonly #failures: string[] = [];

  /** What was told of each failed test, in a few lines, for the end of a long run. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  get counts(): Counts {
    return { ...this.#counts };
  }

  /** Takes one line; the lines to show for it. */
  read(line: string): readonly string[] {
    if (this.#isInReason) return this.#readReason(line);
    if (this.#failure !== undefined && line.trim() === "---") {
      this.#isInReason = true;
      return [];
    }
    const shown = this.end();
    const result = parseResult(line);
    if (result === undefined) return [...shown, ...otherLine(line)];
    if (!result.isStep) this.#count(result);
    if (result.isOk) {
      return [...shown, ...(result.isStep ? [] : [`${result.isSkipped ? "skipped" : "ok"} ${result.name}`])];
    }
    this.#failure = result;
    return shown;
  }

  /** What is still to be shown when nothing more comes. */
  end(): readonly string[] {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) return [];
    const lines = describeFailure(this.#reason);
    this.#reason = "";
    const beginning = lines.filter((line) => line.trim() !== "").slice(0, REASON_LINES);
    if (!failure.isStep) this.#failures.push([failure.name, ...beginning].join("\n    "));
    return [`${failure.isStep ? "failed step" : "FAILED"} ${failure.name}`, ...lines.map((text) => `    ${text}`)];
  }

  #readReason(line: string): readonly string[] {
    if (line.trim() !== "...") {
      this.#reason += line;
      return [];
    }
    this.#isInReason = false;
    return this.end();
  }

  #count(result: Result): void {
    if (result.isSkipped) this.#counts.skipped++;
    else if (result.isOk) this.#counts.passed++;
    else this.#counts.failed++;
  }
}

function parseResult(line: string): Result | undefined {
  const [, indentation = "", word, text = ""] = RESULT.exec(line) ?? [];
  if (word === undefined) return undefined;
  const isSkipped = text.endsWith(SKIPPED);
  const name = (isSkipped ? text.slice(0, -SKIPPED.length) : text).replaceAll(/\\([#\\])/g, "$1");
  return { name, isOk: word === "ok", isSkipped, isStep: indentation !== "" };
}

/** Version and plan are for programs. */
function otherLine(line: string): readonly string[] {
  return line === "" || /^TAP version|^ *1\.\.\d+$/.test(line) || STEPS_BEGIN.test(line) ? [] : [line];
}

/** From the JSON behind a failure; without one the test never ended. */
function describeFailure(reason: string): readonly string[] {
  if (reason === "") return ["It was given up, since its module broke (see above)"];
  try {
    const { message, at } = JSON.parse(reason) as { message: string; at: { file: string } };
    const lines = message.replaceAll(COLOURS, "").split("\n");
    return [`in ${at.file}`, ...lines.filter((line) => !line.includes("(ext:cli/40_test.js"))];
  } catch {
    return [reason.trim()];
  }
}

/** A run that ended badly counts at least one failure, whatever it printed; so does one in which no test was seen. */
export function countsOf(code: number, seen: Counts): Counts {
  const isBad = code !== 0 || seen.passed + seen.failed + seen.skipped === 0;
  return isBad && seen.failed === 0 ? { ...seen, failed: 1 } : seen;
}

export function addUp(all: readonly Counts[]): Counts {
  const sum = (pick: (counts: Counts) => number) => all.reduce((total, counts) => total + pick(counts), 0);
  return { passed: sum((c) => c.passed), failed: sum((c) => c.failed), skipped: sum((c) => c.skipped) };
}

export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}

/** A run in which nothing was tested has not succeeded. */
export function exitCodeFor({ passed, failed }: Counts): number {
  return failed === 0 && passed > 0 ? 0 : 1;
}
