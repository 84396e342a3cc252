import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { aKeyPair, CountedBytes, decryptBytes, encryptBytes, OBJECT } from "../support/age.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { openAge } from "../../lib/age/decrypt.ts";
import { CHUNK_BYTES, shapeOf } from "../../lib/age/payload.ts";

const CODES = ["corrupt", "denied", "unsupported"];

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error;
  }
}

Deno.test("openAge() refuses an object of which any one bit of the header is flipped, and many of its payload", async () => {
  const { identities, identity, recipients } = await aKeyPair();
  const random = seededRandom(11);
  const bytes = randomBytes(random, CHUNK_BYTES + 300);
  const sealed = await encryptBytes(bytes, recipients);
  const headerBits = 8 * (sealed.length - bytes.length - 2 * 16);
  const bits = Array.from({ length: headerBits }, (_, bit) => bit);
  for (let i = 0; i < 400; i++) bits.push(randomInteger(random, 8 * sealed.length));
  for (const bit of bits) {
    const flipped = sealed.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const error = await failureOf(decryptBytes(flipped, identities));
    assertInstanceOf(error, ReplicationError, `bit ${bit} of ${8 * sealed.length}: ${error}`);
    assert(CODES.includes(error.code), `bit ${bit}: ${error.code}`);
    assert(!Deno.inspect(error).includes(identity.slice(20)), `bit ${bit}`);
  }
});

Deno.test("openAge() refuses random bytes, and age objects of which parts are random, moved or missing", async () => {
  const { identities, recipients } = await aKeyPair();
  const sealed = await encryptBytes(randomBytes(seededRandom(0), 2 * CHUNK_BYTES + 9), recipients);
  for (let seed = 0; seed < 500; seed++) {
    const random = seededRandom(seed);
    const place = () => randomInteger(random, random() < 0.5 ? 300 : sealed.length);
    const part = sealed.subarray(...[place(), place()].sort((a, b) => a - b));
    const [before, after] = [sealed.slice(0, place()), sealed.slice(place())];
    const middle = random() < 0.5 ? randomBytes(random, randomInteger(random, 200)) : part.slice();
    const object = new Uint8Array(await new Blob([before, middle, after]).arrayBuffer());
    if (object.length === sealed.length && object.every((byte, at) => byte === sealed[at])) continue;
    const error = await failureOf(decryptBytes(object, identities));
    assertInstanceOf(error, ReplicationError, `seed ${seed}: ${error}`);
    assert(CODES.includes(error.code), `seed ${seed}: ${error.code}`);
    const noise = new CountedBytes(randomBytes(random, randomInteger(random, 500)));
    assertInstanceOf(await failureOf(openAge(noise, identities, OBJECT)), ReplicationError, `seed ${seed}`);
  }
});

Deno.test("shapeOf() knows exactly the sizes that payloads have", () => {
  const sealedBytes = (plain: number) => plain + 16 * Math.max(1, Math.ceil(plain / CHUNK_BYTES));
  const possible = new Map<number, number>();
  for (let plain = 0; plain <= 3 * CHUNK_BYTES + 40; plain++) possible.set(sealedBytes(plain), plain);
  for (let size = 0; size <= sealedBytes(3 * CHUNK_BYTES + 40); size++) {
    assertEquals(shapeOf(size)?.plainBytes, possible.get(size), `${size} bytes`);
  }
});
