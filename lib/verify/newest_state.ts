/** The newest state that the listings and records of a replica tell of. PURE. */
import { largestOf } from "../base/many.ts";
import { type GenerationFacts, newestMs } from "../restore/history.ts";
import { planRestore } from "../restore/plan.ts";
import type { ReportedPoint } from "./report.ts";

export interface NewestState {
  /** Absent when it cannot be restored: the records still tell how new it is. */
  readonly point?: ReportedPoint;
  readonly ms: number;
  readonly databasePages: number;
  readonly checksum?: Uint8Array;
}

/** Nothing where no generation has a moment of its own yet: a snapshot was begun there and not finished. */
export function newestState(facts: readonly GenerationFacts[]): NewestState | undefined {
  if (facts.length === 0) return undefined;
  const plan = planRestore(facts, { kind: "latest" });
  if (plan.kind !== "plan") {
    const ms = largestOf(facts.map(newestMs).filter(Number.isFinite));
    return Number.isFinite(ms) ? { ms, databasePages: 0 } : undefined;
  }
  const { generation, pageSize, databaseBytes, end: { index, offset, capturedAtMs, checksum } } = plan;
  return {
    point: { position: { generation, index, offset }, capturedAtMs },
    ms: capturedAtMs,
    databasePages: pageSize === 0 ? 0 : databaseBytes / pageSize,
    ...(checksum === undefined ? {} : { checksum }),
  };
}
