/** Objects that are whole and stand in the place of another: of another moment, index, generation, database or program. */
import { formatIndex } from "../../lib/position/position.ts";
import { type Damage, foreignFrame, keep, put, putInPlace } from "./damage.ts";
import type { GenerationView, IndexView, ReplicaView, SnapshotView } from "./replica_view.ts";

/** `stranger`: the replica of another database, by the same program in the same layout. */
export function exchangedObjects(view: ReplicaView, stranger: ReplicaView): Damage[] {
  const { generations } = view;
  const all: Damage[] = [
    ...generations.flatMap(({ snapshots }) => pairs(snapshots).map(([older, newer]) => oldSnapshot(older, newer))),
    ...generations.flatMap((one) => pairs(one.snapshots).map(([a, b]) => exchanged("two snapshots exchanged", a, b))),
    ...generations.flatMap((one) => pairs(one.indexes).map(([a, b]) => exchanged("two indexes exchanged", a, b))),
    ...generations.flatMap((one, slot) => [
      ...takenFrom("of another generation", one, generations[generations.length - 1 - slot], view.root),
      ...takenFrom("of another database", one, stranger.generations[slot], stranger.root),
    ]),
    ...(view.isOurs && view.layout === "litestream" ? foreignFrames(view) : []),
  ];
  // Litestream's objects say nothing of where they belong, and it keeps no checksum of a state.
  return view.isOurs ? all : all.map((damage) => ({ ...damage, unseen: "contents" }));
}

function pairs<T>(all: readonly T[]): (readonly [T, T])[] {
  return all.flatMap((one, slot) => all.slice(slot + 1).map((other) => [one, other] as const));
}

function oldSnapshot(older: SnapshotView, newer: SnapshotView): Damage {
  return {
    kind: "an older snapshot over a newer name",
    object: newer.objects[0] ?? "",
    detail: `that of index ${formatIndex(older.index)}`,
    apply: (root) => putInPlace(root, newer, newer.objects, keep(root, older.objects)),
  };
}

function exchanged(kind: string, one: IndexView | SnapshotView, other: IndexView | SnapshotView): Damage {
  return {
    kind,
    detail: `${formatIndex(one.index)} and ${formatIndex(other.index)} of ${one.generation}`,
    apply: (root) => {
      const [files, others] = [keep(root, one.objects), keep(root, other.objects)];
      putInPlace(root, one, one.objects, others);
      putInPlace(root, other, other.objects, files);
    },
  };
}

/** Each index, and each snapshot, by that of the same name. */
function takenFrom(whose: string, own: GenerationView, from: GenerationView | undefined, fromRoot: string): Damage[] {
  if (from === undefined || (from.generation === own.generation)) return [];
  const ofKind = (kind: string, ours: readonly (IndexView | SnapshotView)[], theirs: typeof ours): Damage[] =>
    ours.flatMap((one) => {
      const other = theirs.find(({ index }) => index === one.index);
      if (other === undefined) return [];
      return [{
        kind: `${kind} ${whose}`,
        object: one.objects[0] ?? "",
        detail: `from ${other.generation}`,
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
