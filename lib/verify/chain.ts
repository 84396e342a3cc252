/** Whether every point of a history can be reached, from listings and records alone. PURE. */
import { asIndex, formatPosition } from "../position/position.ts";
import { type GenerationFacts, wholeSnapshots } from "../restore/history.ts";
import { planRestore } from "../restore/plan.ts";
import type { RestoreTarget } from "../restore/target.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import type { Finding } from "./report.ts";

export interface ChainView {
  readonly findings: readonly Finding[];
  readonly suspicions: readonly string[];
  readonly snapshots: number;
  readonly indexes: number;
}

/**
 * Each snapshot to the next one, the last to the end: a restore to any point between begins at the snapshot before it, so that
 * together these are all ways that a restore can take.
 */
export function viewChain(facts: GenerationFacts): ChainView {
  const { catalog } = facts;
  const { generation } = catalog;
  const findings: Finding[] = [];
  const suspicions: string[] = [];
  for (const entry of catalog.snapshots) {
    const state = snapshotState(catalog, entry);
    if (state.kind === "corrupt") findings.push({ rung: "chain", code: "corrupt", problem: state.problem });
    if (state.kind === "incomplete") suspicions.push(state.problem);
  }
  const snapshots = wholeSnapshots(catalog);
  if (snapshots.length === 0) {
    suspicions.push(`generation ${generation} has no whole snapshot: nothing of it can be restored`);
  }
  const ends: RestoreTarget[] = snapshots.flatMap(({ name }, slot): RestoreTarget[] => {
    const next = snapshots[slot + 1];
    if (next === undefined) return [{ kind: "latest", generation }];
    return next.name > name ? [{ kind: "index", index: asIndex(next.name - 1), generation }] : [];
  });
  for (const target of ends) {
    const plan = planRestore([facts], target);
    if (plan.kind === "plan") {
      suspicions.push(...plan.notices);
      continue;
    }
    const { code, problem, reachable } = plan;
    const reached = reachable === undefined
      ? ""
      : `; what can be reached before it ends at ${formatPosition({ generation, ...reachable.point })}`;
    findings.push({ rung: "chain", code, problem: `${problem}${reached}` });
  }
  return { findings, suspicions, snapshots: snapshots.length, indexes: catalog.wals.length };
}
