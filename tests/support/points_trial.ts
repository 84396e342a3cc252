/** Replicas of one random history, as each writer and layout keeps it, whole and harmed, for `points_agreement.ts`. */
import { equalBytes } from "../../lib/base/bytes.ts";
import { asIndex, asOffset, formatPosition, type Position } from "../../lib/position/position.ts";
import { asGeneration } from "./catalog_builder.ts";
import { type PeerForm, PeerReplica } from "./peer_replica.ts";
import { anyStore, atPosition, expectAgreement, restored, verified } from "./points_agreement.ts";
import { randomInteger, seededRandom } from "./random.ts";
import { RecordedDatabase } from "./recorded_database.ts";
import { copyFolder } from "./copied_folder.ts";
import { objectsBelow } from "../long/replica_view.ts";

export const KINDS = ["raw", "litestream", "peer segments", "peer 0.3.0", "peer 0.2", "peer 0.1", "peer raw"] as const;
export type ReplicaKind = (typeof KINDS)[number];

export interface TrialOptions {
  readonly kind: ReplicaKind;
  readonly seed: number;
  /** So many copies are harmed, each in another way. */
  readonly harms: number;
  /** Of a harmed copy so many points are restored. */
  readonly restores: number;
}

const PEER_GENERATION = asGeneration("00000000000000bb");
const SEGMENT_MS = 1_000;

interface History {
  readonly root: string;
  /** Where transactions end, and what the database was there; a snapshot's place alone is of some other moment. */
  readonly states: ReadonlyMap<string, { readonly position: Position; readonly image: () => Uint8Array }>;
  readonly places: readonly Position[];
  /** What the first snapshot leads to, with all WAL behind it. */
  readonly promised: readonly Position[];
}

