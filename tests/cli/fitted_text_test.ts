import { cutMiddle, fittedLine, shortPath } from "../../lib/cli/fitted_text.ts";
import { widthOf } from "../../lib/cli/table.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("shortPath() takes folders out of the middle and keeps the file name", () => {
  const table: readonly [string, number, string][] = [
    ["/a/app.db", 20, "/a/app.db"],
    ["/srv/applications/shop/data/app.db", 20, "/srv/…/app.db"],
    ["/srv/applications/shop/data/app.db", 12, "/…/app.db"],
    ["x/applications/shop/app.db", 12, "x/…/app.db"],
    ["/a/b/a name that is far too long.db", 16, "a nam…oo long.db"],
    ["/データ/とても長いフォルダ/app.db", 20, "/データ/…/app.db"],
  ];
  for (const [path, width, short] of table) {
    assertEquals(shortPath(path, width), short);
    assert(widthOf(short) <= width, short);
  }
});

Deno.test("cutMiddle() never takes more columns than there are, whatever characters it meets", () => {
  for (const text of ["とても長いレプリカの名前", "👩‍👩‍👧 family of emoji 👨‍👩‍👦", "e\u0301".repeat(30), "plain".repeat(9)]) {
    for (let width = 1; width < 30; width++) assert(widthOf(cutMiddle(text, width)) <= width, `${text} ${width}`);
  }
});

Deno.test("fittedLine() cuts between words, shortens long ones, and takes a path with spaces as one", () => {
  const path = "/srv/my applications/shop/data/production.db";
  const table: readonly [string, number, string][] = [
    ["NOT SAFE: it is short", 40, "NOT SAFE: it is short"],
    ["NOT SAFE: it is longer than the line may be", 24, "NOT SAFE: it is longer …"],
    [`Cannot read ${path}: it is a folder`, 50, "Cannot read /srv/…/production.db: it is a folder"],
    [`Cannot read ${path}: it is a folder`, 36, "Cannot read /srv/…/production.db: …"],
    ["see (/one/two/three/four/five/six/seven/app.db-wal).", 40, "see (/one/two/three/…/app.db-wal)."],
    ["データ データ データ", 16, "データ データ …"],
  ];
  for (const [text, width, line] of table) {
    const fitted = fittedLine(text, width, [path]);
    assert(widthOf(fitted) <= width, fitted);
    assertEquals(fitted, line);
  }
});
