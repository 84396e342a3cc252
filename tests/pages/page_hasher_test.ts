import { KERNEL_COMMAND, NO_COMPILER_CODE } from "../../scripts/kernels.ts";
import { run } from "../../scripts/project.ts";
import { DatabaseChecksum } from "../../lib/pages/database_checksum.ts";
import { KERNEL_BASE64 } from "../../lib/pages/kernel_bytes.ts";
import { PageHasher } from "../../lib/pages/page_hasher.ts";
import { viewOf } from "../../lib/base/bytes.ts";
import { assertEquals, assertNotEquals } from "../support/assert.ts";
import { seededRandom } from "../support/random.ts";
import { pageValue, xxh64 } from "../support/xxh64.ts";

const compiled = await run(Deno.execPath(), [...KERNEL_COMMAND, "--print", "lib/pages"]);
const hasher = new PageHasher();

Deno.test({
  name: "KERNEL_BASE64 is what the compiler makes of lib/pages/kernel/",
  ignore: compiled.code === NO_COMPILER_CODE,
  fn: () => assertEquals({ ...compiled, stderr: "" }, { code: 0, stdout: `${KERNEL_BASE64}\n`, stderr: "" }),
});

function someBytes(seed: number, length: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

function valuesOf(bytes: Uint8Array, pageSize: number, firstPage: number): bigint[] {
  const words = new Uint32Array(bytes.length / pageSize * 2);
  hasher.hashPages(bytes, pageSize, firstPage, words);
  return Array.from(
    { length: words.length / 2 },
    (_, i) => BigInt(words[2 * i + 1] ?? 0) << 32n | BigInt(words[2 * i] ?? 0),
  );
}

Deno.test("xxh64() of the tests is the reference's", () => {
  // Values of the reference's own sanity checks and of its documentation.
  assertEquals(xxh64(new Uint8Array(0), 0n), 0xef46db3751d8e999n);
  assertEquals(xxh64(new TextEncoder().encode("xxhash"), 0n), 0x32dd38952c4bc720n);
  assertEquals(xxh64(new TextEncoder().encode("xxhash"), 20141025n), 0xb559b98d844e0635n);
  assertEquals(xxh64(new TextEncoder().encode("I want an unsigned 64-bit seed!"), 0n), 0xd4cb0a70a2b8c7c1n);
});

for (const pageSize of [512, 1024, 4096, 65536]) {
  Deno.test(`PageHasher.hashPages() is XXH64 seeded with the page number (${pageSize})`, () => {
    const count = pageSize === 65536 ? 9 : 600; // More than the window holds at once.
    const bytes = someBytes(pageSize, count * pageSize);
    const expected = Array.from(
      { length: count },
      (_, i) =>
        i % 37 === 0 || i === count - 1
          ? pageValue(bytes.subarray(i * pageSize, (i + 1) * pageSize), 4_000_000_000 + i)
          : undefined,
    );
    const actual = valuesOf(bytes, pageSize, 4_000_000_000);
    assertEquals(actual.map((value, i) => expected[i] === undefined ? undefined : value), expected);
  });

  Deno.test(`PageHasher.hashFrames() gives the values of their pages (${pageSize})`, () => {
    const count = pageSize === 65536 ? 9 : 600;
    const frames = someBytes(7, count * (pageSize + 24));
    const words = new Uint32Array(count * 2);
    hasher.hashFrames(frames, pageSize, words);
    for (let i = 0; i < count; i++) {
      const at = i * (pageSize + 24);
      const page = frames.subarray(at + 24, at + 24 + pageSize);
      const alone = new Uint32Array(2);
      hasher.hashPages(page, pageSize, viewOf(frames).getUint32(at), alone);
      assertEquals(words.subarray(2 * i, 2 * i + 2), alone);
    }
  });
}

Deno.test("PageHasher hashes what was read into its window without a copy", () => {
  const bytes = someBytes(3, 8192);
  hasher.window.set(bytes, 4096);
  const words = new Uint32Array(4);
  hasher.hashPages(hasher.window.subarray(4096, 12288), 4096, 5, words);
  assertEquals(
    words,
    (() => {
      const other = new Uint32Array(4);
      new PageHasher().hashPages(bytes, 4096, 5, other);
      return other;
    })(),
  );
});

Deno.test("DatabaseChecksum is a sum modulo 2^64", () => {
  const random = seededRandom(9);
  const sum = new DatabaseChecksum();
  let expected = 0n;
  for (let i = 0; i < 10_000; i++) {
    const [low, high] = [Math.floor(random() * 2 ** 32), Math.floor(random() * 2 ** 32)];
    const value = BigInt(high) << 32n | BigInt(low);
    if (random() < 0.6) {
      sum.add(low, high);
      expected += value;
    } else {
      sum.subtract(low, high);
      expected -= value;
    }
    assertEquals(viewOf(sum.bytes()).getBigUint64(0, true), BigInt.asUintN(64, expected));
  }
  assertEquals(DatabaseChecksum.parse(sum.bytes()).bytes(), sum.bytes());
});

/** The checksum of a database of four pages. */
function checksum(pages: readonly Uint8Array[]): Uint8Array {
  const sum = new DatabaseChecksum();
  const words = new Uint32Array(2);
  for (const [slot, page] of pages.entries()) {
    hasher.hashPages(page, 512, slot + 1, words);
    sum.addAll(words);
  }
  return sum.bytes();
}

Deno.test("The checksum changes when two pages suffer the same change, lose equal updates, are swapped, or one is stale", () => {
  const page = (seed: number) => someBytes(seed, 512);
  const [a, b, c, d] = [page(1), page(2), page(3), page(4)];
  const whole = checksum([a, b, c, d]);
  const flipped = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => i === at ? byte ^ 1 : byte);
  assertNotEquals(checksum([flipped(a, 9), flipped(b, 9), c, d]), whole); // The same change in two pages.
  assertNotEquals(checksum([b, a, c, d]), whole); // Two pages swapped.
  assertNotEquals(checksum([a, b, page(5), d]), whole); // One page stale.
  // Equal updates of two equal pages, both lost.
  assertNotEquals(checksum([a, a, c, d]), checksum([b, b, c, d]));
  const [old, now] = [page(6), page(7)];
  assertNotEquals(checksum([old, old, c, d]), checksum([now, now, c, d]));
  assertNotEquals(checksum([old, now, c, d]), checksum([now, old, c, d]));
});
