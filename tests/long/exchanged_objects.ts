/** Objects that are whole and stand in the place of another: of another moment, index, generation, database or program. */
import { formatIndex } from "../../lib/position/position.ts";
import { type Damage, foreignFrame, keep, put, putInPlace } from "./damage.ts";
import type { GenerationView, IndexView, ReplicaView, SnapshotView } from "./replica_view.ts";

/** `stranger`: the replica of another database, by the same program in the same layout. */
export function exchangedObjects(view: ReplicaView, stranger: ReplicaView): Damage[] {
  const { generations } = view;
  return [
    ...generations.flatMap(({ snapshots }) =>
      pairs(snapshots).map(([older, newer]) => oldSnapshot(view, older, newer))
    ),
    ...generations.flatMap((one) =>
      pairs(one.snapshots).map(([a, b]) => {
        const isSeen = view.isOurs || isOfOther(view, b, a) || (isWithin(view, a) && isOfOther(view, a, b));
        return exchanged("two snapshots exchanged", a, b, isSeen);
      })
    ),
    ...generations.flatMap((one) => pairs(one.indexes).map(([a, b]) => exchanged("two indexes exchanged", a, b))),
    ...generations.flatMap((one, slot) => [
      ...takenFrom(view, "of another generation", one, generations[generations.length - 1 - slot], view.root),
      ...takenFrom(view, "of another database", one, stranger.generations[slot], stranger.root),
    ]),
    ...(view.isOurs && view.layout === "litestream" ? foreignFrames(view) : []),
  ];
}

/** Litestream's objects do not say where they belong: what they hold must tell, and of its snapshots nobody knows the moment. */
const UNSEEN = { unseen: "contents" } as const;

/** An image may be of the end of its index, which is the beginning of the next one; of the newest index more may come. */
function isOfOther({ generations }: ReplicaView, one: SnapshotView, { index }: SnapshotView): boolean {
  const last = generations.find(({ generation }) => generation === one.generation)?.indexes.at(-1)?.index ?? 0;
  return Math.abs(one.index - index) > 1 && one.index < last;
}

/** Nothing before the first snapshot tells what it was, and what is on both sides of an index tells of its WAL. */
function isWithin({ generations }: ReplicaView, { generation, index }: IndexView | SnapshotView): boolean {
  const own = generations.find((one) => one.generation === generation);
  const first = Math.max(own?.indexes[0]?.index ?? 0, own?.snapshots[0]?.index ?? 0);
  return index > first && index < (own?.indexes.at(-1)?.index ?? 0);
}

/** Those near to each other, and of the others the first and the last. */
function pairs<T>(all: readonly T[]): (readonly [T, T])[] {
  return all.flatMap((one, slot) =>
    all.slice(slot + 1).filter((other, distance) => distance < 2 || (slot === 0 && other === all.at(-1)))
      .map((other) => [one, other] as const)
  );
}

function oldSnapshot(view: ReplicaView, older: SnapshotView, newer: SnapshotView): Damage {
  return {
    kind: "an older snapshot over a newer name",
    object: newer.objects[0] ?? "",
    detail: `that of index ${formatIndex(older.index)}`,
    ...(view.isOurs || isOfOther(view, newer, older) ? {} : UNSEEN),
    apply: (root) => putInPlace(root, newer, newer.objects, keep(root, older.objects)),
  };
}

function exchanged<T extends IndexView | SnapshotView>(kind: string, one: T, other: T, isSeen = true): Damage {
  return {
    kind,
    detail: `${formatIndex(one.index)} and ${formatIndex(other.index)} of ${one.generation}`,
    ...(isSeen ? {} : UNSEEN),
    apply: (root) => {
      const [files, others] = [keep(root, one.objects), keep(root, other.objects)];
      putInPlace(root, one, one.objects, others);
      putInPlace(root, other, other.objects, files);
    },
  };
}

/** Each index, and each snapshot, by that of the same name. */
function takenFrom(
  view: ReplicaView,
  whose: string,
  own: GenerationView,
  from: GenerationView | undefined,
  fromRoot: string,
): Damage[] {
  if (from === undefined || (from.generation === own.generation)) return [];
  const ofKind = (kind: string, ours: readonly (IndexView | SnapshotView)[], theirs: typeof ours): Damage[] =>
    ours.flatMap((one) => {
      const other = theirs.find(({ index }) => index === one.index);
      if (other === undefined) return [];
      return [{
        kind: `${kind} ${whose}`,
        object: one.objects[0] ?? "",
        detail: `from ${other.generation}`,
        ...(view.isOurs || isWithin(view, one) ? {} : UNSEEN),
        apply: (root) => putInPlace(root, one, one.objects, keep(fromRoot, other.objects)),
      }];
    });
  return [
    ...ofKind("an index", own.indexes, from.indexes),
    ...ofKind("a snapshot", own.snapshots, from.snapshots),
  ];
}

/** What Litestream would have written there: the same content without a tail, or another content of that length. */
function foreignFrames({ generations, seal }: ReplicaView): Damage[] {
  const one = (kind: string, object: string, content: Uint8Array): Damage => ({
    kind,
    object,
    detail: "",
    apply: async (root) => {
      const [file] = keep(root, [object]);
      if (file !== undefined) put(root, { ...file, bytes: await seal(await foreignFrame(content)) });
    },
  });
  return generations.flatMap(({ indexes, snapshots }) => [
    ...indexes.flatMap(({ segments }, slot) =>
      segments.flatMap(({ object, offset, content }) => {
        const others = indexes[(slot + 1) % indexes.length]?.wal.slice(offset, offset + content.length) ?? content;
        return [one("a segment without its tail", object, content), one("a foreign segment", object, others)];
      })
    ),
    ...snapshots.flatMap(({ objects: [object = ""], image }, slot) => [
      one("a snapshot without its tail", object, image),
      one("a foreign snapshot", object, snapshots[(slot + 1) % snapshots.length]?.image ?? image),
    ]),
  ]);
}
