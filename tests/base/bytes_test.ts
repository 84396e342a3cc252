import { assert, assertEquals, assertFalse } from "../support/assert.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";
import { equalBytes, getSafeUint64, hex, setSafeUint64, viewOf } from "../../lib/base/bytes.ts";

Deno.test("viewOf() sees exactly the bytes of a part of a buffer", () => {
  const part = Uint8Array.of(1, 2, 3, 4, 5, 6).subarray(2, 5);
  assertEquals(viewOf(part).byteLength, 3);
  assertEquals(viewOf(part).getUint8(0), 3);
});

Deno.test("equalBytes() sees a difference in every byte, for every length and alignment", () => {
  const random = seededRandom(2);
  for (let length = 0; length <= 19; length++) {
    for (const shift of [0, 1, 3]) {
      const a = randomBytes(random, length + shift).subarray(shift);
      const b = a.slice();
      assert(equalBytes(a, b));
      for (let at = 0; at < length; at++) {
        b[at] = (b[at] ?? 0) ^ (1 << randomInteger(random, 8));
        assertFalse(equalBytes(a, b), `byte ${at} of ${length}`);
        b[at] = a[at] ?? 0;
      }
    }
  }
});

Deno.test("equalBytes() tells arrays of different lengths apart", () => {
  assertFalse(equalBytes(new Uint8Array(4), new Uint8Array(5)));
  assertFalse(equalBytes(new Uint8Array(0), new Uint8Array(1)));
});

Deno.test("setSafeUint64() and getSafeUint64() are twins up to the largest exact number, little-endian", () => {
  const view = new DataView(new ArrayBuffer(9));
  for (const value of [0, 1, 255, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]) {
    setSafeUint64(view, 1, value);
    assertEquals(view.getBigUint64(1, true), BigInt(value));
    assertEquals(getSafeUint64(view, 1), value);
  }
  assertEquals(view.getUint8(0), 0);
});

Deno.test("hex() writes two lowercase digits a byte", () => {
  assertEquals(hex(Uint8Array.of(0, 10, 255)), "000aff");
  assertEquals(hex(new Uint8Array()), "");
});
