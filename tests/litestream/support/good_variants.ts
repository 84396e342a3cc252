/** Replicas that Litestream 0.3.5 to 0.3.14 writes, or at least reads rightly. */
import { allPieces, FIRST_OBJECT_MS, GENERATION, hex, piecesOf, type Variant } from "./replica_craft.ts";
import { resummed } from "./wal_bytes.ts";
import { OTHER_GENERATION, standard, whole, wholeByIndex } from "./whole_replica.ts";
import type { Workshop } from "./workshop.ts";

type Good = Variant<Workshop>;

const segmentPerTransaction: Good = {
  name: "a segment for each transaction",
  make: (shop) => {
    standard(shop);
    return whole(shop);
  },
};

const segmentPerIndex: Good = {
  name: "one segment for each index",
  make: (shop) => {
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base);
    for (const index of [0, 1, 2]) craft.segments(piecesOf(shop.plain, index, []));
    return wholeByIndex(shop);
  },
};

const cutAnywhere: Good = {
  name: "segments cut at any byte",
  make: (shop) => {
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base);
    for (const index of [0, 1, 2]) {
      const count = Math.floor(shop.plain.endOf(index) / 5_000);
      craft.segments(piecesOf(shop.plain, index, Array.from({ length: count }, (_, slot) => (slot + 1) * 5_000)));
    }
    return { ...whole(shop), mayRefuse: true };
  },
};

const snapshotOnly: Good = {
  name: "a snapshot and nothing else",
  make: (shop) => {
    shop.craft().snapshot(5, shop.plain.imageAt(1));
    const latest = shop.at(1);
    return {
      replica: shop.replica,
      generation: GENERATION,
      latest,
      points: [],
      peer: { kind: "restores", expected: latest },
    };
  },
};

const severalSnapshots: Good = {
  name: "several snapshots, the newest in the middle of an index",
  make: (shop) => {
    const middle = shop.plain.commit(1, 3);
    const pieces = allPieces(shop.plain);
    const before = pieces.filter(({ index, offset }) => index < 1 || (index === 1 && offset < middle));
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base).segments(before);
    craft.snapshot(1, shop.plain.imageAt(1, middle)).segments(pieces.slice(before.length));
    // From snapshot 0 any transaction can be reached; from snapshot 1 none before its own, though nothing tells which that is.
    return { ...whole(shop), points: shop.points([1, middle], [2, shop.plain.endOf(2)]) };
  },
};

const olderIndexesGone: Good = {
  name: "retention has removed older snapshots and indexes",
  make: (shop) => {
    shop.craft().snapshot(1, shop.plain.life(1).base).segments(allPieces(shop.plain).filter(({ index }) => index >= 1));
    return whole(shop, 1);
  },
};

const headerOnlyIndex: Good = {
  name: "a newest index that is a WAL header and nothing else",
  make: (shop) => {
    const craft = standard(shop);
    const header = resummed(shop.plain.life(2).wal.subarray(0, 32), { salt1: 7 });
    craft.segment({ index: 3, offset: 0, bytes: header });
    return whole(shop);
  },
};

const headerFirst: Good = {
  name: "a header-only segment, the frames behind it",
  make: (shop) => {
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base);
    for (const index of [0, 1, 2]) {
      craft.segments(piecesOf(shop.plain, index, [32, ...shop.plain.life(index).commits.slice(0, -1)]));
    }
    return whole(shop);
  },
};

const bigEndian: Good = {
  name: "a WAL with big-endian checksums",
  make: (shop) => {
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base);
    for (const { index, offset, bytes } of allPieces(shop.plain)) {
      const rewritten = resummed(shop.plain.life(index).wal, { bigEndian: true });
      craft.segment({ index, offset, bytes: rewritten.subarray(offset, offset + bytes.length) });
    }
    return whole(shop);
  },
};

const snapshotNextIndex: Good = {
  name: "a snapshot at the index after the last WAL",
  make: (shop) => {
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base);
    craft.segments(allPieces(shop.plain).filter(({ index }) => index < 2)).snapshot(2, shop.plain.life(2).base);
    const latest = shop.at(1);
    return {
      replica: shop.replica,
      generation: GENERATION,
      latest,
      points: shop.points([0, 0], [1, shop.plain.endOf(1)]),
      peer: { kind: "restores", expected: latest },
    };
  },
};

const lastSegmentsMissing: Good = {
  name: "the last segments have not arrived",
  make: (shop) => {
    const end = shop.plain.commit(2, 2);
    const pieces = allPieces(shop.plain).filter(({ index, offset }) => index < 2 || offset < end);
    shop.craft().snapshot(0, shop.plain.life(0).base).segments(pieces);
    const latest = shop.at(2, end);
    return {
      replica: shop.replica,
      generation: GENERATION,
      latest,
      points: shop.points([0, 0], [2, end]),
      peer: { kind: "restores", expected: latest },
    };
  },
};

