/** Whether a history is continued by the pages that differ, or a new one begun. PURE. */
import { limits } from "../base/limits.ts";

export interface ResyncFacts {
  /** Whether the values of all pages at the end of what was captured are known. */
  readonly hasBase: boolean;
  readonly samePageSize: boolean;
}

export type ResyncDecision =
  | { readonly kind: "resync" }
  | { readonly kind: "new-generation"; readonly because: string };

export function decideResync(facts: ResyncFacts): ResyncDecision {
  if (!facts.hasBase) return no("there is no page table for what was captured last");
  if (!facts.samePageSize) return no("the page size is another one");
  return { kind: "resync" };
}

/** The difference is written to the shadow WAL first: what would fill it is better read from the database itself. */
export function isWorthResync(different: number, pageSize: number, maxBytes: number): boolean {
  return different <= limits.resyncPagesAlways || different * pageSize <= maxBytes;
}

function no(because: string): ResyncDecision {
  return { kind: "new-generation", because };
}
