import { assert, assertEquals, assertFalse, assertInstanceOf, assertRejects } from "../support/assert.ts";
import {
  aKeyPair,
  CountedBytes,
  decryptBytes,
  encryptBytes,
  identitiesOf,
  type KeyPair,
  OBJECT,
  recipientsOf,
} from "../support/age.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";
import type { StoredBytes } from "../../lib/base/byte_source.ts";
import { limits } from "../../lib/base/limits.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { openAge } from "../../lib/age/decrypt.ts";
import type { AgeIdentities } from "../../lib/age/identities.ts";
import { CHUNK_BYTES, SEALED_CHUNK_BYTES } from "../../lib/age/payload.ts";

const PAYLOAD_NONCE_BYTES = 16;

async function refusal(sealed: Uint8Array, identities: AgeIdentities, place = ""): Promise<ReplicationError> {
  const error = await assertRejects(() => decryptBytes(sealed, identities), ReplicationError, undefined, place);
  assertInstanceOf(error, ReplicationError);
  assert(error.message.startsWith(`Cannot decrypt ${OBJECT}: `), error.message);
  return error;
}

interface Sealed extends KeyPair {
  readonly bytes: Uint8Array;
  readonly sealed: Uint8Array<ArrayBuffer>;
  /** Where the sealed chunks begin. */
  readonly chunksAt: number;
}

async function aSealed(size: number, seed = 0): Promise<Sealed> {
  const pair = await aKeyPair();
  const bytes = randomBytes(seededRandom(seed), size);
  const sealed = await encryptBytes(bytes, pair.recipients);
  const chunks = Math.max(1, Math.ceil(size / CHUNK_BYTES));
  return { ...pair, bytes, sealed, chunksAt: sealed.length - size - 16 * chunks };
}

async function readPart(object: StoredBytes, at: number, length: number): Promise<Uint8Array> {
  const into = new Uint8Array(length);
  return into.subarray(0, await object.read(at, into));
}

Deno.test("openAge() reads any part as it is in the whole, in any order and several at once", async () => {
  for (let seed = 0; seed < 4; seed++) {
    const random = seededRandom(seed);
    const { bytes, sealed, identities } = await aSealed(randomInteger(random, 20 * CHUNK_BYTES), seed);
    const object = await openAge(new CountedBytes(sealed), identities, OBJECT);
    assertEquals(object.sizeBytes, bytes.length);
    for (let i = 0; i < 60; i++) {
      const parts = Array.from({ length: 1 + randomInteger(random, 3) }, () => {
        const length = randomInteger(random, random() < 0.5 ? 2_000 : 10 * CHUNK_BYTES);
        return { at: randomInteger(random, bytes.length + 1_000), length };
      });
      const read = await Promise.all(parts.map(({ at, length }) => readPart(object, at, length)));
      for (const [slot, { at, length }] of parts.entries()) {
        assertEquals(read[slot], bytes.subarray(at, at + length), `seed ${seed}, ${length} bytes from ${at}`);
      }
    }
  }
});

Deno.test("openAge() reads parts that begin and end at the borders of chunks", async () => {
  const { bytes, sealed, identities } = await aSealed(6 * CHUNK_BYTES);
  const object = await openAge(new CountedBytes(sealed), identities, OBJECT);
  for (let first = 0; first <= 6; first++) {
    for (let end = first; end <= 6; end++) {
      for (const [early, late] of [[0, 0], [-1, 1], [1, -1]] as const) {
        const at = Math.max(0, first * CHUNK_BYTES + early);
        const length = Math.max(0, end * CHUNK_BYTES + late - at);
        assertEquals(await readPart(object, at, length), bytes.subarray(at, at + length), `${length} from ${at}`);
      }
    }
  }
  assertEquals(await object.read(object.sizeBytes, new Uint8Array(10)), 0);
  assertEquals(await object.read(object.sizeBytes + 7, new Uint8Array(10)), 0);
});

Deno.test("openAge() reads little of a large object for its size and its tail, and a small one at once", async () => {
  const { bytes, sealed, identities } = await aSealed(10 << 20);
  const stored = new CountedBytes(sealed);
  const object = await openAge(stored, identities, OBJECT);
  assertEquals(await readPart(object, bytes.length - 500, 500), bytes.subarray(-500));
  assertEquals(stored.readCount, 2);
  assert(stored.readBytes <= limits.ageFirstReadBytes + SEALED_CHUNK_BYTES, `${stored.readBytes} bytes`);

  const small = new CountedBytes((await aSealed(30_000)).sealed);
  await assertRejects(() => openAge(small, identities, OBJECT), ReplicationError, "none of the age identities fits");
  assertEquals(small.readCount, 1);
});

