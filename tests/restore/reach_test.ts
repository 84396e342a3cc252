import { asIndex, asOffset } from "../../lib/position/position.ts";
import { brokenBecause, brokenBefore, reachOf, unbrokenSince } from "../../lib/restore/reach.ts";
import type { GenerationCatalog } from "../../lib/store/generation_store.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { after, type GenerationSpec, someFacts } from "../support/catalog_builder.ts";

/** A snapshot, then three indexes; the last goes on. */
const WHOLE: GenerationSpec = {
  snapshots: [{ index: 0, atMs: 1_000 }],
  wals: [
    { index: 0, records: [[2, 2_000]], closedMs: 2_500 },
    { index: 1, records: [[3, 3_000]], closedMs: 3_500 },
    { index: 2, records: [[1, 4_000]] },
  ],
};
const GAP: GenerationSpec = { ...WHOLE, wals: WHOLE.wals?.filter(({ index }) => index !== 1) ?? [] };

function catalogOf(spec: GenerationSpec): GenerationCatalog {
  return someFacts(spec).catalog;
}

/** As a host sees it that knows no identity. */
function unread(spec: GenerationSpec): GenerationCatalog {
  const catalog = catalogOf(spec);
  const blind = { isUnread: true, recordProblem: "it is encrypted" };
  return {
    ...catalog,
    snapshots: catalog.snapshots.map(({ record: _, ...entry }) => ({ ...entry, ...blind })),
    wals: catalog.wals.map(({ lastRecord: _, ...entry }) => ({ ...entry, ...blind })),
  };
}

Deno.test("reachOf() is whole only where a snapshot and every index lead to the end, whoever can read them", () => {
  for (const catalog of [catalogOf, unread]) {
    assertEquals(reachOf(catalog(WHOLE)), { kind: "whole" });
    assertMatch(brokenBecause(catalog(GAP)) ?? "", /wal\/0{15}1\.wal.* is missing/);
    assertMatch(brokenBecause(catalog({ ...WHOLE, snapshots: [] })) ?? "", /0{16}\.snapshot.* is missing/);
    assertEquals(reachOf(catalog({ snapshots: [] })).kind, "nothing");
    // Somebody may be at it, and whole it is not.
    assertEquals(reachOf(catalog({ ...WHOLE, snapshots: [], unfinishedAtMs: 5_000 })).kind, "nothing");
    assertEquals(reachOf(catalog({ ...GAP, snapshots: [{ index: 2, atMs: 3_600 }] })), { kind: "whole" });
  }
});

Deno.test("reachOf() of a gap tells the newest state before it", () => {
  const reach = reachOf(catalogOf(GAP));
  const point = reach.kind === "broken" ? reach.reachable?.point : undefined;
  assertEquals([point?.index, point?.offset], [asIndex(0), asOffset(after(2))]);
});

Deno.test("brokenBefore() is about what leads to an end, and not about what is torn at it", () => {
  const end = { index: asIndex(2), offset: asOffset(after(1)) };
  assertEquals(brokenBefore(catalogOf(WHOLE), end), undefined);
  assertMatch(brokenBefore(catalogOf(GAP), end) ?? "", / is missing/);
  const torn = {
    ...WHOLE,
    wals: WHOLE.wals?.map((wal) => wal.index < 2 ? wal : { ...wal, entry: { promisedEnd: 9_999 } }),
  };
  assertMatch(brokenBecause(catalogOf(torn as GenerationSpec)) ?? "", /expected at least 9999/);
  assertEquals(brokenBefore(catalogOf(torn as GenerationSpec), end), undefined);
  const open = { ...WHOLE, wals: [{ index: 0, records: [[2, 2_000]] as const }, ...(WHOLE.wals ?? []).slice(1)] };
  assertMatch(brokenBefore(catalogOf(open), end) ?? "", /has no closing record/);
  // No record tells of that end: names alone do.
  const unrecorded = { index: asIndex(3), offset: asOffset(after(7)) };
  assertEquals(brokenBefore(catalogOf(WHOLE), unrecorded), undefined);
  assertMatch(brokenBefore(catalogOf(GAP), unrecorded) ?? "", / is missing/);
  for (const [spec, isBroken] of [[WHOLE, false], [GAP, true]] as const) {
    assertEquals(brokenBefore(unread(spec), end) !== undefined, isBroken);
  }
});

Deno.test("unbrokenSince() is the first snapshot from which every index leads to the end", () => {
  const since = (spec: GenerationSpec) => unbrokenSince(catalogOf(spec))?.index;
  assertEquals(since(WHOLE), asIndex(0));
  const snapshots = [0, 1, 2].map((index) => ({ index, atMs: 1_000 + index }));
  assertEquals(since({ ...WHOLE, snapshots }), asIndex(0));
  assertEquals(since({ ...GAP, snapshots }), asIndex(2));
  assertEquals(since({ ...WHOLE, snapshots: [...snapshots, { index: 7, atMs: 9_000 }] }), asIndex(7));
  assertEquals(since({ ...WHOLE, snapshots: [] }), undefined);
  assertEquals(unbrokenSince(unread({ ...GAP, snapshots }))?.index, asIndex(2));
});
