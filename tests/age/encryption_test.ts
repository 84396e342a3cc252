import { assert, assertEquals, assertFalse, assertRejects } from "../support/assert.ts";
import { aKeyPair, CountedBytes, inPieces, OBJECT, readToEnd } from "../support/age.ts";
import { randomBytes, seededRandom } from "../support/random.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { Secret } from "../../lib/base/secret.ts";
import { createEncryption } from "../../lib/age/encryption.ts";
import type { Encryption } from "../../lib/store/stored_object.ts";

Deno.test("createEncryption() gives what a store encrypts with, and decrypts with where there are identities", async () => {
  const { identity, recipient } = await aKeyPair();
  const [writer, reader]: Encryption[] = [
    createEncryption({ recipients: [recipient], identities: [] }),
    createEncryption({ recipients: [], identities: [new Secret(identity)] }),
  ];
  assertEquals(writer?.decrypt, undefined);
  const bytes = randomBytes(seededRandom(1), 200_000);
  // One after the other and side by side: each stream is an object of its own.
  const streams = [inPieces(bytes, 10_000), inPieces(bytes.subarray(5), 70_000)].map((next) => writer?.encrypt(next));
  const sealed = await Promise.all(streams.map((next) => readToEnd(next ?? inPieces(bytes, 1))));
  for (const [at, expected] of [bytes, bytes.subarray(5)].entries()) {
    const object = await reader?.decrypt?.(new CountedBytes(sealed[at] ?? bytes), OBJECT);
    assertEquals(object?.sizeBytes, expected.length);
    const into = new Uint8Array(expected.length);
    assertEquals(await object?.read(0, into), into.length);
    assertEquals(into, expected);
  }
});

Deno.test("createEncryption() without recipients refuses to write, and takes nothing of what should be written", async () => {
  const { identity } = await aKeyPair();
  let taken = 0;
  const next = createEncryption({ recipients: [], identities: [new Secret(identity)] }).encrypt(() => {
    taken++;
    return Promise.resolve(new Uint8Array(1));
  });
  for (let turn = 0; turn < 2; turn++) {
    const error = await assertRejects(() => next(), ReplicationError, "Cannot encrypt: there is no age recipient");
    assertEquals(error.code, "config-invalid");
  }
  assertEquals(taken, 0);
});

Deno.test("createEncryption() says which object cannot be decrypted", async () => {
  const [one, two] = [await aKeyPair(), await aKeyPair()];
  const writer = createEncryption({ recipients: [one.recipient], identities: [] });
  const sealed = await readToEnd(writer.encrypt(inPieces(new Uint8Array(9), 9)));
  const { decrypt } = createEncryption({ recipients: [], identities: [new Secret(two.identity)] });
  assert(decrypt !== undefined);
  const error = await assertRejects(() => decrypt(new CountedBytes(sealed), OBJECT), ReplicationError);
  assertEquals([error.code, error.message], ["denied", `Cannot decrypt ${OBJECT}: none of the age identities fits it`]);
});

Deno.test("checkKeys() refuses a mistyped key of either kind, each use of it does so too, and nothing shows it", async () => {
  const { identity, recipient } = await aKeyPair();
  const mistyped = (key: string, one: string, other: string) => key.slice(0, -1) + (key.endsWith(one) ? other : one);
  const [badRecipient, badIdentity] = [mistyped(recipient, "q", "p"), mistyped(identity, "Q", "P")];

  const good = createEncryption({ recipients: [recipient], identities: [new Secret(identity)] });
  await good.checkKeys();
  await createEncryption({ recipients: [], identities: [] }).checkKeys();

  const writer = createEncryption({ recipients: [badRecipient], identities: [] });
  const next = writer.encrypt(inPieces(new Uint8Array(9), 9));
  for (const use of [() => writer.checkKeys(), () => next(), () => next()]) {
    const error = await assertRejects(use, ReplicationError, "Cannot use the age recipients: line 1 is mistyped");
    assertEquals(error.code, "config-invalid");
  }
  const reader = createEncryption({ recipients: [], identities: [new Secret(badIdentity)] });
  const { decrypt } = reader;
  assert(decrypt !== undefined);
  for (const use of [() => reader.checkKeys(), () => decrypt(new CountedBytes(new Uint8Array(99)), OBJECT)]) {
    const error = await assertRejects(use, ReplicationError, "Cannot use the age identities: line 1 is mistyped");
    assertEquals(error.code, "config-invalid");
    for (const shown of [Deno.inspect(error, { depth: 20 }), Deno.inspect(reader, { depth: 20, showHidden: true })]) {
      assertFalse(shown.includes(badIdentity.slice(20, 50)));
    }
  }
});