/** Throws with kind and seed for the first disagreement; returns how much was compared. */
export async function tryPoints(options: TrialOptions, folder: string): Promise<number> {
  const { kind, seed, harms, restores } = options;
  const history = await historyOf(options, folder);
  const random = seededRandom(seed * 31 + 7);
  let compared = 0;
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      throw new Error(`${kind}, seed ${seed}, ${what}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  };
  const scratch = `${folder}/scratch`;
  Deno.mkdirSync(scratch, { recursive: true });
  await attempt("unharmed", async () => {
    const store = anyStore(history.root);
    const listed = await expectAgreement(store, history.places, false);
    const names = new Set(listed.map(({ position }) => formatPosition(position)));
    for (const name of history.promised.map(formatPosition)) {
      if (!names.has(name)) throw new Error(`${name} is not listed, though all that it needs is there`);
    }
    for (const { position } of listed) {
      const name = formatPosition(position);
      const found = await restored(store, `${folder}/point.db`, atPosition(position));
      if (found === undefined) throw new Error(`${name} is listed, and its restore is refused`);
      const state = history.states.get(name);
      if (state !== undefined && !equalBytes(found, state.image())) {
        throw new Error(`${name} is another database`);
      }
      compared++;
    }
    const { outcome, says, proofs } = await verified(store, scratch, listed.length, seed);
    if (outcome !== "pass") throw new Error(`verify says ${outcome}: ${says}`);
    if (proofs.length < listed.length) throw new Error(`${proofs.length} of ${listed.length} points were verified`);
  });
  const objects = objectsBelow(history.root);
  for (let round = 0; round < harms; round++) {
    const root = `${folder}/harmed-${round}`;
    copyFolder(history.root, root);
    const { what, mayMislead } = harm(root, objects, random);
    await attempt(what, async () => {
      const store = anyStore(root);
      const listed = await expectAgreement(store, history.places, true);
      let isLost = false;
      for (let count = 0; count < restores && listed.length > 0; count++) {
        const { position } = listed[randomInteger(random, listed.length)] ?? { position: undefined };
        if (position === undefined) break;
        const name = formatPosition(position);
        const found = await restored(store, `${folder}/point.db`, atPosition(position));
        isLost ||= found === undefined;
        const state = history.states.get(name);
        const isExact = found === undefined || state === undefined || equalBytes(found, state.image());
        if (!isExact && !mayMislead && !kind.startsWith("peer")) {
          throw new Error(`${name} is restored as another database`);
        }
        compared++;
      }
      const { outcome, says } = await verified(store, scratch, 2, seed);
      if (isLost && outcome === "pass") throw new Error("a listed point cannot be restored, and verify passes");
      if (outcome === "fail" && says === "") throw new Error("verify fails and says nothing");
    });
    Deno.removeSync(root, { recursive: true });
  }
  return compared;
}

async function historyOf({ kind, seed }: TrialOptions, folder: string): Promise<History> {
  const layout = kind === "litestream" ? "litestream" : "raw";
  const options = { seed, pageSize: 1024, actions: 14, restarts: 25, snapshots: 15, layout } as const;
  const recorded = await RecordedDatabase.make(folder, options);
  const images = new Map<string, Uint8Array>();
  const imageAt = (index: number, offset: number) => {
    const key = `${index}:${offset}`;
    const image = images.get(key) ?? recorded.imageAt({ index, offset });
    images.set(key, image);
    return image;
  };
  const isPeer = kind.startsWith("peer");
  const generation = isPeer ? PEER_GENERATION : recorded.replica.generation;
  const states = recorded.points.map(({ index, offset }) => ({
    position: { generation, index: asIndex(index), offset: asOffset(offset) },
    image: () => imageAt(index, offset),
  }));
  const root = isPeer ? `${folder}/peer` : recorded.replica.root;
  const promised = isPeer
    ? await writeAsPeer(recorded, new PeerReplica(root, kind.slice(5) as PeerForm), imageAt, seed)
    : states.map(({ position }) => position);
  const frame = 1_024 + 24;
  const places = [
    ...states.map(({ position }) => position),
    ...new Set(recorded.points.map(({ index }) => index)),
  ].flatMap((place) =>
    typeof place !== "number"
      ? [place, { ...place, offset: asOffset(place.offset - frame) }]
      : [{ generation, index: asIndex(place), offset: asOffset(0) }]
  );
  return { root, places, promised, states: new Map(states.map((state) => [formatPosition(state.position), state])) };
}

/**
 * Segments of some commits each, and snapshots of some moment of their index, stored at some time while it grew. Returns the
 * ends of segments behind the first snapshot's index, and the end of that.
 */
async function writeAsPeer(
  { replica: source, points }: RecordedDatabase,
  replica: PeerReplica,
  imageAt: (index: number, offset: number) => Uint8Array,
  seed: number,
): Promise<Position[]> {
  const promised: Position[] = [];
  const random = seededRandom(seed * 17 + 3);
  const byIndex = Map.groupBy(points, ({ index }) => index);
  const lastIndex = Math.max(...byIndex.keys());
  let atMs = 1_700_000_000_000;
  for (const [index, own] of byIndex) {
    const ends = own.map(({ offset }) => offset);
    const whole = new Uint8Array(ends.at(-1) ?? 0);
    await source.store.readWal(source.generation, asIndex(index), 0, whole);
    const cuts = replica.form === "segments"
      ? ends.filter((end) => end === ends.at(-1) || random() < 0.7)
      : ends.slice(-1);
    for (const end of index === 0 ? cuts.slice(-1) : cuts) {
      promised.push({ generation: PEER_GENERATION, index: asIndex(index), offset: asOffset(end) });
    }
    const takesSnapshot = index === 0 || random() < 0.5;
    const slotOfSnapshot = index === 0 && random() < 0.5 ? 0 : randomInteger(random, cuts.length + 1);
    // All WAL up to its moment is stored, before it or after it.
    const moments = [0, ...ends];
    const moment = moments[randomInteger(random, moments.length)] ?? 0;
    for (let slot = 0; slot <= cuts.length; slot++, atMs += SEGMENT_MS) {
      if (takesSnapshot && slot === slotOfSnapshot) await replica.snapshot(index, imageAt(index, moment), atMs - 300);
      const end = cuts[slot];
      if (end === undefined) continue;
      const start = cuts[slot - 1] ?? 0;
      await replica.wal(index, start, whole.subarray(start, end), atMs, index === lastIndex);
    }
  }
  return promised;
}

interface Harm {
  readonly what: string;
  /** Nothing but a checksum of the whole database, which this history has none of, can tell. */
  readonly mayMislead: boolean;
}

function harm(root: string, objects: readonly string[], random: () => number): Harm {
  const object = objects[randomInteger(random, objects.length)] ?? "";
  const other = objects[randomInteger(random, objects.length)] ?? "";
  const path = `${root}/${object}`;
  const { mtime } = Deno.statSync(path);
  const bytes = Deno.readFileSync(path);
  const at = randomInteger(random, bytes.length + 1);
  const mayMislead = object.endsWith(".snapshot");
  const put = (changed: Uint8Array) => {
    Deno.writeFileSync(path, changed);
    if (mtime !== null) Deno.utimeSync(path, mtime, mtime);
  };
  switch (randomInteger(random, 6)) {
    case 0:
      Deno.removeSync(path);
      return { what: `without ${object}`, mayMislead };
    case 1:
      put(bytes.subarray(0, at));
      return { what: `${object} cut at ${at}`, mayMislead };
    case 2:
      put(bytes.map((byte, slot) => slot === at ? byte ^ (1 << randomInteger(random, 8)) : byte));
      return { what: `${object} flipped at ${at}`, mayMislead };
    case 3:
      put(bytes.map((byte, slot) => slot >= at ? byte ^ 0xff : byte));
      return { what: `${object} garbage from ${at}`, mayMislead };
    case 4:
      put(Deno.readFileSync(`${root}/${other}`));
      return { what: `${object} is ${other}`, mayMislead: mayMislead || folderOf(object) === folderOf(other) };
    default:
      put(Uint8Array.from([...bytes, ...new Uint8Array(1_500)]));
      return { what: `${object} with zeros behind it`, mayMislead };
  }
}

function folderOf(object: string): string {
  return object.slice(0, object.lastIndexOf("/"));
}
