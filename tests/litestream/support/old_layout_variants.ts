/**
 * Replicas as Litestream wrote them before 0.3.5. The real 0.3.13 knows none of these names: it finds nothing, or restores
 * the snapshot alone without a word.
 *
 * | version      | snapshot             | WAL of an index                        | names                        |
 * | ------------ | -------------------- | -------------------------------------- | ---------------------------- |
 * | before 0.1   | raw                  | raw                                    | 16 digits                    |
 * | 0.1          | gzip                 | newest raw and growing, older gzip     | 16 digits                    |
 * | 0.2          | gzip                 | as 0.1, in folders of 65,536 indexes   | 16 digits                    |
 * | 0.3.0-0.3.4  | LZ4                  | newest raw and growing, older LZ4      | 8 digits                     |
 */
import {
  asGzip,
  asIs,
  asLz4,
  type Crafted,
  type Encode,
  GENERATION,
  hex,
  type PeerDoes,
  piecesOf,
  type ReplicaCraft,
  type Variant,
} from "./replica_craft.ts";
import { whole } from "./whole_replica.ts";
import type { Workshop } from "./workshop.ts";

type Old = Variant<Workshop>;

interface Layout {
  readonly snapshot: (index: number) => string;
  /** Of a whole index, without what tells its encoding. */
  readonly wal: (index: number) => string;
  /** For objects that do not grow any more. */
  readonly suffix: string;
  readonly encode: Encode;
}

const FOLDER_MASK = 0xffff;

const beforeOne: Layout = {
  snapshot: (index) => `${hex(index, 16)}.snapshot`,
  wal: (index) => `${hex(index, 16)}.wal`,
  suffix: "",
  encode: asIs,
};

const one: Layout = {
  ...beforeOne,
  snapshot: (index) => `${hex(index, 16)}.snapshot.gz`,
  suffix: ".gz",
  encode: asGzip,
};

const two: Layout = {
  ...one,
  wal: (index) => `${hex(index - (index & FOLDER_MASK), 16)}/${hex(index, 16)}.wal`,
};

const three: Layout = {
  snapshot: (index) => `${hex(index, 8)}.snapshot.lz4`,
  wal: (index) => `${hex(index, 8)}.wal`,
  suffix: ".lz4",
  encode: asLz4,
};

const FINDS_NOTHING: PeerDoes = { kind: "fails", code: 1, says: /no matching backups found/ };

/** All of the plain history: the newest index raw, the older ones encoded. */
function written(shop: Workshop, layout: Layout, first = 0): ReplicaCraft {
  const { snapshot, encode } = layout;
  const craft = shop.craft().snapshot(first, shop.plain.life(0).base, { name: snapshot(first), encode });
  for (const index of [0, 1, 2]) {
    index === 2 ? active(shop, craft, layout, first) : closed(shop, craft, layout, index, first);
  }
  return craft;
}

function closed(shop: Workshop, craft: ReplicaCraft, { wal, suffix, encode }: Layout, index: number, first = 0): void {
  const [piece] = piecesOf(shop.plain, index, []);
  if (piece !== undefined) craft.segment(piece, { name: `${wal(first + index)}${suffix}`, encode });
}

function active(shop: Workshop, craft: ReplicaCraft, { wal }: Layout, first = 0, tail = new Uint8Array()): void {
  const bytes = new Uint8Array([...shop.plain.life(2).wal, ...tail]);
  craft.segment({ index: 2, offset: 0, bytes }, { name: wal(first + 2), encode: asIs });
}

function plainly(name: string, layout: Layout, peer: (shop: Workshop) => PeerDoes, first = 0): Old {
  return {
    name,
    make: (shop) => {
      written(shop, layout, first);
      return known(shop, peer(shop), first);
    },
  };
}

function known(shop: Workshop, peer: PeerDoes, shift = 0): Crafted {
  return { ...whole(shop), points: shop.indexEnds(0, 2, shift), peer };
}

const snapshotAlone = (shop: Workshop): PeerDoes => ({ kind: "restores", expected: shop.at(0, 0) });
const findsNothing = () => FINDS_NOTHING;

/** Frames of a transaction that is still open, and half a frame: the newest file was copied as it grew. */
function tornTail(name: string, layout: Layout, peer: (shop: Workshop) => PeerDoes): Old {
  return {
    name,
    make: (shop) => {
      const { snapshot, encode } = layout;
      const craft = shop.craft().snapshot(0, shop.plain.life(0).base, { name: snapshot(0), encode });
      closed(shop, craft, layout, 0);
      closed(shop, craft, layout, 1);
      const end = shop.plain.commit(2, -2);
      const { wal } = shop.plain.life(2);
      const frame = shop.plain.frames(2, 1) - shop.plain.frames(2, 0);
      const bytes = wal.subarray(0, end + frame + Math.floor(frame / 2));
      if (end + frame >= wal.length) throw new Error("The last transaction has one frame only");
      craft.segment({ index: 2, offset: 0, bytes }, { name: layout.wal(2), encode: asIs });
      return { ...known(shop, peer(shop)), latest: shop.at(2, end), points: shop.indexEnds(0, 1) };
    },
  };
}