Deno.test("openAge() reads each byte once when it is read from beginning to end, in small steps or large ones", async () => {
  for (const step of [1_000, CHUNK_BYTES, 300_000, 4 << 20]) {
    const { bytes, sealed, identities } = await aSealed(3 << 20);
    const stored = new CountedBytes(sealed);
    const object = await openAge(stored, identities, OBJECT);
    for (let at = 0; at < bytes.length; at += step) {
      assertEquals(await readPart(object, at, step), bytes.subarray(at, at + step));
    }
    const twice = limits.ageFirstReadBytes + SEALED_CHUNK_BYTES; // The beginning and the end.
    assert(stored.readBytes <= sealed.length + twice, `${stored.readBytes} of ${sealed.length} bytes, step ${step}`);
  }
});

Deno.test("openAge() refuses an object that was cut at the end of a chunk, and says so, before it tells a size", async () => {
  for (const size of [3 * CHUNK_BYTES, 4 * CHUNK_BYTES + 1]) {
    const { sealed, identities, chunksAt } = await aSealed(size);
    const chunks = Math.ceil(size / CHUNK_BYTES);
    for (let kept = 1; kept < chunks; kept++) {
      const cut = new CountedBytes(sealed.subarray(0, chunksAt + kept * SEALED_CHUNK_BYTES));
      const error = await assertRejects(() => openAge(cut, identities, OBJECT), ReplicationError);
      assertEquals(error.code, "corrupt");
      assertEquals(error.message, `Cannot decrypt ${OBJECT}: it was cut behind chunk ${kept} (more must follow)`);
    }
  }
});

Deno.test("openAge() refuses an object that was cut anywhere", async () => {
  const { sealed, identities, chunksAt } = await aSealed(2 * CHUNK_BYTES + 100);
  const random = seededRandom(5);
  const cuts = new Set(Array.from({ length: chunksAt + 40 }, (_, at) => at));
  for (const border of [chunksAt + SEALED_CHUNK_BYTES, chunksAt + 2 * SEALED_CHUNK_BYTES, sealed.length - 20]) {
    for (let at = border - 20; at <= border + 19; at++) cuts.add(at);
  }
  for (let i = 0; i < 100; i++) cuts.add(randomInteger(random, sealed.length));
  for (const at of cuts) {
    const error = await refusal(sealed.subarray(0, at), identities, `cut at ${at}`);
    assertEquals(error.code, "corrupt", `cut at ${at}: ${error.message}`);
  }
});

Deno.test("openAge() refuses an object with something behind its end", async () => {
  for (const size of [0, 10, CHUNK_BYTES]) {
    const { sealed, identities } = await aSealed(size);
    for (const more of [1, 16, 17, SEALED_CHUNK_BYTES, sealed.length]) {
      const longer = new Uint8Array(sealed.length + more);
      longer.set(sealed);
      longer.set(sealed.subarray(0, more), sealed.length);
      assertEquals((await refusal(longer, identities)).code, "corrupt", `${more} bytes behind ${size}`);
    }
  }
});

Deno.test("openAge() refuses chunks that stand in another place or are of another object", async () => {
  const { sealed, recipients, identities, bytes, chunksAt } = await aSealed(3 * CHUNK_BYTES + 5);
  const chunkAt = (number: number) => chunksAt + number * SEALED_CHUNK_BYTES;
  const swapped = sealed.slice();
  swapped.set(sealed.subarray(chunkAt(1), chunkAt(2)), chunkAt(0));
  swapped.set(sealed.subarray(chunkAt(0), chunkAt(1)), chunkAt(1));
  assertEquals(
    (await refusal(swapped, identities)).message,
    `Cannot decrypt ${OBJECT}: chunk 1 of 4 is damaged`,
  );
  const other = await encryptBytes(bytes, recipients);
  const mixed = sealed.slice();
  mixed.set(other.subarray(chunkAt(2), chunkAt(3)), chunkAt(2));
  assertEquals((await refusal(mixed, identities)).code, "corrupt");
});

