import { assertEquals, assertThrows } from "../support/assert.ts";
import { AssertionError } from "../../lib/base/assert.ts";
import { readGoldenWal } from "../golden/read.ts";
import { asOffset } from "../../lib/position/position.ts";
import { assertFrameAligned, framesBefore, frameSize, offsetAfter, storedChecksum } from "../../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";

Deno.test("offsetAfter() and framesBefore() are twins; no frames stand at offset 0", () => {
  assertEquals(offsetAfter(0, 4096), asOffset(0));
  assertEquals(offsetAfter(1, 4096), asOffset(4152));
  for (const pageSize of [512, 4096, 65536]) {
    for (const frames of [0, 1, 2, 1000, 70_000_000]) {
      assertEquals(framesBefore(offsetAfter(frames, pageSize), pageSize), frames);
    }
  }
});

Deno.test("assertFrameAligned() refuses offsets inside the header, inside a frame, and no integers", () => {
  assertFrameAligned(asOffset(0), 512);
  assertFrameAligned(asOffset(32), 512);
  assertFrameAligned(asOffset(32 + 2 * 536), 512);
  for (const offset of [1, 31, 33, 32 + 535, -504, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => assertFrameAligned(asOffset(offset), 512), AssertionError, "offset");
  }
});

Deno.test("storedChecksum() reads the sums of a frame that SQLite wrote", () => {
  const { bytes, expected } = readGoldenWal("page_4096");
  const last = WAL_HEADER_SIZE + (expected.frames - 1) * frameSize(expected.pageSize);
  assertEquals(storedChecksum(new DataView(bytes.buffer), last), expected.checksum);
});
