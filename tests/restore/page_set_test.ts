import { PageSet } from "../../lib/restore/page_set.ts";
import { assertEquals } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

Deno.test("add() tells whether a page is new", () => {
  const set = new PageSet(100);
  assertEquals([set.add(1), set.add(1), set.add(32), set.add(33), set.add(32)], [true, false, true, true, false]);
  assertEquals([1, 2, 31, 32, 33, 34].map((page) => set.has(page)), [true, false, false, true, true, false]);
});

Deno.test("nextMissing() and nextPresent() agree with a plain set", () => {
  const random = seededRandom(5);
  for (
    const [pages, density] of [[1, 0.5], [31, 0.9], [32, 1], [33, 0.5], [64, 1], [200, 0.98], [200, 0.02], [
      97,
      0,
    ]] as const
  ) {
    const set = new PageSet(pages);
    const plain = new Set<number>();
    for (let page = 1; page <= pages; page++) {
      if (random() < density) plain.add(page), set.add(page);
    }
    for (let i = 0; i < 300; i++) {
      const from = 1 + randomInteger(random, pages + 1);
      const end = from + randomInteger(random, pages + 2 - from + 1);
      let missing = from;
      while (missing <= pages && plain.has(missing)) missing++;
      let present = from;
      while (present < end && !plain.has(present)) present++;
      assertEquals(set.nextMissing(from), Math.min(missing, pages + 1), `missing from ${from} of ${pages}`);
      if (end <= pages + 1) {
        assertEquals(set.nextPresent(from, end), Math.min(present, end), `present from ${from} to ${end}`);
      }
    }
  }
});
