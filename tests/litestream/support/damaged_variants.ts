/** Replicas that have lost something, or hold what does not belong together. Most of them the real Litestream restores. */
import { applied } from "./history.ts";
import {
  allPieces,
  asLz4,
  type Crafted,
  FIRST_OBJECT_MS,
  GENERATION,
  hex,
  type PeerDoes,
  type Piece,
  piecesOf,
  type Variant,
} from "./replica_craft.ts";
import { frameSizeOf, resummed } from "./wal_bytes.ts";
import { brokenAfter, OTHER_GENERATION, standard, whole, without } from "./whole_replica.ts";
import type { Workshop } from "./workshop.ts";

type Damaged = Variant<Workshop>;

const isAt = (index: number, offset: number) => (piece: Piece) => piece.index === index && piece.offset === offset;

function fails(says: RegExp, code = 1): PeerDoes {
  return { kind: "fails", code, says };
}

const gapInMiddle: Damaged = {
  name: "a gap inside an index",
  make: (shop) => {
    const at = shop.plain.commit(1, 2);
    without(shop, isAt(1, at));
    return brokenAfter(shop, 1, at, { kind: "damages", states: shop.states() });
  },
};

const gapInNewest: Damaged = {
  name: "a gap inside the newest index",
  make: (shop) => {
    const at = shop.plain.commit(2, 2);
    without(shop, isAt(2, at));
    return brokenAfter(shop, 2, at, { kind: "restores", expected: shop.at(2, at) });
  },
};

/** The first segment behind it begins where it should, the bytes of the one before are fewer than its place says. */
const shortSegment: Damaged = {
  name: "a segment that ends before the next begins",
  make: (shop) => {
    const [from, to] = [shop.plain.commit(1, 2), shop.plain.commit(1, 3)];
    const craft = standard(shop);
    const end = to - frameSizeOf(shop.plain.life(1).wal);
    craft.segment({ index: 1, offset: from, bytes: shop.plain.life(1).wal.subarray(from, end) });
    return brokenAfter(shop, 1, from, { kind: "damages", states: shop.states() });
  },
};

const firstSegmentMissing: Damaged = {
  name: "the first segment of an index is missing",
  make: (shop) => {
    without(shop, isAt(1, 0));
    return brokenAfter(shop, 0, shop.plain.endOf(0), fails(/missing initial wal segment/));
  },
};

const firstSegmentMissingBefore: Damaged = {
  name: "the first segment of an index before the snapshot is missing",
  make: (shop) => {
    const pieces = allPieces(shop.plain).filter((piece) => !isAt(0, 0)(piece));
    shop.craft().segments(pieces.filter(({ index }) => index === 0)).snapshot(1, shop.plain.life(1).base)
      .segments(pieces.filter(({ index }) => index > 0));
    return { ...whole(shop, 1), peer: fails(/missing initial wal segment/) };
  },
};

const indexMissing: Damaged = {
  name: "a whole index is missing",
  make: (shop) => {
    without(shop, ({ index }) => index === 1);
    return brokenAfter(shop, 0, shop.plain.endOf(0), fails(/missing WAL index: [0-9a-f]{16}\/00000001/));
  },
};

const snapshotIndexMissing: Damaged = {
  name: "the index of the snapshot is missing",
  make: (shop) => {
    without(shop, ({ index }) => index === 0);
    return brokenAfter(shop, 0, 0, fails(/missing WAL index: [0-9a-f]{16}\/00000000/));
  },
};

const endOfIndexMissing: Damaged = {
  name: "the last segment of an index is missing, the next index is there",
  make: (shop) => {
    const at = shop.plain.commit(1, -2);
    without(shop, isAt(1, at));
    const known = brokenAfter(shop, 1, at, { kind: "damages", states: shop.states() });
    return { ...known, cannotBeSeen: true };
  },
};

const repeated: Damaged = {
  name: "segments that repeat what the first one holds",
  make: (shop) => {
    const craft = standard(shop);
    craft.segments(piecesOf(shop.plain, 2, []));
    return { ...whole(shop), mayRefuse: true };
  },
};

