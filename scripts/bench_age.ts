/**
 * What age costs, ours beside the library's own streams, for `docs/decisions/0014-age-encryption.md`.
 *
 *     deno task bench:age [MB]
 */
import type { NextBytes } from "../lib/base/byte_source.ts";

const loadedIn = await milliseconds(async () => await (await import("../lib/age/library.ts")).loadAge());
const { encrypt } = await import("../lib/age/encrypt.ts");
const { openAge } = await import("../lib/age/decrypt.ts");
const { loadAge } = await import("../lib/age/library.ts");
const { aKeyPair, CountedBytes, encryptBytes, inPieces } = await import("../tests/support/age.ts");
const { randomBytes, seededRandom } = await import("../tests/support/random.ts");

const ROUNDS = 3;
const OBJECTS = 200;
const megabytes = Number(Deno.args[0] ?? "128");
const bytes = new Uint8Array(megabytes * 1e6);
const piece = randomBytes(seededRandom(1), 1 << 20);
for (let at = 0; at < bytes.length; at += piece.length) bytes.set(piece.subarray(0, bytes.length - at), at);

const { Decrypter, Encrypter } = await loadAge();
const { identity, identities, recipient, recipients } = await aKeyPair();
const encrypter = new Encrypter();
encrypter.addRecipient(recipient);
const decrypter = new Decrypter();
decrypter.addIdentity(identity);
const sealed = await encryptBytes(bytes, recipients);
const small = await encryptBytes(piece.subarray(0, 4_000), recipients);

console.log(`${megabytes} MB, best of ${ROUNDS}`);
await speed("encrypt(), pieces of 256 KiB", () => drainNext(encrypt(inPieces(bytes, 256 << 10), recipients)));
await speed("the library's encrypt(), the same", async () => drain(await encrypter.encrypt(streamOf(bytes))));
await speed("openAge(), reads of 256 KiB", () => readThrough(256 << 10));
await speed("openAge(), reads of 4 KiB", () => readThrough(4 << 10));
await speed("the library's decrypt(), pieces of 256 KiB", async () => drain(await decrypter.decrypt(streamOf(sealed))));
row("loading the library", `${loadedIn.toFixed(0)} ms`);
await each("encrypt(), an object of 4,000 bytes", () => encryptBytes(piece.subarray(0, 4_000), recipients));
await each("openAge(), an object of 4,000 bytes", () => openAge(new CountedBytes(small), identities, "it"));

async function readThrough(step: number): Promise<void> {
  const object = await openAge(new CountedBytes(sealed), identities, "the object");
  const into = new Uint8Array(step);
  for (let at = 0; at < object.sizeBytes;) at += await object.read(at, into);
}

function streamOf(all: Uint8Array): ReadableStream<Uint8Array> {
  const next = inPieces(all, 256 << 10);
  return new ReadableStream({
    pull: async (controller) => {
      const part = (await next()).slice();
      if (part.length > 0) controller.enqueue(part);
      else controller.close();
    },
  });
}

async function drain(stream: ReadableStream<Uint8Array>): Promise<void> {
  for await (const part of stream) if (part.length < 0) return;
}

async function drainNext(next: NextBytes): Promise<void> {
  while ((await next()).length > 0);
}

async function speed(what: string, work: () => Promise<void>): Promise<void> {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) best = Math.min(best, await milliseconds(work));
  row(what, `${(megabytes * 1_000 / best).toFixed(0)} MB/s`);
}

async function each(what: string, work: () => Promise<unknown>): Promise<void> {
  const all = await milliseconds(async () => {
    for (let i = 0; i < OBJECTS; i++) await work();
  });
  row(what, `${(all / OBJECTS).toFixed(2)} ms`);
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function row(what: string, figure: string): void {
  console.log(`${what.padEnd(46)} ${figure.padStart(12)}`);
}
