/** What an LZ4 object may look like: all that the real Litestream takes, and what it refuses or cuts off. */
import { lz4, lz4WithSize } from "./programs.ts";
import {
  allPieces,
  asLz4,
  type Crafted,
  type Encode,
  GENERATION,
  type PeerDoes,
  piecesOf,
  type Variant,
} from "./replica_craft.ts";
import { brokenAfter, standard, whole, wholeByIndex } from "./whole_replica.ts";
import type { Workshop } from "./workshop.ts";

type Lz4Variant = Variant<Workshop>;

const NO_CHECKSUM = "--no-frame-crc";
const MAGIC_SIZE = 4;
/** Magic, flags, block size, checksum of the header. */
const HEADER_SIZE = 7;
const STORED_FLAG = 0x80000000;
const SKIPPABLE_MAGIC = 0x184d2a50;
const LEGACY_MAGIC = 0x184c2102;
/** The end mark and the sum of the content. */
const TRAILER_SIZE = 8;

/** Every object of the plain history, one segment an index so that blocks are full where they can be. */
function allAs(name: string, encode: Encode, known: Partial<Crafted> = {}): Lz4Variant {
  return {
    name,
    make: (shop) => {
      const craft = shop.craft().snapshot(0, shop.plain.life(0).base, { encode });
      for (const index of [0, 1, 2]) craft.segments(piecesOf(shop.plain, index, []), { encode });
      return { ...wholeByIndex(shop), ...known };
    },
  };
}

const inBlocks = [["64 KiB", "-B4"], ["256 KiB", "-B5"], ["1 MiB", "-B6"]].map(([size = "", flag = ""]) =>
  allAs(`LZ4: blocks of ${size}`, (bytes) => lz4(bytes, flag))
);

const linked = allAs("LZ4: linked blocks", (bytes) => lz4(bytes, "-B4", "-BD"));
const noChecksum = allAs("LZ4: no checksum of the content", (bytes) => lz4(bytes, NO_CHECKSUM));
const withSize = allAs("LZ4: the content's size in the header", lz4WithSize);
const stored = allAs("LZ4: stored blocks", storedFrame);
const legacy = allAs("LZ4: the legacy format", legacyFrame);
const highCompression = allAs("LZ4: compressed as far as can be", (bytes) => lz4(bytes, "-9"));
const skippableBefore = allAs("LZ4: a skippable frame before", (bytes) => joined(skippable("before"), asLz4(bytes)));
const skippableBehind = allAs("LZ4: a skippable frame behind", (bytes) => joined(asLz4(bytes), skippable("behind")));
const garbageBehind = allAs(
  "LZ4: garbage behind the frame",
  (bytes) => joined(asLz4(bytes), new TextEncoder().encode("garbage")),
  { mayRefuse: true },
);
/** Read by `lz4` and by everybody but the real Litestream, whose decoder takes every such block for broken. */
const blockChecksums = allAs("LZ4: checksums of blocks", (bytes) => lz4(bytes, "-BX"), {
  mayRefuse: true,
  peer: { kind: "fails", code: 1, says: /lz4: invalid block checksum/ },
});

const twoFramesSegment: Lz4Variant = {
  name: "LZ4: the last segment is two frames",
  make: (shop) => {
    const pieces = allPieces(shop.plain);
    const { bytes = new Uint8Array() } = pieces.at(-1) ?? {};
    const half = shop.plain.frames(2, 1) - shop.plain.frames(2, 0);
    const encode: Encode = () => joined(asLz4(bytes.subarray(0, half)), asLz4(bytes.subarray(half)));
    const craft = shop.craft().snapshot(0, shop.plain.life(0).base).segments(pieces.slice(0, -1));
    craft.segments(pieces.slice(-1), { encode });
    const before = shop.at(2, shop.plain.commit(2, -2));
    return { ...whole(shop), mayRefuse: true, peer: { kind: "restores", expected: before } };
  },
};

const twoFramesSnapshot: Lz4Variant = {
  name: "LZ4: the snapshot is two frames",
  make: (shop) => {
    const image = shop.plain.imageAt(1);
    const half = Math.floor(image.length / 8192) * 4096;
    const encode: Encode = () => joined(asLz4(image.subarray(0, half)), asLz4(image.subarray(half)));
    shop.craft().snapshot(0, image, { encode });
    const peer: PeerDoes = { kind: "restores", expected: shop.expect(image.subarray(0, half)) };
    return {
      replica: shop.replica,
      generation: GENERATION,
      latest: shop.at(1),
      mayRefuse: true,
      points: [],
      peer,
    };
  },
};

const emptySnapshot: Lz4Variant = {
  name: "LZ4: the snapshot is an empty frame",
  make: (shop) => {
    shop.craft().snapshot(0, new Uint8Array());
    const peer: PeerDoes = { kind: "restores", expected: shop.expect(new Uint8Array()) };
    return { replica: shop.replica, generation: GENERATION, points: [], peer };
  },
};