const openTransaction: Good = {
  name: "a last segment that ends inside a transaction",
  make: (shop) => {
    const [end, cut] = [shop.plain.commit(2, -2), shop.plain.endOf(2) - (shop.plain.frames(2, 1) - 32)];
    if (cut <= end) throw new Error("The last transaction has one frame only");
    const last = { index: 2, offset: end, bytes: shop.plain.life(2).wal.subarray(end, cut) };
    const pieces = allPieces(shop.plain).filter(({ index, offset }) => index < 2 || offset < end);
    shop.craft().snapshot(0, shop.plain.life(0).base).segments([...pieces, last]);
    const latest = shop.at(2, end);
    return {
      replica: shop.replica,
      generation: GENERATION,
      latest,
      mayRefuse: true,
      points: shop.points([0, 0], [2, end]),
      peer: { kind: "restores", expected: latest },
    };
  },
};

const severalGenerations: Good = {
  name: "several generations, the newest by its objects' times",
  make: (shop) => {
    shop.craft(OTHER_GENERATION).snapshot(0, shop.plain.life(0).base).segments(piecesOf(shop.plain, 0));
    Deno.mkdirSync(`${shop.replica}/generations/ffffffffffffffff/wal`, { recursive: true });
    const craft = shop.craft(GENERATION, FIRST_OBJECT_MS + 3_600_000);
    craft.snapshot(0, shop.plain.life(0).base).segments(allPieces(shop.plain));
    return whole(shop);
  },
};

const equalTimes: Good = {
  name: "two generations with the same last time: the lower name",
  make: (shop) => {
    standard(shop);
    const last = shop.craft(GENERATION, FIRST_OBJECT_MS + allPieces(shop.plain).length * 1_000);
    const other = shop.craft(OTHER_GENERATION).snapshot(0, shop.plain.life(0).base);
    other.segments(piecesOf(shop.plain, 0, []), { at: new Date(last.lastAt.getTime() + 1_000) });
    return whole(shop);
  },
};

const junkNames: Good = {
  name: "junk beside the objects",
  make: (shop) => {
    const craft = standard(shop);
    const at = new Date(FIRST_OBJECT_MS);
    const junk = [
      "snapshots/00000002.snapshot.lz4.tmp",
      "snapshots/0000000A.snapshot.lz4",
      "snapshots/2.snapshot.lz4",
      "wal/00000002_00000000.wal.lz4.tmp",
      "wal/0000000A_00000000.wal.lz4",
      "wal/00000009_00000000.wal.lz4~",
      "wal/.DS_Store",
      "README",
    ];
    for (const name of junk) craft.file(name, new TextEncoder().encode("junk"), at);
    for (const name of ["0123456789ABCDEF", "0123", "trash"]) {
      Deno.mkdirSync(`${shop.replica}/generations/${name}/snapshots`, { recursive: true });
    }
    return whole(shop);
  },
};

const pointInTime: Good = {
  name: "points in time, by the objects' own times",
  make: (shop) => {
    standard(shop);
    const time = (object: number, ms = 0) => new Date(FIRST_OBJECT_MS + object * 1_000 + ms);
    const ends = shop.plain.lives.flatMap(({ commits }, index) => commits.map((end) => shop.at(index, end)));
    const known = (at: Date, expected: string) => ({ at, expected, peer: { kind: "restores", expected } as const });
    const none = { kind: "fails", code: 1, says: /no matching backups found/ } as const;
    const latest = ends.at(-1) ?? "";
    return {
      ...whole(shop),
      times: [
        { at: time(-1), peer: none },
        known(time(0), shop.at(0, 0)),
        ...ends.map((expected, slot) => known(time(slot + 1), expected)),
        known(time(3, 999), ends[2] ?? ""),
        { at: time(ends.length + 60), expected: latest, peer: none },
      ],
    };
  },
};

const laterInTheMiddle: Good = {
  name: "one object in the middle with a later time than all",
  make: (shop) => {
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base);
    const pieces = allPieces(shop.plain);
    pieces.forEach((piece, slot) => {
      craft.segment(piece, slot === 7 ? { at: new Date(FIRST_OBJECT_MS + 3_600_000) } : {});
    });
    const { index = 0, offset = 0, bytes = new Uint8Array() } = pieces[6] ?? {};
    const before = shop.at(index, offset + bytes.length);
    return {
      ...whole(shop),
      times: [{ at: craft.lastAt, expected: before, peer: { kind: "restores", expected: before } }],
    };
  },
};

const wideIndexes: Good = {
  name: "indexes that go on from a high number",
  make: (shop) => {
    const first = 0x7ffffff0;
    const craft = shop.craft().snapshot(first, shop.plain.life(0).base);
    craft.segments(allPieces(shop.plain).map((piece) => ({ ...piece, index: first + piece.index })));
    const names = [...Deno.readDirSync(craft.path("wal"))].map(({ name }) => name).sort();
    if (names[0] !== `${hex(first, 8)}_00000000.wal.lz4`) throw new Error("The first segment has another name");
    return { ...whole(shop), points: whole(shop).points.map((point) => ({ ...point, index: first + point.index })) };
  },
};

export const GOOD_VARIANTS: readonly Good[] = [
  segmentPerTransaction,
  segmentPerIndex,
  cutAnywhere,
  snapshotOnly,
  severalSnapshots,
  olderIndexesGone,
  headerOnlyIndex,
  headerFirst,
  bigEndian,
  snapshotNextIndex,
  lastSegmentsMissing,
  openTransaction,
  severalGenerations,
  equalTimes,
  junkNames,
  pointInTime,
  laterInTheMiddle,
  wideIndexes,
];
