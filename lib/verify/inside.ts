/**
 * What stands inside a restored database: its structure, the answers to the user's checks, and to whom pages belong. It is
 * looked at by a process of its own, while the file is there; it is judged later.
 */
import { ReplicationError } from "../base/errors.ts";
import type { InspectionOrder, InspectionResult } from "../sqlite/inspection.ts";
import { type Check, type CheckValues, judgeAnswer, numberOf } from "./check.ts";
import { findingOf } from "./judgement.ts";
import type { Finding, RungOutcome } from "./report.ts";
import type { TrialTools } from "./trial.ts";

/** So many tables are named in one. */
const SHOWN_TABLES = 3;
/** So many pages stand in a report. */
export const SHOWN_PAGES = 10;

/** What a rung found; or `instead`, why it found nothing. */
export interface Judged {
  readonly findings: readonly Finding[];
  readonly says: string;
  readonly instead?: RungOutcome;
  /** What is odd and no fault. */
  readonly notes: readonly string[];
}

export interface Expected {
  readonly checks?: readonly Check[];
  /** Of the last proof. */
  readonly before?: { readonly schema?: string; readonly values: CheckValues };
}

export class Inside {
  readonly #checks: readonly Check[];
  readonly #before: Expected["before"];
  readonly #tools: Pick<TrialTools, "inspect" | "signal">;
  #found: InspectionResult | { readonly kind: "failed"; readonly error: ReplicationError } | undefined;

  constructor({ checks = [], before }: Expected, tools: Pick<TrialTools, "inspect" | "signal">) {
    this.#checks = checks;
    this.#before = before;
    this.#tools = tools;
  }

  async look(path: string, withChecks: boolean): Promise<void> {
    const queries = withChecks ? this.#checks.map(({ query }) => query) : [];
    try {
      this.#found = await this.#inspect({ path, structure: true, queries, pages: [] });
    } catch (error) {
      if (!(error instanceof ReplicationError) || error.code === "cancelled") throw error;
      this.#found = { kind: "failed", error };
    }
  }

  /** Of a database that is the source's, so is whatever is wrong inside: it is no less wrong. */
  structure(isEqual: boolean): Judged {
    const found = this.#found;
    if (found === undefined) return instead("not-run", "nothing was looked into");
    if (found.kind === "failed") return judged([findingOf("structure", found.error)], "");
    if (found.kind === "unreadable") {
      const problem = `it cannot be opened without a key, or is no SQLite database: ${found.problem}`;
      return isEqual
        ? instead("not-available", problem)
        : judged([{ rung: "structure", code: "corrupt", problem }], "");
    }
    if (found.kind === "not-understood") return notUnderstood(found.problem, isEqual);
    const { faults, unchecked, orphans, objects, schema } = found.inspection;
    const notes = Object.entries(orphans).map(([table, rows]) =>
      `${rows} ${rows === 1 ? "row" : "rows"} of the table ${table} ${
        rows === 1 ? "has" : "have"
      } a foreign key without its parent`
    );
    const before = this.#before?.schema;
    if (before !== undefined && before !== schema) notes.push("the schema is not that of the last proof");
    const advice = "PRAGMA integrity_check in the source: the restored copy is what it holds";
    const findings = faults.map((fault): Finding => ({
      rung: "structure",
      code: "corrupt",
      problem: `integrity_check: ${fault}`,
      ...(isEqual ? { advice } : {}),
    }));
    const what = `${objects} ${objects === 1 ? "object" : "objects"} in the schema ${schema}`;
    const [first] = Object.entries(unchecked);
    if (first !== undefined && findings.length === 0) {
      return { ...instead("not-available", whyUnchecked(unchecked)), notes };
    }
    return { ...judged(findings, `integrity_check is ok, ${what}`), notes };
  }

  checks(): Judged {
    const checks = this.#checks;
    if (checks.length === 0) return instead("not-available", "not available: the config has no checks");
    const found = this.#found;
    if (found?.kind === "unreadable" || found?.kind === "not-understood") {
      const problem = `no query can be asked: ${found.problem}`;
      return judged([{ rung: "checks", code: "unsupported", problem }], "");
    }
    if (found?.kind !== "inspected") return instead("not-run", "nothing was looked into");
    const { answers } = found.inspection;
    const problems = checks.flatMap((check, slot) =>
      judgeAnswer(check, answers[slot], this.#before?.values[check.name]) ?? []
    );
    const findings = problems.map((problem): Finding => ({ rung: "checks", code: "check", problem }));
    return judged(findings, `${checks.length} ${checks.length === 1 ? "check" : "checks"} passed`);
  }

  get schema(): string | undefined {
    return this.#found?.kind === "inspected" ? this.#found.inspection.schema : undefined;
  }

  /** The numbers that checks gave, for the next proof to compare with. */
  values(): CheckValues {
    const values: Record<string, number> = {};
    const answers = this.#found?.kind === "inspected" ? this.#found.inspection.answers : [];
    for (const [slot, { name }] of this.#checks.entries()) {
      const answer = answers[slot];
      const number = answer?.kind === "value" ? numberOf(answer.value) : undefined;
      if (number !== undefined) values[name] = number;
    }
    return values;
  }

  /** The tables and indexes that the pages belong to, as far as that database can tell. */
  async owners(path: string, pages: readonly number[]): Promise<readonly string[]> {
    if (pages.length === 0) return [];
    try {
      const found = await this.#inspect({ path, structure: false, queries: [], pages });
      return found?.kind === "inspected" ? found.inspection.owners : [];
    } catch (error) {
      if (!(error instanceof ReplicationError) || error.code === "cancelled") throw error;
      return [];
    }
  }

  /** To whom damaged pages belonged, by a state that is good. */
  async ownersNote(path: string, damaged: readonly number[]): Promise<string | undefined> {
    const pages = [...new Set(damaged)];
    const owners = await this.owners(path, pages);
    if (owners.length === 0) return undefined;
    const shown = pages.slice(0, SHOWN_PAGES).join(", ");
    return `the damaged ${pages.length === 1 ? "page" : "pages"} ${shown} belonged to ${owners.join(", ")} before`;
  }

  async #inspect(order: InspectionOrder): Promise<InspectionResult | undefined> {
    const { inspect, signal } = this.#tools;
    return await inspect?.(order, signal);
  }
}

/** What SQLite says of a schema whose pages are wrong, rather than its words. */
const BROKEN_SCHEMA = /invalid rootpage|orphan index/;

/** A copy that is the source's is as good as the source, whose application understands what is not understood here. */
function notUnderstood(problem: string, isEqual: boolean): Judged {
  if (isEqual && !BROKEN_SCHEMA.test(problem)) {
    return instead("not-available", `its schema is not understood by this SQLite: ${problem}`);
  }
  return judged([{ rung: "structure", code: "corrupt", problem }], "");
}

function whyUnchecked(unchecked: Readonly<Record<string, string>>): string {
  const tables = Object.entries(unchecked);
  const shown = tables.slice(0, SHOWN_TABLES).map(([table, why]) => `${table} (${why})`);
  const more = tables.length > shown.length ? ` and ${tables.length - shown.length} more` : "";
  return `integrity_check needs what only the application has, for ${shown.join(", ")}${more}; all else is ok`;
}

function judged(findings: readonly Finding[], says: string): Judged {
  return { findings, says, notes: [] };
}

function instead(outcome: RungOutcome, says: string): Judged {
  return { findings: [], says, instead: outcome, notes: [] };
}
