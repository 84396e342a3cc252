import type { NextBytes, StoredBytes } from "../base/byte_source.ts";
import { ReplicationError } from "../base/errors.ts";
import type { Secret } from "../base/secret.ts";
import { openAge } from "./decrypt.ts";
import { encrypt } from "./encrypt.ts";
import { AgeIdentities } from "./identities.ts";
import { AgeRecipients } from "./recipients.ts";

export interface AgeKeyTexts {
  /** For writing; none where a replica is only read. */
  readonly recipients: readonly string[];
  /** For reading; none where a replica is only written. */
  readonly identities: readonly Secret[];
}

/** What a store needs of age, whatever its layout. */
export interface AgeEncryption {
  encrypt(next: NextBytes): NextBytes;
  /** `name` completes "Cannot decrypt". Undefined without identities. */
  readonly decrypt: ((stored: StoredBytes, name: string) => Promise<StoredBytes>) | undefined;
  /** Throws `config-invalid` when a key cannot be used: for whoever wants to know before there is an object. */
  checkKeys(): Promise<void>;
}

/** The keys are parsed once, when they are first used: whoever only opens a replica does not wait for the package. */
export function createEncryption(keys: AgeKeyTexts): AgeEncryption {
  const recipients = once(() => AgeRecipients.parse(keys.recipients));
  const identities = once(() => AgeIdentities.parse(keys.identities));
  return {
    encrypt: (next) => {
      let encrypted: NextBytes | undefined;
      return async () => {
        encrypted ??= encrypt(next, someOf(await recipients()));
        return await encrypted();
      };
    },
    decrypt: keys.identities.length === 0
      ? undefined
      : async (stored, name) => await openAge(stored, await identities(), name),
    checkKeys: async () => {
      await recipients();
      await identities();
    },
  };
}

/** Not an assertion: who reads only has none, and must not write what nobody can read, or everybody. */
function someOf(recipients: AgeRecipients): AgeRecipients {
  if (recipients.count > 0) return recipients;
  throw new ReplicationError("config-invalid", "Cannot encrypt: there is no age recipient", {
    advice: "name at least one recipient in the config of this replica",
  });
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => made ??= make();
}
