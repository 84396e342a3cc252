/** Whether a replica that was damaged passes rightly: everything that it lists restores to what was there. */
import { formatPosition } from "../../lib/position/position.ts";
import type { ReplicaReport, ReportedPoint } from "../../lib/verify/report.ts";
import type { Damage } from "./damage.ts";
import { contentAt, listedPoints, type Replica, type Truth, type Verdict } from "./verify_trial.ts";

export interface Judged {
  readonly verdict: Verdict;
  readonly says: string;
}

export async function judgePass(
  place: Replica,
  truth: Truth,
  report: ReplicaReport,
  { kind, unseen }: Damage,
  scratch: string,
): Promise<Judged> {
  // A snapshot of Litestream's is of no position; alone it is a state that the whole replica tells nothing of.
  if (place.writer === "Litestream" && /^all WAL/.test(kind)) return { verdict: "newest end lost", says: "" };
  const falsePass = (says: string, isLossAlone = false): Judged => {
    const isUnseen = unseen === "contents" || (unseen === "losses" && isLossAlone);
    return { verdict: isUnseen ? "cannot be seen" : "FALSE PASS", says };
  };
  const newest = report.newest && formatPosition(report.newest.position);
  if (report.newest === undefined || newest === undefined) return falsePass("it has no newest state");
  const suspicions = report.suspicions.join("; ");
  const isSuspected = suspicions !== "";
  const isLess = report.reached !== truth.whole.reached && !isSuspected;
  if (isLess) return falsePass(`it is proven up to ${report.reached} only`);
  const listed = [...await listedPoints(place, scratch), report.newest];
  const known = new Set([...truth.points.values()].map(({ content }) => content));
  for (const point of listed) {
    const position = formatPosition(point.position);
    if (truth.points.has(position)) continue;
    const content = await contentAt(place, point, scratch);
    if (content === undefined) return falsePass(`${position} is listed, and cannot be restored`);
    if (!known.has(content)) return falsePass(`${position} is listed, and restores to what never was`);
  }
  const places = new Set(listed.map(({ position }) => formatPosition(position)));
  const lost = new Set<string>();
  for (const [position, { point, content }] of truth.points) {
    if (content === undefined) continue;
    const found = await contentAt(place, point, scratch);
    if (found === content) continue;
    if (found !== undefined) return falsePass(`${position} restores to other content`);
    if (position === newest) return falsePass(`${position} is its newest state, and cannot be restored`);
    if (places.has(position)) return falsePass(`${position} is listed, and cannot be restored`);
    lost.add(position);
  }
  const misdated = place.writer === "Tailrace" ? listed.find((point) => isMisdated(point, truth)) : undefined;
  if (misdated !== undefined && !isSuspected) return falsePass(`${formatPosition(misdated.position)} has another time`);
  if (lost.size > 0 && !isSuspected && !areAtTheEnd(lost, truth)) return falsePass(`${[...lost][0]} is lost`, true);
  const isHarmless = lost.size === 0 && misdated === undefined;
  return { verdict: isHarmless ? "harmless" : isSuspected ? "suspected" : "newest end lost", says: suspicions };
}

function isMisdated({ position, capturedAtMs }: ReportedPoint, { points }: Truth): boolean {
  const known = points.get(formatPosition(position));
  return known !== undefined && known.point.capturedAtMs !== capturedAtMs;
}

/** Behind each of them nothing of its generation is left. */
function areAtTheEnd(lost: ReadonlySet<string>, { points }: Truth): boolean {
  const generations = Map.groupBy(points, ([, { point }]) => point.position.generation);
  return [...generations.values()].every((own) => {
    const firstLost = own.findIndex(([position]) => lost.has(position));
    return firstLost < 0 ||
      own.slice(firstLost).every(([position, { content }]) => lost.has(position) || content === undefined);
  });
}