const overlapping: Damaged = {
  name: "a segment that begins before the last one ends",
  make: (shop) => {
    const { wal } = shop.plain.life(2);
    const [first, second] = [shop.plain.commit(2, 2), shop.plain.commit(2, 3)];
    without(shop, ({ index }) => index === 2)
      .segment({ index: 2, offset: 0, bytes: wal.subarray(0, second) })
      .segment({ index: 2, offset: first, bytes: wal.subarray(first) });
    const peer: PeerDoes = { kind: "restores", expected: shop.at(2, second) };
    return { ...whole(shop), mayRefuse: true, peer };
  },
};

function flipped(name: string, index: number): Damaged {
  return {
    name,
    make: (shop) => {
      const at = shop.plain.commit(index, 2);
      const craft = standard(shop);
      const bytes = shop.plain.life(index).wal.slice(at, shop.plain.commit(index, 3));
      bytes[24 + 100] = (bytes[24 + 100] ?? 0) ^ 1;
      craft.segment({ index, offset: at, bytes });
      const peer: PeerDoes = index === 2
        ? { kind: "restores", expected: shop.at(2, at) }
        : { kind: "damages", states: shop.states() };
      return brokenAfter(shop, index, at, peer);
    },
  };
}

const otherLife: Damaged = {
  name: "a segment of another life of the WAL",
  make: (shop) => {
    const at = shop.plain.commit(2, 2);
    const other = resummed(shop.plain.life(2).wal, { salt1: 42 });
    standard(shop).segment({ index: 2, offset: at, bytes: other.subarray(at, shop.plain.commit(2, 3)) });
    return brokenAfter(shop, 2, at, { kind: "restores", expected: shop.at(2, at) });
  },
};

const wrongHeader: Damaged = {
  name: "a WAL header with a wrong checksum",
  make: (shop) => {
    const bytes = shop.plain.life(2).wal.slice(0, shop.plain.commit(2, 1));
    bytes[24] = (bytes[24] ?? 0) ^ 1;
    standard(shop).segment({ index: 2, offset: 0, bytes });
    return brokenAfter(shop, 1, shop.plain.endOf(1), { kind: "restores", expected: shop.at(1) });
  },
};

/** What Litestream writes beyond 4 GiB, and never lists. The bytes before it are not there. */
const nineDigits: Damaged = {
  name: "an offset of nine digits",
  make: (shop) => {
    const at = shop.plain.commit(2, -2);
    const craft = without(shop, isAt(2, at));
    const bytes = shop.plain.life(2).wal.subarray(at);
    craft.segment({ index: 2, offset: 0x1_0000_0000 + at, bytes });
    return brokenAfter(shop, 2, at, { kind: "restores", expected: shop.at(2, at) });
  },
};

const nineDigitsPadded: Damaged = {
  name: "an offset written with nine digits, though it needs fewer",
  make: (shop) => {
    const at = shop.plain.commit(2, -2);
    const bytes = shop.plain.life(2).wal.subarray(at);
    without(shop, isAt(2, at)).segment({ index: 2, offset: at, bytes }, { name: `00000002_${hex(at, 9)}.wal.lz4` });
    return { ...whole(shop), mayRefuse: true, peer: { kind: "restores", expected: shop.at(2, at) } };
  },
};

/** The real program panics; what it should have done is what 0.3.14 does. */
const snapshotTwoIndexesOn: Damaged = {
  name: "a snapshot two indexes after the last WAL",
  make: (shop) => {
    without(shop, ({ index }) => index === 2).snapshot(3, shop.plain.imageAt(2));
    return {
      replica: shop.replica,
      generation: GENERATION,
      latest: shop.at(2),
      points: [],
      peer: fails(/panic: .*makechan: size out of range/s, 2),
    };
  },
};

/**
 * A snapshot of the end of its index, of whose WAL only ten small transactions have arrived: the upload of the rest was
 * stuck, or point-in-time excludes it. Which of both was stored first proves nothing, since both take their time.
 */
