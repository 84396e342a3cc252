import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { aKeyPair, CountedBytes, decryptBytes, encryptBytes, inPieces, OBJECT, recipientsOf } from "../support/age.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { encrypt } from "../../lib/age/encrypt.ts";
import { openAge } from "../../lib/age/decrypt.ts";
import { loadAge } from "../../lib/age/library.ts";
import { CHUNK_BYTES } from "../../lib/age/payload.ts";

const SIZES = [
  0,
  1,
  4_096,
  CHUNK_BYTES - 1,
  CHUNK_BYTES,
  CHUNK_BYTES + 1,
  2 * CHUNK_BYTES,
  5 * CHUNK_BYTES - 1,
  3 << 20,
];

Deno.test("encrypt() and openAge() are twins, whatever the size and the pieces it comes in", async () => {
  const { identities, recipients } = await aKeyPair();
  for (const [seed, size] of SIZES.entries()) {
    const random = seededRandom(seed);
    const bytes = randomBytes(random, size);
    for (const piece of [1 + randomInteger(random, 3_000), CHUNK_BYTES, 262_144]) {
      const sealed = await encryptBytes(bytes, recipients, piece);
      assertEquals(await decryptBytes(sealed, identities), bytes, `${size} bytes in pieces of ${piece}, seed ${seed}`);
    }
  }
});

Deno.test("encrypt() writes what the library decrypts, and openAge() reads what the library encrypts", async () => {
  const { identity, identities, recipient, recipients } = await aKeyPair();
  const { Decrypter, Encrypter } = await loadAge();
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  for (const [seed, size] of SIZES.entries()) {
    const bytes = randomBytes(seededRandom(100 + seed), size);
    assertEquals(await decrypter.decrypt(await encryptBytes(bytes, recipients)), bytes, `${size} bytes, ours`);
    assertEquals(await decryptBytes(await encrypter.encrypt(bytes), identities), bytes, `${size} bytes, the library's`);
  }
});

Deno.test("encrypt() encrypts to every recipient, of one text or of several", async () => {
  const [one, two, three] = [await aKeyPair(), await aKeyPair(), await aKeyPair()];
  const bytes = randomBytes(seededRandom(1), 100_000);
  const recipients = await recipientsOf(`${one.recipient}\n${two.recipient}\n`, three.recipient);
  const sealed = await encryptBytes(bytes, recipients);
  for (const { identities } of [one, two, three]) assertEquals(await decryptBytes(sealed, identities), bytes);
});

Deno.test("encrypt() draws another file key and nonce each time", async () => {
  const { recipients } = await aKeyPair();
  const bytes = new Uint8Array(1_000);
  const [one, two] = [await encryptBytes(bytes, recipients), await encryptBytes(bytes, recipients)];
  assertEquals(one.length, two.length);
  const equal = one.subarray(-1_032).filter((byte, at) => byte === two[two.length - 1_032 + at]).length;
  assert(equal < 30, `${equal} of 1,032 bytes are equal`);
});

Deno.test("encrypt() says when nothing can be encrypted to a recipient", async () => {
  // The key of 32 zero bytes: every secret that is shared with it is zero.
  const recipients = await recipientsOf("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z");
  const error = await assertRejects(() => encrypt(inPieces(new Uint8Array(1), 1), recipients)(), ReplicationError);
  assertEquals(error.code, "config-invalid");
});

Deno.test("encrypt() passes on what the stream throws, and says the end more than once", async () => {
  const { identities, recipients } = await aKeyPair();
  const broken = encrypt(() => Promise.reject(new Error("no more")), recipients);
  await broken();
  await assertRejects(() => broken(), Error, "no more");
  const next = encrypt(inPieces(new Uint8Array(5), 5), recipients);
  const parts = [(await next()).slice(), (await next()).slice()];
  assertEquals([(await next()).length, (await next()).length], [0, 0]);
  const sealed = new Uint8Array(await new Blob(parts).arrayBuffer());
  assertEquals((await openAge(new CountedBytes(sealed), identities, OBJECT)).sizeBytes, 5);
});
