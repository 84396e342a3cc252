/** What tests of age need: keys, whole objects, and the real program. */
import type { NextBytes, StoredBytes } from "../../lib/base/byte_source.ts";
import { Secret } from "../../lib/base/secret.ts";
import { encrypt } from "../../lib/age/encrypt.ts";
import { openAge } from "../../lib/age/decrypt.ts";
import { AgeIdentities } from "../../lib/age/identities.ts";
import { loadAge } from "../../lib/age/library.ts";
import { AgeRecipients } from "../../lib/age/recipients.ts";

export interface KeyPair {
  readonly identity: string;
  readonly recipient: string;
  readonly identities: AgeIdentities;
  readonly recipients: AgeRecipients;
}

export async function aKeyPair(): Promise<KeyPair> {
  const { generateX25519Identity, identityToRecipient } = await loadAge();
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  return { identity, recipient, identities: await identitiesOf(identity), recipients: await recipientsOf(recipient) };
}

export function identitiesOf(...texts: string[]): Promise<AgeIdentities> {
  return AgeIdentities.parse(texts.map((text) => new Secret(text)));
}

export function recipientsOf(...texts: string[]): Promise<AgeRecipients> {
  return AgeRecipients.parse(texts);
}

/** A stream of the bytes in pieces of that many, all in one array that is used again. */
export function inPieces(bytes: Uint8Array, pieceBytes: number): NextBytes {
  const piece = new Uint8Array(pieceBytes);
  let at = 0;
  return () => {
    const part = bytes.subarray(at, at + pieceBytes);
    at += part.length;
    piece.fill(0xee);
    piece.set(part);
    return Promise.resolve(piece.subarray(0, part.length));
  };
}

export async function readToEnd(next: NextBytes): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let part = await next(); part.length > 0; part = await next()) parts.push(part.slice());
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

export function encryptBytes(bytes: Uint8Array, recipients: AgeRecipients, pieceBytes = 50_000) {
  return readToEnd(encrypt(inPieces(bytes, pieceBytes), recipients));
}

/** An object in memory, which counts what is read of it. */
export class CountedBytes implements StoredBytes {
  readCount = 0;
  readBytes = 0;

  constructor(readonly bytes: Uint8Array, readonly sizeBytes = bytes.length) {}

  read(at: number, into: Uint8Array): Promise<number> {
    const part = this.bytes.subarray(at, at + into.length);
    into.set(part);
    this.readCount++;
    this.readBytes += part.length;
    return Promise.resolve(part.length);
  }
}

export const OBJECT = `the object "0000.wal.lz4"`;

export async function decryptBytes(sealed: Uint8Array, identities: AgeIdentities): Promise<Uint8Array<ArrayBuffer>> {
  const object = await openAge(new CountedBytes(sealed), identities, OBJECT);
  const bytes = new Uint8Array(object.sizeBytes);
  const count = await object.read(0, bytes);
  if (count !== bytes.length) throw new Error(`The object gave ${count} of its ${bytes.length} bytes`);
  return bytes;
}

/** The real program: what the set-up found or unpacked, else the system's. */
export function ageProgram(): string {
  return Deno.env.get("TAILRACE_TEST_AGE") || "age";
}
