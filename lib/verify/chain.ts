/** Whether every point of a history can be reached, from listings and records alone. PURE. */
import { nameObject } from "../position/object_names.ts";
import { asIndex, formatIndex, formatPosition } from "../position/position.ts";
import { type GenerationFacts, type Refusal, type SnapshotPoint, walOf, wholeSnapshots } from "../restore/history.ts";
import { planRestore } from "../restore/plan.ts";
import { missingIndex, notClosed } from "../restore/resolve.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import type { Finding } from "./report.ts";

export interface ChainView {
  readonly findings: readonly Finding[];
  readonly suspicions: readonly string[];
  readonly snapshots: number;
  readonly indexes: number;
}

/** From the first whole snapshot on no index may be missing, and each but the last is complete. */
export function viewChain(facts: GenerationFacts): ChainView {
  const { catalog, damage } = facts;
  if (damage !== undefined) {
    const findings = [{ rung: "chain", code: "corrupt", problem: damage }] as const;
    return { findings, suspicions: [], snapshots: 0, indexes: 0 };
  }
  const snapshots = wholeSnapshots(catalog);
  const findings: Finding[] = [];
  for (const entry of catalog.snapshots) {
    const state = snapshotState(catalog, entry);
    if (state.kind === "corrupt") findings.push({ rung: "chain", code: "corrupt", problem: state.problem });
  }
  const [first] = snapshots;
  if (first !== undefined) {
    const gap = firstGap(facts, first, snapshots.at(-1) ?? first);
    if (gap !== undefined) findings.push({ rung: "chain", code: gap.code, problem: gap.problem });
    const newest = planRestore([facts], { kind: "latest", generation: catalog.generation });
    if (newest.kind === "refused" && newest.problem !== gap?.problem) {
      const { code, problem, reachable } = newest;
      const reached = reachable === undefined ? "nothing" : formatPosition({ ...reachable, ...reachable.point });
      findings.push({
        rung: "chain",
        code,
        problem: `${problem}; ${reached} is the newest point before it`,
        ...(reachable === undefined
          ? {}
          : { next: { kind: "restore", position: { ...reachable.point, generation: reachable.generation } } }),
      });
    }
  }
  const cutOff = cutOffBeforeSnapshot(facts, snapshots.at(-1));
  if (cutOff !== undefined) findings.push({ rung: "chain", code: "corrupt", problem: cutOff });
  const suspicions = [...oddities(facts, first)];
  return { findings, suspicions, snapshots: snapshots.length, indexes: catalog.wals.length };
}

function firstGap({ catalog }: GenerationFacts, first: SnapshotPoint, newest: SnapshotPoint): Refusal | undefined {
  const last = Math.max(catalog.wals.at(-1)?.index ?? 0, newest.index);
  for (let index: number = first.name; index < last; index++) {
    const entry = walOf(catalog, asIndex(index));
    if (entry === undefined) return missingIndex(catalog, asIndex(index), first.name, asIndex(last));
    if (entry.lastRecord?.indexClosed !== true) return notClosed(catalog, entry);
  }
  return undefined;
}

/** A restore of the newest state does without WAL that a snapshot has taken the place of; the points in it are lost. */
function cutOffBeforeSnapshot({ catalog }: GenerationFacts, newest: SnapshotPoint | undefined): string | undefined {
  const last = catalog.wals.at(-1);
  if (newest === undefined || last?.promisedEnd === undefined || last.recordProblem === undefined) return undefined;
  const isCovered = newest.index > last.index || (newest.index === last.index && newest.offset >= last.promisedEnd);
  return isCovered ? last.recordProblem : undefined;
}

/** What a crash, or retention that was interrupted, leaves behind; so does the loss of just these objects. */
function* oddities({ catalog, unrecorded }: GenerationFacts, first: SnapshotPoint | undefined): Generator<string> {
  const { layout, generation, snapshots, wals } = catalog;
  for (const entry of snapshots) {
    const state = snapshotState(catalog, entry);
    if (state.kind === "incomplete") yield state.problem;
  }
  if (first === undefined) yield `generation ${generation} has no whole snapshot: nothing of it can be restored`;
  const orphan = wals.find(({ index }) => first === undefined || index < first.name);
  if (first !== undefined && orphan !== undefined) {
    yield `generation ${generation}: the WAL of index ${
      formatIndex(orphan.index)
    } stands before the first whole snapshot`;
  }
  const last = wals.at(-1);
  if (last !== undefined && unrecorded !== undefined) {
    yield `generation ${generation}: the last index, ${formatIndex(last.index)}, has WAL and no record`;
  }
  if (last?.recordProblem !== undefined && last.promisedEnd === undefined) yield last.recordProblem;
  const newest = wholeSnapshots(catalog).at(-1);
  const end = last?.lastRecord?.end ?? 0;
  if (
    layout === "raw" && last !== undefined && newest?.index === last.index && newest.offset > end &&
    last.sizeBytes > end
  ) {
    yield `${nameObject(catalog, last.index, "commits")} ends before the snapshot of its index, and its WAL does not`;
  }
}
