import { readImageShape } from "../../lib/store/peer_records.ts";
import { assertEquals, assertLess, assertMatch } from "../support/assert.ts";

/** What a database of so many pages of 4096 bytes begins with; zeros without end behind it. */
function endless(pages: number) {
  const header = new Uint8Array(100);
  const view = new DataView(header.buffer);
  view.setUint16(16, pages === 0 ? 0 : 4096);
  view.setUint32(28, pages);
  const content = {
    readTo: 0,
    read(at: number, into: Uint8Array): Promise<number> {
      content.readTo = Math.max(content.readTo, at + into.length);
      into.fill(0);
      into.set(header.subarray(at, at + into.length));
      return Promise.resolve(into.length);
    },
    size: () => Promise.reject(new Error("it has no end")),
    verify: () => Promise.resolve(),
    close: () => {},
  };
  return content;
}

const GZIP = { key: "it", encoding: "gzip", sizeBytes: 1_000, createdAtMs: 0 } as const;

Deno.test("readImageShape() asks for no more of a gzip file than its database can have", async () => {
  const content = endless(100);
  const shape = await readImageShape(content, GZIP);
  assertMatch(
    "problem" in shape ? shape.problem : "",
    /^it holds more than \d+ bytes \(its database has 100 pages of 4096\)$/,
  );
  assertLess(content.readTo, 1 << 30);
});

Deno.test("readImageShape() asks for the beginning alone of what is no database", async () => {
  const content = endless(0);
  assertEquals(await readImageShape(content, GZIP), { problem: "it holds pages of 0 bytes, which are no database" });
  assertEquals(content.readTo, 100);
});
