/** The checksum that was kept of a point, by whichever record speaks of that state. PURE. */
import { asIndex, asOffset } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { comparePlaces, type GenerationFacts, type Place, type Point, walOf, wholeSnapshots } from "./history.ts";

/**
 * What was captured before every page was looked at has none itself. Another record of the same state may have: that of a
 * snapshot, the closing one of its index, and where one index ends and the next begins those of either side.
 */
export function withKeptChecksum(end: Point, facts: GenerationFacts): Point {
  if (end.checksum !== undefined) return end;
  for (const place of samePlaces(end, facts)) {
    const kept = recordsAt(place, facts).find(({ checksum }) => checksum !== undefined);
    if (kept?.checksum === undefined) continue;
    const { checksum, confirmedAt } = kept;
    return { ...end, checksum, ...(confirmedAt === undefined ? {} : { confirmedAt }) };
  }
  return end;
}

/** Behind a resync the next index begins with what may be older. */
function samePlaces({ index, offset }: Point, { catalog }: GenerationFacts): Place[] {
  const endOf = (slot: number) => {
    const last = walOf(catalog, asIndex(slot))?.lastRecord;
    return last?.indexClosed === true && last.kind !== "resync" ? last.end : undefined;
  };
  const here = { index, offset };
  const before = offset === 0 ? endOf(index - 1) : undefined;
  if (before !== undefined) return [here, { index: asIndex(index - 1), offset: before }];
  return endOf(index) === offset ? [here, { index: asIndex(index + 1), offset: asOffset(0) }] : [here];
}

function recordsAt(place: Place, { catalog, records }: GenerationFacts) {
  const last = walOf(catalog, place.index)?.lastRecord;
  const own: Iterable<CommitRecord> = records?.index === place.index ? records.records : [];
  const inWal: CommitRecord[] = [];
  for (const record of own) if (record.end === place.offset) inWal.push(record);
  if (last?.end === place.offset) inWal.push(last);
  const snapshots = wholeSnapshots(catalog).filter((one) => !one.isPeers && comparePlaces(one, place) === 0);
  return [...inWal, ...snapshots];
}