/** From the days before the first release. Version 0.1 still restores it. */
const everythingRaw: Old = {
  name: "before v0.1: everything raw",
  make: (shop) => {
    written(shop, beforeOne);
    return { ...known(shop, FINDS_NOTHING), mayRefuse: true };
  },
};

const bothForms: Old = {
  name: "v0.1: an index raw and compressed, the raw one is longer",
  make: (shop) => {
    const craft = written(shop, one);
    const part = shop.plain.life(2).wal.subarray(0, shop.plain.commit(2, 1));
    craft.segment({ index: 2, offset: 0, bytes: part }, { name: `${one.wal(2)}.gz`, encode: asGzip });
    return known(shop, FINDS_NOTHING);
  },
};

/** Versions 0.1 and 0.2 take these names for their own, but none of them has written or restored them in a folder. */
const gzipSegments: Old = {
  name: "v0.1: segments of an index, gzip",
  make: (shop) => {
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base, { name: one.snapshot(0), encode: asGzip });
    for (const index of [0, 1, 2]) {
      for (const piece of piecesOf(shop.plain, index)) {
        craft.segment(piece, { name: `${hex(index, 16)}_${hex(piece.offset, 16)}.wal.gz`, encode: asGzip });
      }
    }
    return { ...known(shop, FINDS_NOTHING), mayRefuse: true };
  },
};

const taggedSnapshot: Old = {
  name: "v0.1: a snapshot with a tag in its name",
  make: (shop) => {
    const craft = shop.craft();
    craft.snapshot(0, shop.plain.life(0).base, { name: `${hex(0, 16)}-daily.snapshot.gz`, encode: asGzip });
    closed(shop, craft, one, 0);
    closed(shop, craft, one, 1);
    active(shop, craft, one);
    return known(shop, FINDS_NOTHING);
  },
};

function indexMissing(name: string, layout: Layout, peer: (shop: Workshop) => PeerDoes): Old {
  return {
    name,
    make: (shop) => {
      const craft = written(shop, layout);
      Deno.removeSync(craft.path(`wal/${layout.wal(1)}${layout.suffix}`));
      const [point] = shop.indexEnds(0, 0);
      if (point === undefined) throw new Error("The history is empty");
      const points = [{ ...point, mayRefuse: true }];
      return { replica: shop.replica, generation: GENERATION, points, peer: peer(shop) };
    },
  };
}

function cutObject(name: string, layout: Layout, peer: (shop: Workshop) => PeerDoes): Old {
  return {
    name,
    make: (shop) => {
      const craft = written(shop, layout);
      const object = `wal/${layout.wal(1)}${layout.suffix}`;
      const stored = Deno.readFileSync(craft.path(object));
      craft.file(object, stored.subarray(0, Math.floor(stored.length / 2)));
      const [point] = shop.indexEnds(0, 0);
      if (point === undefined) throw new Error("The history is empty");
      const points = [{ ...point, mayRefuse: true }];
      return { replica: shop.replica, generation: GENERATION, points, peer: peer(shop) };
    },
  };
}

/** A generation that 0.3.4 began and 0.3.5 went on with. */
const upgraded: Old = {
  name: "v0.3.0: whole indexes, then segments of a later version",
  make: (shop) => {
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base);
    closed(shop, craft, three, 0);
    for (const index of [1, 2]) craft.segments(piecesOf(shop.plain, index));
    const peer: PeerDoes = { kind: "fails", code: 1, says: /missing WAL index: [0-9a-f]{16}\/00000000/ };
    return { ...known(shop, peer), mayRefuse: true };
  },
};

const olderGeneration: Old = {
  name: "v0.1: an old generation beside a newer one of v0.3.5",
  make: (shop) => {
    const old = shop.craft("00000000000000aa");
    old.snapshot(0, shop.plain.life(0).base, { name: one.snapshot(0), encode: asGzip });
    closed(shop, old, one, 0);
    const craft = shop.craft(GENERATION, old.lastAt.getTime() + 3_600_000).snapshot(0, shop.plain.life(0).base);
    for (const index of [0, 1, 2]) craft.segments(piecesOf(shop.plain, index));
    return whole(shop);
  },
};

export const OLD_LAYOUT_VARIANTS: readonly Old[] = [
  everythingRaw,
  plainly("v0.1: gzip, the newest index raw", one, findsNothing),
  tornTail("v0.1: the newest index ends inside a transaction and a frame", one, findsNothing),
  bothForms,
  gzipSegments,
  taggedSnapshot,
  indexMissing("v0.1: a whole index is missing", one, findsNothing),
  cutObject("v0.1: a gzip object cut in the middle", one, findsNothing),
  olderGeneration,
  plainly("v0.2: grouped in folders", two, findsNothing),
  plainly("v0.2: grouped in folders, from one to the next", two, findsNothing, FOLDER_MASK),
  indexMissing("v0.2: a whole index is missing", two, findsNothing),
  plainly("v0.3.0: LZ4, the newest index raw", three, snapshotAlone),
  tornTail("v0.3.0: the newest index ends inside a transaction and a frame", three, snapshotAlone),
  indexMissing("v0.3.0: a whole index is missing", three, snapshotAlone),
  cutObject("v0.3.0: an LZ4 object cut in the middle", three, snapshotAlone),
  upgraded,
];