function snapshotAhead(history: "growing" | "updating", change: string, isFirst: boolean): Damaged {
  return {
    name: `a snapshot newer than the WAL that is there, stored ${isFirst ? "before" : "after"} it: ${change}`,
    make: (shop) => {
      const recorded = shop.histories[history];
      const image = recorded.imageAt(0);
      const [piece] = piecesOf(recorded, 0, [recorded.commit(0, 10)]);
      if (piece === undefined) throw new Error("The history is empty");
      const craft = shop.craft();
      if (isFirst) craft.snapshot(0, image).segment(piece);
      else craft.segment(piece).snapshot(0, image);
      const known = { replica: shop.replica, generation: GENERATION, points: [] };
      if (history === "growing") return { ...known, peer: fails(/database disk image is malformed/) };
      // What the counter's page holds in the snapshot is none of its versions in the WAL: older than the first of them, as
      // in every sound replica, or newer than the last. Nothing tells which.
      return { ...known, cannotBeSeen: true, peer: tornApart(shop, image, piece) };
    },
  };
}

/** Half of a transaction: the counter is that of the prefix, the rows are those of the tail. */
function tornApart(shop: Workshop, image: Uint8Array, { bytes }: Piece): PeerDoes {
  const torn = applied(image, bytes, shop.folder);
  const states = [image, shop.histories.updating.imageAt(0, bytes.length)].map((state) => state.toHex());
  if (states.includes(torn.toHex())) throw new Error("The snapshot and the prefix fit together");
  return { kind: "restores", expected: shop.expect(torn) };
}

const snapshotsAhead = [true, false].flatMap((isFirst) => [
  snapshotAhead("growing", "the database has grown", isFirst),
  snapshotAhead("updating", "rows have changed in place", isFirst),
]);

const segmentsOnly: Damaged = {
  name: "the newest generation has segments and no snapshot",
  make: (shop) => {
    standard(shop);
    shop.craft(OTHER_GENERATION, FIRST_OBJECT_MS + 3_600_000).segments(piecesOf(shop.plain, 0));
    return { ...whole(shop), mayRefuse: true, peer: fails(/no snapshots available/) };
  },
};

const nothing: Damaged = {
  name: "a generation without objects",
  make: (shop) => {
    Deno.mkdirSync(`${shop.replica}/generations/${GENERATION}/wal`, { recursive: true });
    return brokenAfter(shop, 0, 0, fails(/no matching backups found/));
  },
};

const notADatabase: Damaged = {
  name: "a snapshot that is no database",
  make: (shop) => {
    const image = new TextEncoder().encode("This is no database.".repeat(500));
    shop.craft().snapshot(0, image);
    const peer: Crafted["peer"] = { kind: "restores", expected: shop.expect(image) };
    return { replica: shop.replica, generation: GENERATION, points: [], peer };
  },
};

/** The whole image but its last pages: the frame is whole, the database is not. */
const shortSnapshot: Damaged = {
  name: "a snapshot shorter than its database says",
  make: (shop) => {
    const image = shop.plain.imageAt(1);
    const short = image.subarray(0, image.length - 8192);
    shop.craft().snapshot(0, image, { encode: () => asLz4(short) });
    const peer: Crafted["peer"] = { kind: "restores", expected: shop.expect(short) };
    return { replica: shop.replica, generation: GENERATION, points: [], peer };
  },
};

export const DAMAGED_VARIANTS: readonly Damaged[] = [
  gapInMiddle,
  gapInNewest,
  shortSegment,
  firstSegmentMissing,
  firstSegmentMissingBefore,
  indexMissing,
  snapshotIndexMissing,
  endOfIndexMissing,
  repeated,
  overlapping,
  flipped("a flipped bit in a frame", 1),
  flipped("a flipped bit in a frame of the newest index", 2),
  otherLife,
  wrongHeader,
  nineDigits,
  nineDigitsPadded,
  snapshotTwoIndexesOn,
  ...snapshotsAhead,
  segmentsOnly,
  nothing,
  notADatabase,
  shortSnapshot,
];
