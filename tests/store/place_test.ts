import type { ObjectEntry } from "../../lib/clients/client.ts";
import { judgePlace, type PlaceJudgement, type PlaceListing } from "../../lib/store/place.ts";
import { assertEquals } from "../support/assert.ts";

const GENERATION = "59c6b84cb3f732e9";

/** A name that ends with a slash is a folder, with what it holds. */
type Tree = Readonly<Record<string, readonly string[]>>;

function entry(name: string): ObjectEntry {
  const kind = name.endsWith("/") ? "folder" : "object";
  return { name: name.replace("/", ""), kind, size: 0, modifiedAtMs: 0 };
}

function listing(tree: Tree, levels: readonly string[] = []): PlaceListing {
  const below = new Map(Object.entries(tree).map(([name, inside]) => [name.replace("/", ""), inside.map(entry)]));
  return { isThere: true, entries: Object.keys(tree).map(entry), below, levels };
}

const own: Tree = { "generations/": [`${GENERATION}/`] };
const levels = ["ltx/0", "ltx/9"];

const TABLE: readonly (readonly [name: string, PlaceListing, kind: PlaceJudgement["kind"], reason: string])[] = [
  [
    "nothing at all",
    { isThere: false, entries: [], below: new Map(), levels: [] },
    "absent",
    "does not exist (is it m",
  ],
  ["an empty folder", listing({}), "empty", "it is empty"],
  ["a fresh volume", listing({ "lost+found/": [] }), "empty", "it is empty"],
  ["what desktops leave", listing({ ".DS_Store": [], "._.": [], "Thumbs.db": [], "@eaDir/": ["x"] }), "empty", "empty"],
  ["an unfinished write", listing({ "0000000000000000.wal.tmp": [] }), "empty", "it is empty"],
  ["generations alone", listing(own), "replica", ""],
  ["a folder for generations, made on purpose", listing({ "generations/": [] }), "replica", ""],
  ["generations beside anything", listing({ ...own, "notes.txt": [], "x/": ["generations/"] }), "replica", ""],
  ["generations beside Litestream 0.5", listing({ ...own, "ltx/": ["0/", "9/"] }, levels), "replica", ""],
  ["Litestream 0.5 alone", listing({ "ltx/": ["0/"] }, levels), "foreign", "a replica of Litestream 0.5 (ltx/)"],
  ["Litestream 0.5 as on S3", listing({ "0000/": [], "0009/": [] }, ["0000", "0009"]), "foreign", "(0000/ and 0009/)"],
  ["Litestream 0.5 with empty generations", listing({ "generations/": [], "ltx/": ["0/"] }, levels), "foreign", "0.5"],
  ["levels without an object", listing({ "ltx/": ["0/", "1/"] }), "empty", "it is empty"],
  ["an unknown file in ltx", listing({ "ltx/": ["0/", "index.json"] }), "unknown", "it holds ltx/, and nothing"],
  ["one replica below", listing({ "app/": ["generations/"], "notes.txt": [] }), "parent", "there is a replica in app/"],
  [
    "several below, one of 0.5",
    listing({ "app/": ["generations/"], "users/": ["ltx/"] }),
    "parent",
    "there are replicas in app/ and users/ below it",
  ],
  [
    "generations of other names",
    listing({ "generations/": ["ABC/", "x"] }),
    "unknown",
    "generations/ holds ABC/ and x",
  ],
  ["a database", listing({ "app.db": [], "app.db-wal": [] }), "unknown", "it holds app.db and app.db-wal, and nothing"],
  [
    "many things",
    listing({ a: [], b: [], c: [], d: [], e: [], f: [], g: [], h: [] }),
    "unknown",
    "it holds a, b, c, d, e, f and 2 more",
  ],
];

Deno.test("judgePlace() calls nothing but an absent or empty place empty, and says what anything else is", () => {
  for (const [name, found, kind, reason] of TABLE) {
    const judgement = judgePlace(found);
    assertEquals(judgement.kind, kind, name);
    const said = "reason" in judgement ? judgement.reason : "";
    assertEquals(said.includes(reason), true, `${name}: ${said}`);
  }
});

Deno.test("judgePlace() says of a replica whether objects of Litestream 0.5 stand beside it", () => {
  assertEquals(judgePlace(listing(own)), { kind: "replica", isBesideForeign: false });
  assertEquals(judgePlace(listing(own, levels)), { kind: "replica", isBesideForeign: true });
});
