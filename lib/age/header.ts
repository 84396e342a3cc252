/**
 * The header of an age object is text: the line `age-encryption.org/v1`, for each recipient a stanza that holds the file
 * key encrypted to it, and at last `--- ` with an HMAC over all before it. The library writes and reads it; here stands
 * only where it begins and ends. No line of a stanza begins with `---`.
 */
import { ReplicationError } from "../base/errors.ts";
import { TAG_BYTES } from "../platform/cipher.ts";
import { type AgeIdentities, NoIdentityFits } from "./identities.ts";
import { loadAge } from "./library.ts";
import { PAYLOAD_NONCE_BYTES } from "./payload.ts";
import type { AgeRecipients } from "./recipients.ts";

const FORMAT = "age-encryption.org/";
const VERSION_LINE = `${FORMAT}v1\n`;
const MAC_LINE = /\n--- [^\n]*\n/;

export interface NewHeader {
  readonly header: Uint8Array;
  readonly fileKey: Uint8Array;
}

/** A header with a file key of its own, drawn by the library. */
export async function makeHeader(recipients: AgeRecipients): Promise<NewHeader> {
  const { Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  recipients.addTo(encrypter);
  let fileKey = new Uint8Array(0);
  // A recipient without a stanza of its own: all that it does is to see the file key.
  encrypter.addRecipient({
    wrapFileKey: (key) => {
      fileKey = key.slice();
      return [];
    },
  });
  try {
    // The payload is thrown away, with the nonce that its key came from.
    const ofNothing = await encrypter.encrypt(new Uint8Array(0));
    return { header: ofNothing.subarray(0, ofNothing.length - PAYLOAD_NONCE_BYTES - TAG_BYTES), fileKey };
  } catch (cause) {
    const problem = "one of the age recipients is no public key that anything can be encrypted to";
    throw new ReplicationError("config-invalid", `Cannot encrypt: ${problem}`, { cause });
  }
}

/** Whether an object that begins so is, or may be, one of age's binary format. */
export function looksEncrypted(beginning: Uint8Array): boolean {
  const text = latin1(beginning.subarray(0, FORMAT.length));
  return text.length > 0 && FORMAT.startsWith(text);
}

/** The header that these bytes begin with; undefined when they do not reach its end. */
export function findHeader(beginning: Uint8Array): Uint8Array | undefined {
  const match = MAC_LINE.exec(latin1(beginning));
  return match === null ? undefined : beginning.subarray(0, match.index + match[0].length);
}

/** The file key of a header that may be of anybody. */
export async function openHeader(
  header: Uint8Array,
  identities: AgeIdentities,
  description: string,
): Promise<Uint8Array> {
  if (!latin1(header).startsWith(VERSION_LINE)) {
    throw new ReplicationError(
      "unsupported",
      `Cannot decrypt ${description}: it is not of version 1 of the age format`,
    );
  }
  try {
    return await identities.decryptHeader(header);
  } catch (cause) {
    if (cause instanceof NoIdentityFits) {
      throw new ReplicationError("denied", `Cannot decrypt ${description}: none of the age identities fits it`, {
        advice: "add the identity that belongs to one of the recipients it was encrypted to",
      });
    }
    throw new ReplicationError("corrupt", `Cannot decrypt ${description}: its age header is damaged`, { cause });
  }
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
