/** One damaged replica, verified: whether the outcome is right, by what every point of the whole replica restores to. */
import { type AgeEncryption, createEncryption } from "../../lib/age/encryption.ts";
import { Secret } from "../../lib/base/secret.ts";
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
import { copyFolder } from "../support/copied_folder.ts";
import { randomInteger } from "../support/random.ts";
import { restoreFrom, restoreTools } from "../support/restore_tools.ts";
import { NEWEST_UP_TO_EQUAL } from "../support/ladder_options.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import type { Damage } from "./damage.ts";
import { type Judged, judgePass } from "./pass_judge.ts";

/** Where a replica is, and what it takes to read it. */
export interface ReplicaPlace {
  readonly root: string;
  readonly layout: Layout;
  /** Of one that is encrypted. */
  readonly keys?: { readonly identity: string; readonly recipient: string };
}

export interface Replica extends ReplicaPlace {
  readonly writer: "Tailrace" | "Litestream";
  /** The replica of another database, by the same program in the same layout. */
  readonly stranger: string;
}

export interface TruePoint {
  readonly point: ReportedPoint;
  /** Absent where it cannot be restored: Litestream's times leave in doubt whether a snapshot is of before. */
  readonly content: string | undefined;
}

/** What every point of a whole replica restores to. */
export interface Truth {
  /** In the order of their generations. */
  readonly points: ReadonlyMap<string, TruePoint>;
  readonly whole: ReplicaReport;
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
  /** Nothing that is left in the replica tells of it. */
  | "cannot be seen"
  | "FALSE PASS"
  | "FALSE ALARM"
  /** A restore of what verification refuses gives another content than was there, where there are checksums. */
  | "FALSE RESTORE"
  /** Not an answer, whatever the replica is like. */
  | "FAULT";

export interface Trial {
  readonly verdict: Verdict;
  readonly says: string;
  /** Whether a finding names the object, or the index that its name is of. */
  readonly isNamed: boolean;
}

/** A restore of each would take far longer than all else; and of damages of one object there are thousands. */
const POINTS_OF_REFUSED = 3;
const POINTS_OF_ONE_OBJECT = 1;

const FILES = unsyncedFiles();
const OPTIONS: LadderOptions = { ...NEWEST_UP_TO_EQUAL, seed: 1 };

export function storeOf({ root, layout, keys }: ReplicaPlace): GenerationStore {
  const encryption = keys && encryptionOf(keys);
  return new ReplicaStore(new FileReplicaClient(FILES, root), { chooseLayout: () => layout, encryption });
}

export function encryptionOf({ identity, recipient }: NonNullable<ReplicaPlace["keys"]>): AgeEncryption {
  return createEncryption({ identities: [new Secret(identity)], recipients: [recipient] });
}

/** `isResting`: nothing goes on meanwhile, and the second look need not wait. */
export async function verifyAt(place: ReplicaPlace, scratch: string, isResting = true): Promise<ReplicaReport> {
  const clock = new SystemClock();
  if (isResting) clock.sleep = () => Promise.resolve();
  const tools = { ...restoreTools({ clock, files: FILES }), folder: scratch, keep: false };
  const replica = { name: "file", store: storeOf(place) };
  return await verifyReplica({ replica, url: `file://${place.root}` }, OPTIONS, tools);
}

/** Of a copy, as every damaged replica is one: times of files lose their fractions of a millisecond. */
export async function truthOf(replica: Replica, folder: string): Promise<Truth> {
  const [root, scratch] = [`${folder}/whole`, `${folder}/scratch`];
  await Deno.remove(root, { recursive: true }).catch(() => undefined);
  copyFolder(replica.root, root);
  const copy = { ...replica, root };
  const points = new Map<string, TruePoint>();
  for (const point of await listedPoints(copy, scratch)) {
    points.set(formatPosition(point.position), { point, content: await contentAt(copy, point, scratch) });
  }
  return { points, whole: await verifyAt(copy, scratch) };
}

export async function listedPoints(place: ReplicaPlace, scratch: string): Promise<readonly ReportedPoint[]> {
  const store = storeOf(place);
  const proofs = new Proofs({ name: "file", store }, { ...restoreTools(), folder: scratch, keep: false });
  return await proofs.points(await gatherFacts(store, { kind: "latest" }));
}

/** A digest of the database at that point; undefined when it cannot be restored. */
export async function contentAt(place: ReplicaPlace, { position }: ReportedPoint, scratch: string) {
  const path = `${scratch}/point.db`;
  try {
    await restoreFrom(storeOf(place), path, { kind: "position", position, generation: position.generation });
    const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(path));
    return new Uint8Array(digest).toHex();
  } catch {
    return undefined;
  } finally {
    await Deno.remove(path).catch(() => undefined);
  }
}

/** `random`: which points are tried of what verification refuses. */
export async function tryDamage(
  replica: Replica,
  truth: Truth,
  damage: Damage,
  folder: string,
  random: () => number,
): Promise<Trial> {
  const [root, scratch] = [`${folder}/damaged`, `${folder}/scratch`];
  for (const path of [root, scratch]) await Deno.remove(path, { recursive: true }).catch(() => undefined);
  Deno.mkdirSync(scratch);
  copyFolder(replica.root, root);
  const place = { ...replica, root };
  await damage.apply(root, storeOf(place));
  try {
    const report = await verifyAt(place, scratch);
    const says = report.findings.map(({ problem }) => problem).join("; ");
    const isNamed = damage.object !== undefined && isNamedIn(damage.object, says);
    const judged = report.outcome === "pass"
      ? await judgePass(place, truth, report, damage, scratch)
      : await judgeRefusal(place, truth, report, damage, scratch, random);
    return { ...judged, says: judged.says === "" ? says : judged.says, isNamed };
  } catch (error) {
    return { verdict: "FAULT", says: String(error), isNamed: false };
  }
}

/** What is refused as a whole may still be restored in part: where there are checksums, never to another content. */
async function judgeRefusal(
  place: Replica,
  { points }: Truth,
  { outcome }: ReplicaReport,
  { isValid, object }: Damage,
  scratch: string,
  random: () => number,
): Promise<Judged> {
  if (isValid === true) return { verdict: "FALSE ALARM", says: "" };
  const all = place.writer === "Tailrace" ? [...points] : [];
  const wanted = object === undefined ? POINTS_OF_REFUSED : POINTS_OF_ONE_OBJECT;
  while (all.length > wanted) all.splice(randomInteger(random, all.length), 1);
  for (const [position, { point, content }] of all) {
    const found = await contentAt(place, point, scratch);
    if (found !== undefined && found !== content) {
      return { verdict: "FALSE RESTORE", says: `${position} restores to other content` };
    }
  }
  return { verdict: outcome === "fail" ? "failed" : "inconclusive", says: "" };
}

/** By its name, or by its folder and index where a message speaks of all objects of an index. */
function isNamedIn(object: string, says: string): boolean {
  if (says.includes(object)) return true;
  const index = /\/wal\/([0-9a-f]+)[_.]/.exec(object)?.[1];
  return index !== undefined && says.includes(`/wal/${index}_`);
}