Deno.test("openAge() gives what is whole of a damaged object, and only that", async () => {
  const { sealed, identities, bytes, chunksAt } = await aSealed(5 * CHUNK_BYTES);
  const at = chunksAt + 2 * SEALED_CHUNK_BYTES + 77;
  sealed[at] = (sealed[at] ?? 0) ^ 1;
  const object = await openAge(new CountedBytes(sealed), identities, OBJECT);
  assertEquals(await readPart(object, 0, 2 * CHUNK_BYTES), bytes.subarray(0, 2 * CHUNK_BYTES));
  assertEquals(await readPart(object, 3 * CHUNK_BYTES, CHUNK_BYTES), bytes.subarray(3 * CHUNK_BYTES, 4 * CHUNK_BYTES));
  for (const [from, length] of [[2 * CHUNK_BYTES, 1], [2 * CHUNK_BYTES - 1, 2], [0, bytes.length]] as const) {
    const error = await assertRejects(() => readPart(object, from, length), ReplicationError);
    assertEquals(error.message, `Cannot decrypt ${OBJECT}: chunk 3 of 5 is damaged`);
  }
});

Deno.test("openAge() says that no identity fits, or that there is none", async () => {
  const { sealed } = await aSealed(100);
  const [one, two] = [await aKeyPair(), await aKeyPair()];
  const denied = await refusal(sealed, await identitiesOf(one.identity, two.identity));
  assertEquals([denied.code, denied.message], [
    "denied",
    `Cannot decrypt ${OBJECT}: none of the age identities fits it`,
  ]);
  const none = await refusal(sealed, await identitiesOf());
  assertEquals([none.code, none.message], [
    "config-invalid",
    `Cannot decrypt ${OBJECT}: it is encrypted with age, and there is no identity`,
  ]);
  for (const error of [denied, none]) {
    for (const { identity } of [one, two]) assertFalse(Deno.inspect(error, { depth: 20 }).includes(identity.slice(20)));
  }
});

Deno.test("openAge() takes the identity that fits, wherever it stands in the list", async () => {
  const { sealed, identity, bytes } = await aSealed(100);
  const other = await aKeyPair();
  for (const texts of [[identity, other.identity], [other.identity, identity], [`${other.identity}\n${identity}`]]) {
    assertEquals(await decryptBytes(sealed, await identitiesOf(...texts)), bytes);
  }
});

Deno.test("openAge() says what an object is that is not of age's binary format, version 1", async () => {
  const { sealed, identities } = await aSealed(100);
  const lz4 = new Uint8Array(1_000);
  lz4.set([0x04, 0x22, 0x4d, 0x18]);
  const otherVersion = sealed.slice();
  otherVersion[20] = "2".charCodeAt(0);
  const rows: [Uint8Array, string, string][] = [
    [new Uint8Array(0), "corrupt", "it is not encrypted with age"],
    [lz4, "corrupt", "it is not encrypted with age"],
    [new TextEncoder().encode("-----BEGIN AGE ENCRYPTED FILE-----\n"), "corrupt", "it is not encrypted with age"],
    [sealed.subarray(0, 10), "corrupt", "its age header has no end"],
    [otherVersion, "unsupported", "it is not of version 1 of the age format"],
  ];
  for (const [object, code, said] of rows) {
    const error = await refusal(object, identities);
    assertEquals([error.code, error.message], [code, `Cannot decrypt ${OBJECT}: ${said}`]);
  }
});

Deno.test("openAge() reads a header that is longer than the first read, and gives up on one without an end", async () => {
  const pair = await aKeyPair();
  const many = await recipientsOf(`${`${pair.recipient}\n`.repeat(800)}`);
  const bytes = randomBytes(seededRandom(3), 70_000);
  const sealed = await encryptBytes(bytes, many);
  assert(sealed.length - bytes.length > limits.ageFirstReadBytes);
  assertEquals(await decryptBytes(sealed, pair.identities), bytes);

  const endless = new CountedBytes(new TextEncoder().encode(`age-encryption.org/v1\n${"-> a b\n\n".repeat(200_000)}`));
  const error = await assertRejects(() => openAge(endless, pair.identities, OBJECT), ReplicationError);
  assertEquals(error.message, `Cannot decrypt ${OBJECT}: its age header has no end`);
  assert(endless.readBytes <= limits.ageFirstReadBytes + limits.ageHeaderMaxBytes);
});

Deno.test("openAge() says when the object is shorter than it was said to be", async () => {
  const { sealed, identities, chunksAt } = await aSealed(3 * CHUNK_BYTES);
  assert(chunksAt > PAYLOAD_NONCE_BYTES);
  const shrunk = new CountedBytes(sealed.subarray(0, 150_000), sealed.length);
  const error = await assertRejects(() => openAge(shrunk, identities, OBJECT), ReplicationError);
  assertEquals(error.code, "corrupt");
  assertEquals(error.message.endsWith(`(it should have ${sealed.length} bytes)`), true, error.message);
});