const emptySegment: Lz4Variant = {
  name: "LZ4: an empty frame as the last segment",
  make: (shop) => {
    standard(shop).segment({ index: 2, offset: shop.plain.endOf(2), bytes: new Uint8Array() });
    return { ...whole(shop), mayRefuse: true };
  },
};

const emptyInMiddle: Lz4Variant = {
  name: "LZ4: an empty frame instead of a segment in the middle",
  make: (shop) => {
    const craft = standard(shop);
    const piece = { index: 1, offset: shop.plain.commit(1, 1), bytes: new Uint8Array() };
    craft.segment(piece);
    return brokenAfter(shop, 1, piece.offset, { kind: "damages", states: shop.states() });
  },
};

/** An object that has lost its end, or a part of it. */
function cut(what: "segment" | "snapshot", how: string, cutTo: (stored: number) => number, says: RegExp): Lz4Variant {
  return {
    name: `LZ4: a ${what} ${how}`,
    make: (shop) => {
      const craft = standard(shop);
      const offset = shop.plain.commit(1, 2);
      const name = what === "snapshot"
        ? "snapshots/00000000.snapshot.lz4"
        : `wal/00000001_${offset.toString(16).padStart(8, "0")}.wal.lz4`;
      const stored = Deno.readFileSync(craft.path(name));
      craft.file(name, stored.subarray(0, cutTo(stored.length)));
      const peer: PeerDoes = { kind: "fails", code: 1, says };
      return brokenAfter(shop, what === "snapshot" ? 0 : 1, what === "snapshot" ? 0 : offset, peer);
    },
  };
}

const CUT = /EOF|context canceled/;
const cuts = (["segment", "snapshot"] as const).flatMap((what) => [
  cut(what, "of no bytes", () => 0, CUT),
  cut(what, "cut in the middle", (size) => Math.floor(size / 2), CUT),
  cut(what, "without its end mark", (size) => size - TRAILER_SIZE, CUT),
  cut(what, "without its checksum", (size) => size - TRAILER_SIZE / 2, CUT),
]);

/** The last byte of an object is part of its checksum. */
function wrongChecksum(what: "segment" | "snapshot"): Lz4Variant {
  return {
    name: `LZ4: a ${what} with a wrong checksum of its content`,
    make: (shop) => {
      const encode: Encode = (bytes) => {
        const frame = asLz4(bytes);
        frame[frame.length - 1] = (frame.at(-1) ?? 0) ^ 1;
        return frame;
      };
      const pieces = allPieces(shop.plain);
      const craft = shop.craft().snapshot(0, shop.plain.life(0).base, what === "snapshot" ? { encode } : {});
      craft.segments(pieces.slice(0, -1)).segments(pieces.slice(-1), what === "segment" ? { encode } : {});
      const peer: PeerDoes = { kind: "fails", code: 1, says: /lz4: invalid frame checksum|context canceled/ };
      if (what === "snapshot") return brokenAfter(shop, 0, 0, peer);
      return brokenAfter(shop, 2, shop.plain.commit(2, -2), peer);
    },
  };
}

export const LZ4_VARIANTS: readonly Lz4Variant[] = [
  ...inBlocks,
  linked,
  noChecksum,
  withSize,
  stored,
  legacy,
  highCompression,
  skippableBefore,
  skippableBehind,
  garbageBehind,
  blockChecksums,
  twoFramesSegment,
  twoFramesSnapshot,
  emptySnapshot,
  emptySegment,
  emptyInMiddle,
  ...cuts,
  wrongChecksum("segment"),
  wrongChecksum("snapshot"),
];

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function littleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function skippable(text: string): Uint8Array {
  const content = new TextEncoder().encode(text);
  return joined(littleEndian(SKIPPABLE_MAGIC + 7), littleEndian(content.length), content);
}

/** Header and sum by `lz4`; between them the content in stored blocks of 64 KiB. */
function storedFrame(bytes: Uint8Array): Uint8Array {
  const frame = lz4(bytes, "-B4");
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 65_536) {
    const block = bytes.subarray(at, at + 65_536);
    blocks.push(littleEndian(STORED_FLAG + block.length), block);
  }
  return joined(frame.subarray(0, HEADER_SIZE), ...blocks, frame.subarray(frame.length - TRAILER_SIZE));
}

function legacyFrame(bytes: Uint8Array): Uint8Array {
  const frame = lz4(bytes, "-l");
  const magic = new DataView(frame.buffer, frame.byteOffset, MAGIC_SIZE).getUint32(0, true);
  if (magic !== LEGACY_MAGIC) throw new Error("lz4 -l has not made a legacy frame");
  return frame;
}
