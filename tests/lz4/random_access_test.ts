import { Buffer } from "node:buffer";
import { ReplicationError } from "../../lib/base/errors.ts";
import { openLz4 } from "../../lib/lz4/frame_decoder.ts";
import { assert, assertEquals, assertLessOrEqual, assertRejects } from "../support/assert.ts";
import { seededRandom } from "../support/random.ts";
import { encoded, inMemory, joined, MIB, runLz4, someBytes } from "./stage.ts";

const CONTENT = someBytes("mixed", 26 * MIB + 12_345, 9);
const BLOCKS = 7;

async function readAt(content: { read(at: number, into: Uint8Array): Promise<number> }, at: number, length: number) {
  const into = new Uint8Array(length);
  const count = await content.read(at, into);
  return into.subarray(0, count);
}

Deno.test("Lz4Content.read() newest first, in windows of about a block, decodes each block once", async () => {
  const object = await encoded(CONTENT);
  for (const window of [4 * MIB, 4 * MIB - 4_120, 3 * MIB + 77]) {
    const source = inMemory(object);
    const content = await openLz4(source, "it");
    for (let end = await content.size(); end > 0; end -= window) {
      const at = Math.max(0, end - window);
      assertEquals(Buffer.compare(await readAt(content, at, end - at), CONTENT.subarray(at, end)), 0);
    }
    assertEquals(content.decodedBlocks, BLOCKS);
    assertLessOrEqual(source.reads, 3 * BLOCKS);
    await content.verify();
    assertLessOrEqual(content.decodedBlocks, 2 * BLOCKS);
    content.close();
  }
});

Deno.test("Lz4Content.read() in order decodes each block once, and verify() none again", async () => {
  for (const options of [["-B7"], ["-B4", "-BD"], ["-B6", "-BX"]]) {
    const content = await openLz4(inMemory(await runLz4(options, CONTENT)), "it");
    const blocks = Math.ceil(CONTENT.length / ({ "-B4": 64 << 10, "-B6": MIB }[options[0] ?? ""] ?? 4 * MIB));
    for (let at = 0; at < CONTENT.length; at += 1_000_003) {
      const part = await readAt(content, at, 1_000_003);
      assertEquals(Buffer.compare(part, CONTENT.subarray(at, at + 1_000_003)), 0);
    }
    await content.verify();
    assertEquals(await content.size(), CONTENT.length);
    assertEquals(content.decodedBlocks, blocks, options.join(" "));
    content.close();
  }
});

Deno.test("Lz4Content.size() decodes the last block of each frame alone", async () => {
  const object = joined(await encoded(CONTENT), await encoded(CONTENT));
  const content = await openLz4(inMemory(object), "it");
  assertEquals(await content.size(), 2 * CONTENT.length);
  assertEquals(content.decodedBlocks, 2);
  assertEquals(await readAt(content, 2 * CONTENT.length, 10), new Uint8Array(0));
  assertEquals(await readAt(content, CONTENT.length - 3, 6), joined(CONTENT.subarray(-3), CONTENT.subarray(0, 3)));
  content.close();
});

Deno.test("Lz4Content.read() reads anywhere, in every kind of object, several calls at a time", async () => {
  const whole = joined(CONTENT, CONTENT.subarray(0, 5 * MIB), CONTENT.subarray(0, 9 * MIB));
  const object = joined(
    await runLz4(["-B5", "-BD"], CONTENT),
    await encoded(CONTENT.subarray(0, 5 * MIB)),
    await runLz4(["-l"], CONTENT.subarray(0, 9 * MIB)),
  );
  const content = await openLz4(inMemory(object), "it");
  const random = seededRandom(31);
  for (let round = 0; round < 15; round++) {
    await Promise.all(Array.from({ length: 3 }, async () => {
      const at = Math.floor(random() * whole.length);
      const length = Math.floor(random() * 3 * MIB);
      assertEquals(Buffer.compare(await readAt(content, at, length), whole.subarray(at, at + length)), 0);
    }));
  }
  await content.verify();
  assertEquals(await content.size(), whole.length);
  content.close();
});

/** Independent blocks of 64 KiB, stored, but for one that is compressed and short. */
function withShortBlock(): { readonly object: Uint8Array; readonly content: Uint8Array } {
  const full = someBytes("random", 64 << 10);
  const storedHeader = Uint8Array.fromHex("00000180");
  const shortBlock = Uint8Array.fromHex("06000000" + "506162636465");
  const object = joined(
    Uint8Array.fromHex("04224d18604082"),
    ...[storedHeader, full, shortBlock, storedHeader, full],
    new Uint8Array(4),
  );
  return { object, content: joined(full, new TextEncoder().encode("abcde"), full) };
}

Deno.test("Lz4Content.read() reads blocks that are not full from start to end, and refuses them out of order", async () => {
  const { object, content: expected } = withShortBlock();
  const inOrder = await openLz4(inMemory(object), "it");
  assertEquals(Buffer.compare(await readAt(inOrder, 0, 1_000_000), expected), 0);
  await inOrder.verify();
  assertEquals(await inOrder.size(), expected.length);
  assertEquals(Buffer.compare(await readAt(inOrder, 66_000, 100), expected.subarray(66_000, 66_100)), 0);

  const outOfOrder = await openLz4(inMemory(object), "it");
  await outOfOrder.size();
  const error = await assertRejects(() => readAt(outOfOrder, 64 << 10, 10), ReplicationError);
  assertEquals(error.code, "unsupported");
  await assertRejects(() => readAt(outOfOrder, 0, 10), ReplicationError);
});

Deno.test("Lz4Content.verify() checks what was not read, and read() the end that it comes to in order", async () => {
  const object = await encoded(CONTENT);
  const damaged = object.with(object.length - 1, (object.at(-1) ?? 0) ^ 1);
  const skipped = await openLz4(inMemory(damaged), "it");
  await readAt(skipped, 20 * MIB, 7 * MIB);
  await assertRejects(() => skipped.verify(), ReplicationError, "the checksum of a frame's content is wrong");
  const inOrder = await openLz4(inMemory(damaged), "it");
  await assertRejects(() => readAt(inOrder, 0, CONTENT.length), ReplicationError, "checksum");
  assert(inOrder.decodedBlocks === BLOCKS);
});
