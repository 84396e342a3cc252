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

/** From so many pages on a snapshot costs no more, and keeps the application's checkpoints waiting for less long. */
export function isWorthResync(different: number, databasePages: number, pageSize: number, maxBytes: number): boolean {
  if (different <= limits.resyncPagesAlways) return true;
  return different <= databasePages / 2 && different * pageSize <= maxBytes;
}

function no(because: string): ResyncDecision {
  return { kind: "new-generation", because };
}
