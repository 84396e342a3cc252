/** Of which points a restore can be made, asked of very many: what leads to an index is looked at once. PURE. */
import { asIndex, asOffset, type Index } from "../position/position.ts";
import {
  comparePlaces,
  type GenerationFacts,
  type Point,
  type SnapshotPoint,
  walOf,
  wholeSnapshots,
} from "./history.ts";
import { type Chain, disagree, walkChain, walkFrom } from "./plan.ts";
import { missingIndex } from "./resolve.ts";

/** Whether a plan can be made for a restore to that point, by its position. */
export function reachableIn(facts: GenerationFacts): (point: Point) => boolean {
  const { catalog } = facts;
  const reached = new Map<Index, Index>();
  /** The index that the chain from a snapshot leads to, all before it being whole. */
  const reachOf = (snapshot: SnapshotPoint): Index => {
    const known = reached.get(snapshot.name);
    if (known !== undefined) return known;
    const beyond = asIndex(Math.max(catalog.wals.at(-1)?.index ?? 0, snapshot.index) + 1);
    const reach = walkFrom(facts, snapshot, { index: beyond, offset: asOffset(0) }).stoppedIn ?? beyond;
    reached.set(snapshot.name, reach);
    return reach;
  };
  const walk = (snapshot: SnapshotPoint, end: Point): Chain => {
    const chain = { snapshot, steps: [], notices: [] };
    const { replay } = snapshot;
    const from = replay.index === end.index ? replay.offset : asOffset(0);
    const isThere = end.offset <= from || walOf(catalog, end.index) !== undefined;
    const stopped = reachOf(snapshot) < end.index || !isThere
      ? missingIndex(catalog, end.index, replay.index, end.index)
      : end.offset <= from
      ? undefined
      : disagree(catalog, end, from, snapshot);
    return stopped === undefined ? chain : { ...chain, stopped };
  };
  return (point) => walkChain(facts, point, (snapshot) => walk(snapshot, point)).stopped === undefined;
}

/** The snapshots of Litestream's of which it depends on their moment whether points of their own index can be restored. */
export function momentsWanted(facts: GenerationFacts): readonly SnapshotPoint[] {
  const { catalog } = facts;
  const snapshots = wholeSnapshots(catalog);
  return snapshots.filter((snapshot, slot) => {
    if (!snapshot.isPeers || walOf(catalog, snapshot.name) === undefined) return false;
    if (snapshot.isShort) return true;
    const place = { index: snapshot.name, offset: asOffset(0) };
    return !snapshots.slice(0, slot).some((older) =>
      comparePlaces(older, place) < 0 && walkFrom(facts, older, place).stopped === undefined
    );
  });
}
