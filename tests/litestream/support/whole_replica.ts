/** The replica that most variants are a change of: all of the plain history, from its beginning. */
import { allPieces, type Crafted, type Encode, GENERATION, type Piece, type ReplicaCraft } from "./replica_craft.ts";
import type { Workshop } from "./workshop.ts";

export const OTHER_GENERATION = "fedcba9876543210";

/** The snapshot of the beginning and a segment for each transaction. */
export function standard(shop: Workshop, encode?: Encode): ReplicaCraft {
  const options = encode === undefined ? {} : { encode };
  return shop.craft().snapshot(0, shop.plain.life(0).base, options).segments(allPieces(shop.plain), options);
}

/** The same without some segments. */
export function without(shop: Workshop, isLeftOut: (piece: Piece) => boolean): ReplicaCraft {
  return shop.craft().snapshot(0, shop.plain.life(0).base)
    .segments(allPieces(shop.plain).filter((piece) => !isLeftOut(piece)));
}

/** What a replica is that holds the plain history from the beginning of an index to its end. */
export function whole(shop: Workshop, from = 0): Crafted {
  const latest = shop.at(2);
  return {
    replica: shop.replica,
    generation: GENERATION,
    latest,
    points: shop.points([from, 0], [2, shop.plain.endOf(2)]),
    peer: { kind: "restores", expected: latest },
  };
}

/** The same with one object for each index: no other points are to be had. */
export function wholeByIndex(shop: Workshop): Crafted {
  return { ...whole(shop), points: shop.indexEnds(0, 2) };
}

/**
 * What a replica is that holds the plain history whole up to there, and then something that must be refused. Whether the
 * last object before a hole is whole, its reader may doubt.
 */
export function brokenAfter(shop: Workshop, index: number, offset: number, peer: Crafted["peer"]): Crafted {
  const all = offset === 0 && index === 0 ? [] : shop.points([0, 0], [index, offset]);
  const points = [...all.slice(0, -1), ...all.slice(-1).map((point) => ({ ...point, mayRefuse: true }))];
  return { replica: shop.replica, generation: GENERATION, points, peer };
}
