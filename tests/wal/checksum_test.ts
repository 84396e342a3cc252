import { assert, assertEquals, assertFalse } from "../support/assert.ts";
import { randomBytes, seededRandom } from "../support/random.ts";
import { equalChecksums, RunningChecksum, ZERO_CHECKSUM } from "../../lib/wal/checksum.ts";

/** The definition, in integers of any size. */
function plainSum(bytes: Uint8Array, littleEndian: boolean, start = ZERO_CHECKSUM) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [s0, s1] = [BigInt(start.s0), BigInt(start.s1)];
  for (let at = 0; at < bytes.length; at += 8) {
    s0 = (s0 + BigInt(view.getUint32(at, littleEndian)) + s1) % (1n << 32n);
    s1 = (s1 + BigInt(view.getUint32(at + 4, littleEndian)) + s0) % (1n << 32n);
  }
  return { s0: Number(s0), s1: Number(s1) };
}

Deno.test("RunningChecksum follows its definition for random bytes, both byte orders, and any start", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 200; round++) {
    const bytes = randomBytes(random, 8 * (1 + round % 40));
    const start = { s0: Math.floor(random() * 2 ** 32), s1: Math.floor(random() * 2 ** 32) };
    for (const littleEndian of [true, false]) {
      const sum = new RunningChecksum();
      sum.set(start);
      sum.update(new DataView(bytes.buffer), 0, bytes.length, littleEndian);
      assertEquals(sum.value(), plainSum(bytes, littleEndian, start));
    }
  }
});

Deno.test("RunningChecksum wraps at 32 bits without losing the sign bit", () => {
  const bytes = new Uint8Array(64).fill(0xff);
  const sum = new RunningChecksum();
  sum.update(new DataView(bytes.buffer), 0, bytes.length, true);
  assertEquals(sum.value(), plainSum(bytes, true));
});

Deno.test("RunningChecksum compares with sums stored big-endian", () => {
  const stored = new DataView(new ArrayBuffer(9));
  const sum = new RunningChecksum();
  sum.set({ s0: 0xdeadbeef, s1: 0x80000000 });
  stored.setUint32(1, 0xdeadbeef);
  stored.setUint32(5, 0x80000000);
  assert(sum.equalsStored(stored, 1));
  stored.setUint8(8, 1);
  assertFalse(sum.equalsStored(stored, 1));
});

Deno.test("equalChecksums() looks at both sums", () => {
  assert(equalChecksums({ s0: 1, s1: 2 }, { s0: 1, s1: 2 }));
  assertFalse(equalChecksums({ s0: 1, s1: 2 }, { s0: 1, s1: 3 }));
  assertFalse(equalChecksums({ s0: 1, s1: 2 }, { s0: 0, s1: 2 }));
});
