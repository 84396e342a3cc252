import { gzipSync } from "node:zlib";
import { ReplicationError } from "../../lib/base/errors.ts";
import { openGzip } from "../../lib/platform/gzip.ts";
import { assertEquals, assertLess, assertRejects } from "../support/assert.ts";

/** So much compresses to less than the 4 MB from which on the size at the end could mean more. */
const CONTENT_BYTES = 32 << 20;
const CHUNK_BYTES = 64 << 10;

function stored(bytes: Uint8Array) {
  let readTo = 0;
  return {
    sizeBytes: bytes.length,
    get readTo() {
      return readTo;
    },
    read(at: number, into: Uint8Array): Promise<number> {
      const piece = bytes.subarray(at, at + into.length);
      into.set(piece);
      if (at < bytes.length - 4) readTo = Math.max(readTo, at + piece.length); // The end is looked at first.
      return Promise.resolve(piece.length);
    },
  };
}

Deno.test("openGzip() reads what was written, whatever the pieces", async () => {
  const content = new Uint8Array(300_000).map((_, at) => (at * at) >>> 7);
  const opened = openGzip(stored(gzipSync(content)), "it");
  const into = new Uint8Array(CHUNK_BYTES);
  for (const at of [0, 250_000, 100, 299_999, 300_000]) {
    const got = await opened.read(at, into);
    assertEquals(into.subarray(0, got), content.subarray(at, at + CHUNK_BYTES));
  }
  assertEquals(await opened.size(), content.length);
  opened.close();
});

Deno.test("openGzip() ends at more bytes than the end of the file claims", async () => {
  const bytes = gzipSync(new Uint8Array(CONTENT_BYTES));
  const size = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4);
  assertEquals(size.getUint32(0, true), CONTENT_BYTES);
  size.setUint32(0, 1_000, true);
  const opened = openGzip(stored(bytes), "it");
  const error = await assertRejects(() => opened.size(), ReplicationError);
  assertEquals([error.code, error.message], [
    "corrupt",
    "Cannot read it: it holds more than the 1000 bytes that its end claims",
  ]);
  opened.close();
});

Deno.test("openGzip() has in memory what a small piece of the file stands for", async () => {
  const opened = openGzip(stored(gzipSync(new Uint8Array(CONTENT_BYTES))), "it");
  const largest = { bytes: 0 };
  const pipe = ReadableStream.prototype.pipeThrough;
  ReadableStream.prototype.pipeThrough = function <T>(this: ReadableStream, pair: ReadableWritablePair<T>) {
    const noted = new TransformStream<T, T>({
      transform: (piece, controller) => {
        largest.bytes = Math.max(largest.bytes, (piece as Uint8Array).length);
        controller.enqueue(piece);
      },
    });
    return pipe.call(pipe.call(this, pair), noted) as ReadableStream<T>;
  } as typeof pipe;
  try {
    assertEquals(await opened.size(), CONTENT_BYTES);
  } finally {
    ReadableStream.prototype.pipeThrough = pipe;
    opened.close();
  }
  assertLess(largest.bytes, 8 << 20);
});
