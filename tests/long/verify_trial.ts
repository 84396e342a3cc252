/** One damaged replica, verified: whether the outcome is right, by what every point of the whole replica restores to. */
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { formatPosition } from "../../lib/position/position.ts";
import { gatherFacts } from "../../lib/restore/gather.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { Proofs } from "../../lib/verify/proofs.ts";
import type { ReplicaReport, ReportedPoint } from "../../lib/verify/report.ts";
import { type LadderOptions, verifyReplica } from "../../lib/verify/verify.ts";
import { restoreFrom, restoreTools } from "../support/restore_tools.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import type { Damage } from "./replica_damage.ts";

export interface Replica {
  readonly writer: "Tailrace" | "Litestream";
  readonly layout: Layout;
  readonly root: string;
}

/** What every point of a whole replica restores to. */
export interface Truth {
  readonly newest: string;
  readonly points: ReadonlyMap<string, { readonly point: ReportedPoint; readonly content: string }>;
}

export type Verdict =
  | "failed"
  | "inconclusive"
  /** Everything is still restored as it was. */
  | "harmless"
  /** What is left is exact, and ends earlier: only an age, or the source, can tell. */
  | "newest end lost"
  /** What is left is exact, and begins later or has less points in its last index: said as a suspicion. */
  | "suspected"
  /** Nothing in the replica tells of it, since its writer keeps no records. */
  | "cannot be seen"
  | "FALSE PASS"
  | "FALSE ALARM";

export interface Trial {
  readonly verdict: Verdict;
  readonly report: ReplicaReport;
  readonly says: string;
  /** Whether a finding names the object, or the index that its name is of. */
  readonly isNamed: boolean;
}

const FILES = unsyncedFiles();
const OPTIONS: LadderOptions = {
  level: "equal",
  isLevelExplicit: false,
  isSeedChosen: false,
  again: [],
  target: { kind: "latest" },
  sample: 0,
  seed: 1,
};

export function storeOf(root: string, layout: Layout): GenerationStore {
  return new ReplicaStore(new FileReplicaClient(FILES, root), { chooseLayout: () => layout });
}

/** `isResting`: nothing goes on meanwhile, and the second look need not wait. */
export async function verifyAt(
  root: string,
  layout: Layout,
  scratch: string,
  isResting = true,
): Promise<ReplicaReport> {
  const clock = new SystemClock();
  if (isResting) clock.sleep = () => Promise.resolve();
  const tools = { ...restoreTools({ clock, files: FILES }), folder: scratch, keep: false };
  const store = storeOf(root, layout);
  return await verifyReplica({ replica: { name: "file", store }, url: `file://${root}` }, OPTIONS, tools);
}

/** Of a copy, as every damaged replica is one: times of files lose their fractions of a millisecond. */
export async function truthOf(replica: Replica, folder: string): Promise<Truth> {
  const { layout } = replica;
  const [copy, scratch] = [`${folder}/whole`, `${folder}/scratch`];
  await Deno.remove(copy, { recursive: true }).catch(() => undefined);
  copyFolder(replica.root, copy);
  const store = storeOf(copy, layout);
  const proofs = new Proofs({ name: "file", store }, { ...restoreTools(), folder: scratch, keep: false });
  const points = new Map<string, { point: ReportedPoint; content: string }>();
  let newest = "";
  for (const point of await proofs.points(await gatherFacts(store, { kind: "latest" }))) {
    const content = await contentAt(store, point, scratch);
    if (content === undefined) continue; // Litestream's times leave in doubt whether a snapshot is of before.
    newest = formatPosition(point.position);
    points.set(newest, { point, content });
  }
  return { newest, points };
}

/** A digest of the database at that point; undefined when it cannot be restored. */
async function contentAt(store: GenerationStore, { position }: ReportedPoint, scratch: string) {
  const path = `${scratch}/point.db`;
  try {
    await restoreFrom(store, path, { kind: "position", position, generation: position.generation });
    const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(path));
    return new Uint8Array(digest).toHex();
  } catch {
    return undefined;
  } finally {
    await Deno.remove(path).catch(() => undefined);
  }
}

export async function tryDamage(replica: Replica, truth: Truth, damage: Damage, folder: string): Promise<Trial> {
  const root = `${folder}/damaged`;
  const scratch = `${folder}/scratch`;
  for (const path of [root, scratch]) await Deno.remove(path, { recursive: true }).catch(() => undefined);
  Deno.mkdirSync(scratch);
  copyFolder(replica.root, root);
  await damage.apply(root, storeOf(root, replica.layout));
  const report = await verifyAt(root, replica.layout, scratch);
  const says = report.findings.map(({ problem }) => problem).join("; ");
  const verdict = report.outcome === "pass"
    ? await judgePass(replica, truth, report, damage, root, scratch)
    : damage.kind.startsWith("file times")
    ? "FALSE ALARM"
    : report.outcome === "fail"
    ? "failed"
    : "inconclusive";
  return { verdict, report, says, isNamed: damage.object !== undefined && isNamed(damage.object, says) };
}

async function judgePass(
  { layout, writer }: Replica,
  truth: Truth,
  report: ReplicaReport,
  damage: Damage,
  root: string,
  scratch: string,
): Promise<Verdict> {
  if (report.newest === undefined) return "FALSE PASS";
  const newest = formatPosition(report.newest.position);
  const store = storeOf(root, layout);
  // A snapshot of Litestream's is of no position; alone it is a state that the whole replica tells nothing of.
  if (writer === "Litestream" && /^all WAL/.test(damage.kind)) return "newest end lost";
  if (!truth.points.has(newest)) return "FALSE PASS";
  let lost = 0;
  for (const [position, { point, content }] of truth.points) {
    const found = await contentAt(store, point, scratch);
    if (found === undefined && position !== newest) lost++;
    else if (found !== content) return writer === "Litestream" && isUnseen(damage) ? "cannot be seen" : "FALSE PASS";
    if (position === newest) break;
  }
  if (lost > 0) return report.suspicions.length > 0 ? "suspected" : "FALSE PASS";
  return newest === truth.newest ? "harmless" : "newest end lost";
}

/** Litestream keeps no records: what stood at the end of an index is not missed when a later index is there. */
function isUnseen({ kind }: Damage): boolean {
  return kind === "deleted" || kind === "two objects swapped";
}

/** By its name, or by its folder and index where a message speaks of all objects of an index. */
function isNamed(object: string, says: string): boolean {
  if (says.includes(object)) return true;
  const index = /\/wal\/([0-9a-f]+)[_.]/.exec(object)?.[1];
  return index !== undefined && says.includes(`/wal/${index}_`);
}

export function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else {
      Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
      const { mtime } = Deno.statSync(`${from}/${name}`);
      if (mtime !== null) Deno.utimeSync(`${to}/${name}`, mtime, mtime);
    }
  }
}
