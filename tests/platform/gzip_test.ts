import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { ReplicationError } from "../../lib/base/errors.ts";
import { openGzip } from "../../lib/platform/gzip.ts";
import { assert, assertEquals, assertLess, assertRejects } from "../support/assert.ts";
import { randomBytes, seededRandom } from "../support/random.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** So much compresses to less than the 4 MB from which on the size at the end could mean more. */
const CONTENT_BYTES = 32 << 20;
const ZEROS_BYTES = 512 << 20;
const CHUNK_BYTES = 64 << 10;

function stored(bytes: Uint8Array) {
  let readBytes = 0;
  return {
    sizeBytes: bytes.length,
    get readBytes() {
      return readBytes;
    },
    read(at: number, into: Uint8Array): Promise<number> {
      const piece = bytes.subarray(at, at + into.length);
      into.set(piece);
      readBytes += piece.length;
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

Deno.test("openGzip() has in memory what a small piece of the file stands for, and a part of what lies before", async () => {
  await withTemporaryFolder(async (folder) => {
    const path = `${folder}/zeros.gz`;
    Deno.writeFileSync(path, gzipSync(new Uint8Array(ZEROS_BYTES)));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", new URL("../support/gzip_memory.ts", import.meta.url).pathname, path],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const [forward = 0, backward = 0] = new TextDecoder().decode(stdout).trim().split(" ").map(Number);
    assertLess(forward, 48 << 20);
    assertLess(backward, 96 << 20);
  });
});

Deno.test("openGzip() reads backwards without decoding all from the start for each piece", async () => {
  const content = randomBytes(seededRandom(14), 8 << 20);
  const source = stored(gzipSync(content));
  const opened = openGzip(source, "it", 2 << 20);
  const into = new Uint8Array(CHUNK_BYTES * 4);
  for (let at = content.length - into.length; at >= 0; at -= into.length) {
    assertEquals(await opened.read(at, into), into.length);
    assertEquals(Buffer.compare(into, content.subarray(at, at + into.length)), 0);
  }
  assertLess(source.readBytes, 5 * content.length); // From the start each time: 16 times.
  opened.close();
});

Deno.test("openGzip() tells what is cut off, flipped, or has more behind it", async () => {
  const random = seededRandom(13);
  const content = randomBytes(random, 20_000).map((byte) => byte & 3);
  const whole = gzipSync(content);
  const isRight = async (bytes: Uint8Array) => {
    const into = new Uint8Array(content.length + 1);
    const opened = openGzip(stored(bytes), "it");
    try {
      const got = await opened.read(0, into);
      return await opened.size() === content.length && Buffer.compare(into.subarray(0, got), content) === 0;
    } catch (error) {
      assert(error instanceof ReplicationError && error.code === "corrupt", String(error));
      return undefined;
    } finally {
      opened.close();
    }
  };
  for (let trial = 0; trial < 60; trial++) {
    const at = 10 + Math.floor(random() * (whole.length - 10)); // Time and name in the header mean nothing.
    const flipped = Uint8Array.from(whole, (byte, slot) => slot === at ? byte ^ (1 << (trial & 7)) : byte);
    assert(await isRight(flipped) !== false, `byte ${at}`);
    assertEquals(await isRight(whole.subarray(0, at)), undefined, `cut at ${at}`);
  }
  assertEquals(await isRight(Uint8Array.from([...whole, 0])), undefined);
  assertEquals(await isRight(whole), true);
});
