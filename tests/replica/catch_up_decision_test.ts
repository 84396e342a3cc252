import { asOffset } from "../../lib/position/position.ts";
import { type CatchUpFacts, decideCatchUp } from "../../lib/replica/catch_up_decision.ts";
import { assertEquals } from "../support/assert.ts";

const mark = { salt: { salt1: 1, salt2: 2 }, checksum: { s0: 3, s1: 4 } };

/** A replica that ends inside of an index of which all is known, 300 of 10,000 pages changed since. */
function facts(overrides: Partial<CatchUpFacts> = {}): CatchUpFacts {
  const changes = { from: { ...mark, end: asOffset(9_000) }, pages: 300, databasePages: 10_000 };
  return {
    changes,
    mark: { ...mark, checksum: { s0: 8, s1: 9 } },
    offset: asOffset(4_152),
    isKnown: true,
    indexes: 3,
    ...overrides,
  };
}

function changed(pages: number, databasePages: number): Partial<CatchUpFacts> {
  return { changes: { from: { ...mark, end: asOffset(9_000) }, pages, databasePages } };
}

const otherSalts = { ...mark, salt: { salt1: 1, salt2: 7 } };
const otherWal = "the replica ends in other WAL than was captured";

const rows: readonly (readonly [string, Partial<CatchUpFacts>, string | undefined])[] = [
  ["ends inside of the index", {}, undefined],
  ["ends with the index", { offset: asOffset(9_000), mark }, undefined],
  ["holds nothing of the index", { offset: asOffset(0), mark: undefined }, undefined],
  ["has other salts", { mark: otherSalts }, otherWal],
  ["has another chain at the end of the index", { offset: asOffset(9_000), mark: facts().mark }, otherWal],
  ["has more than the index", { offset: asOffset(9_001) }, otherWal],
  ["ends in what cannot be read", { isKnown: false }, "what stands at the replica's end cannot be read"],
  ["is behind what is known", { changes: undefined }, "which pages changed since is not known"],
  ["is far behind", { indexes: 1_001 }, "it is 1001 indexes behind"],
  ["misses few pages of a small database", changed(200, 200), undefined],
  ["misses nearly all pages", changed(9_996, 10_000), undefined],
  [
    "misses as much as a snapshot has",
    changed(9_997, 10_000),
    "9997 of 10000 pages changed since: a snapshot is less work",
  ],
];

for (const [row, overrides, because] of rows) {
  const decision = because === undefined ? { kind: "catch-up" } as const : { kind: "no", because } as const;
  Deno.test(`decideCatchUp() of a replica that ${row}: ${decision.kind}`, () => {
    assertEquals(decideCatchUp(facts(overrides)), decision);
  });
}
