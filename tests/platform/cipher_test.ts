import { assertEquals } from "../support/assert.ts";
import { hex } from "../../lib/base/bytes.ts";
import { hkdfSha256, seal, TAG_BYTES, unpredictableBytes, unseal } from "../../lib/platform/cipher.ts";
import { randomBytes, seededRandom } from "../support/random.ts";

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

Deno.test("seal() writes ChaCha20-Poly1305 as RFC 8439 has it (A.5, without the additional data)", () => {
  const key = bytesOf("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
  const nonce = bytesOf("000000000102030405060708");
  const plain = new TextEncoder().encode("Internet-Drafts are draft documents valid for a maximum of six months");
  const sealed = new Uint8Array(plain.length + TAG_BYTES);
  assertEquals(seal(key, nonce, plain, sealed), sealed.length);
  // The keystream does not depend on the additional data, the tag does.
  assertEquals(
    hex(sealed.subarray(0, 32)),
    "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2",
  );
  const back = new Uint8Array(plain.length);
  assertEquals(unseal(key, nonce, sealed, back), plain.length);
  assertEquals(back, plain);
});

Deno.test("unseal() leaves the array as it was when a bit, the key or the nonce is another", () => {
  const random = seededRandom(2);
  for (const length of [0, 1, 100, 9_000, 65_536]) {
    const [key, nonce, plain] = [randomBytes(random, 32), randomBytes(random, 12), randomBytes(random, length)];
    const sealed = new Uint8Array(length + TAG_BYTES);
    seal(key, nonce, plain, sealed);
    const into = new Uint8Array(length).fill(7);
    const flipped = sealed.slice();
    flipped[length] = (flipped[length] ?? 0) ^ 1;
    assertEquals(unseal(key, nonce, flipped, into), undefined);
    assertEquals(unseal(randomBytes(random, 32), nonce, sealed, into), undefined);
    assertEquals(unseal(key, randomBytes(random, 12), sealed, into), undefined);
    assertEquals(unseal(key, nonce, sealed.subarray(1), into), undefined);
    assertEquals(into, new Uint8Array(length).fill(7));
    assertEquals(unseal(key, nonce, sealed, into), length);
    assertEquals(into, plain);
  }
  assertEquals(unseal(new Uint8Array(32), new Uint8Array(12), new Uint8Array(15), new Uint8Array(0)), undefined);
});

Deno.test("hkdfSha256() derives what RFC 5869 derives (A.3)", () => {
  const derived = hkdfSha256(new Uint8Array(22).fill(0x0b), new Uint8Array(0), "", 42);
  assertEquals(
    hex(derived),
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  );
});

Deno.test("unpredictableBytes() gives as many as asked, others each time", () => {
  const [one, two] = [unpredictableBytes(16), unpredictableBytes(16)];
  assertEquals([one.length, two.length], [16, 16]);
  assertEquals(hex(one) === hex(two), false);
});
