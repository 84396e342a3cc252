import { encodeFrame } from "../../lib/lz4/frame_encoder.ts";
import { openLz4 } from "../../lib/lz4/frame_decoder.ts";
import { readTail, TRAILER_MAGIC, withoutTrailerEnding, withTrailerEnding } from "../../lib/lz4/trailer.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { collect, decoded, encoded, inMemory, inPieces, joined, MIB, runLz4, someBytes } from "./stage.ts";

Deno.test("readTail() reads what withTrailerEnding() ended, from the end alone", async () => {
  const content = someBytes("mixed", 4 * MIB + 5);
  for (const size of [0, 1, 64, 4_080, 4_081, 70_000, 300_000]) {
    const says = someBytes("random", size, size);
    const object = await encoded(content, () => withTrailerEnding(says));
    const source = inMemory(object);
    const tail = await readTail(source);
    assert(tail !== undefined && tail !== "damaged");
    const found = new Uint8Array(tail.sizeBytes);
    assertEquals(await tail.read(0, found), size);
    assertEquals(found, says);
    assertEquals(source.reads, size + 16 <= 4_096 ? 1 : 3);
    assertEquals(await tail.read(size, new Uint8Array(4)), 0, "its ending is not read");
    assertEquals(await runLz4(["-d"], object), content);
    const opened = await openLz4(source, "it");
    assertEquals(withoutTrailerEnding(await opened.trailer(TRAILER_MAGIC) ?? new Uint8Array(0)), says);
    assertEquals(await opened.trailer(TRAILER_MAGIC + 1), undefined);
    opened.close();
  }
});

Deno.test("encodeFrame() asks for the trailer when all content was taken", async () => {
  for (const size of [0, 10, 4 * MIB, 9 * MIB]) {
    const content = someBytes("mixed", size);
    const frame = encodeFrame(inPieces(content), () => new TextEncoder().encode(`${frame.contentBytes} bytes`));
    const object = await collect(frame);
    const opened = await openLz4(inMemory(object), "it");
    assertEquals(new TextDecoder().decode(await opened.trailer(TRAILER_MAGIC)), `${size} bytes`);
    assertEquals(await decoded(object), content);
    assertEquals((await frame.next()).length, 0);
  }
});

Deno.test("readTail() finds nothing in other objects", async () => {
  const frame = await encoded(someBytes("text", 1_000));
  const trailer = (await encoded(new Uint8Array(0), () => withTrailerEnding(new Uint8Array(50)))).subarray(15);
  assert(await readTail(inMemory(joined(frame, trailer))) !== undefined);
  const others = [
    new Uint8Array(0),
    new Uint8Array(7),
    frame,
    joined(frame, trailer, frame),
    Uint8Array.fromHex("ffffffff" + "5454524d"),
  ];
  for (const other of others) assertEquals(await readTail(inMemory(other)), undefined);
});

Deno.test("readTail() tells a trailer with one flipped bit at either end from an object that has none", async () => {
  for (const size of [0, 50, 5_000]) {
    const object = await encoded(someBytes("text", 1_000), () => withTrailerEnding(someBytes("random", size)));
    const payload = size + 8;
    for (let at = object.length - payload - 8; at < object.length; at++) {
      const isInside = at >= object.length - payload && at < object.length - 8;
      for (let bit = 0; bit < 8 && (!isInside || bit === 0); bit++) {
        const found = await readTail(inMemory(object.with(at, (object[at] ?? 0) ^ (1 << bit))));
        if (isInside) assert(found !== undefined && found !== "damaged"); // Its own checksum finds that.
        else assertEquals(found, "damaged", `bit ${bit} of byte ${at - object.length}`);
      }
    }
  }
});
