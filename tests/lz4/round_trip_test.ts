import { encodeFilledFrame } from "../../lib/lz4/frame_encoder.ts";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { collect, decoded, encoded, joined, type Kind, MIB, runLz4, someBytes } from "./stage.ts";

const SIZES = [0, 1, 11, 12, 13, 16, 17, 63, 64, 65, 1_000, 65_535, 65_536, 65_537, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1];
const KINDS: readonly Kind[] = ["random", "text", "mixed", "zeros"];

Deno.test("encodeFrame() writes golden bytes for a tiny content", async () => {
  const bytes = await encoded(new TextEncoder().encode("abcabcabcabcabcabcabcabcabcabcabc"));
  // Three literals, a match of 25 at distance 3, five literals; then end mark and checksum.
  assertEquals(bytes.toHex(), "04224d186470b9" + "0d000000" + "3f616263030006" + "506263616263" + "00000000c7ea554c");
  assertEquals((await encoded(new Uint8Array(0))).toHex(), "04224d186470b900000000" + "055dcc02");
});

Deno.test("encodeFrame() makes what openLz4() and the lz4 program read, at odd sizes and of every kind", async () => {
  for (const kind of KINDS) {
    for (const size of [...SIZES, 9_000_000]) {
      const content = someBytes(kind, size, size + 7);
      const object = await encoded(content);
      assert(same(await decoded(object), content), `${kind}, ${size}, read by us`);
      assert(same(await runLz4(["-d"], object), content), `${kind}, ${size}, read by lz4`);
      if (kind === "text" && size > 1_000) assertLess(object.length, size / 2);
      assertLess(object.length, size + 7 + 8 + 4 * Math.ceil(size / (4 * MIB)) + 1);
    }
  }
});

Deno.test("encodeFilledFrame() takes content in pieces of any size and puts it where it is compressed", async () => {
  const content = someBytes("mixed", 5 * MIB + 3);
  let at = 0;
  let calls = 0;
  const frame = encodeFilledFrame((into) => {
    const piece = content.subarray(at, at + Math.min(into.length, 1 + (calls++ * 7_919) % 400_000));
    into.set(piece);
    at += piece.length;
    return Promise.resolve(piece.length);
  });
  const object = await collect(frame);
  assertEquals(frame.contentBytes, content.length);
  assert(same(object, await encoded(content)), "the pieces do not matter");
});

const BLOCK_SIZES = ["-B4", "-B5", "-B6", "-B7"];
const OPTIONS: readonly (readonly string[])[] = [
  ...BLOCK_SIZES.flatMap((size) => [[size], [size, "-BD"], [size, "-BX"], [size, "-BD", "-BX", "--content-size"]]),
  ["--no-frame-crc"],
  ["--no-frame-crc", "-BD"],
  ["--content-size"],
  ["-9", "-BD", "-B4"],
  ["-12"],
  ["-l"],
  ["-l", "-9"],
  ["--fast=8"],
];

for (const options of OPTIONS) {
  Deno.test(`openLz4() reads what lz4 ${options.join(" ")} writes`, async () => {
    for (const [kind, size] of [["mixed", 9_000_000], ["text", 300_001], ["random", 150_000], ["text", 0]] as const) {
      const content = someBytes(kind, size, 3);
      const object = await runLz4(options, content);
      assert(same(await decoded(object), content), `${kind}, ${size}`);
      assert(same(await decoded(object, 77_777), content), `${kind}, ${size}, in small pieces`);
    }
  });
}

Deno.test("openLz4() reads several data frames as one content, with skippable and empty frames between", async () => {
  const contents = [someBytes("mixed", 5 * MIB, 1), someBytes("text", 300_000, 2), someBytes("mixed", 9 * MIB, 3)];
  const [a = "", b = "", c = ""] = contents;
  const skippable = Uint8Array.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const empty = await encoded(new Uint8Array(0));
  const object = joined(
    skippable,
    await runLz4(["-B4", "-BD"], a as Uint8Array),
    empty,
    skippable,
    await encoded(b as Uint8Array),
    await runLz4(["-l"], c as Uint8Array),
    skippable,
    await runLz4(["-l"], a as Uint8Array),
    await encoded(a as Uint8Array, () => new Uint8Array(200_000)),
    empty,
  );
  const expected = joined(...contents, a as Uint8Array, a as Uint8Array);
  assert(same(await decoded(object), expected), "the concatenation");
});

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
