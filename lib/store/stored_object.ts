/** One object of the `litestream` layout, decrypted and decoded while it is read. */
import type { ByteSource, NextBytes, StoredBytes } from "../base/byte_source.ts";
import type { ReplicaClient } from "../clients/client.ts";
import { openLz4 } from "../lz4/frame_decoder.ts";
import { readTail } from "../lz4/trailer.ts";
import { openGzip } from "../platform/gzip.ts";
import { ReplicationError } from "../base/errors.ts";
import { unsupportedRecord } from "./commit_log.ts";
import type { CommitRecordList } from "./commit_records.ts";
import { looksEncrypted } from "../age/header.ts";
import type { ListedObject } from "./litestream_listing.ts";
import { type ObjectTail, parseObjectTail } from "./object_tail.ts";
import type { Writer } from "./writer.ts";

/** Enough to tell. */
const ENCRYPTED_BEGINNING_BYTES = 64;

/** What stands between an object and the device it is kept on, when the replica is encrypted. */
export interface Encryption {
  encrypt(next: NextBytes): NextBytes;
  /** Undefined: this host can write only, since it knows no identity. */
  readonly decrypt: ((stored: StoredBytes, name: string) => Promise<StoredBytes>) | undefined;
}

/** What this program wrote behind the data; undefined where nothing stands there. */
export type FoundTail =
  | ObjectTail
  | {
    readonly problem: string;
    /** It was written for another place. */
    readonly isForeign: boolean;
  }
  | undefined;

/** The decoded bytes of an object. */
export interface ObjectContent extends ByteSource {
  /** How many there are; reads only what it takes to tell. */
  size(): Promise<number>;
  /** Throws `corrupt` unless all of it is what its checksums say. */
  verify(): Promise<void>;
  /** Gives its memory back. */
  close(): void;
}

export async function openContent(
  client: ReplicaClient,
  object: ListedObject,
  encryption: Encryption | undefined,
  writer?: Writer,
): Promise<ObjectContent> {
  expectFile(object);
  const opened = await client.open(object.key);
  const giveBack = () => void opened.close().catch(() => {}); // It was only read.
  try {
    const stored = await decrypted({ sizeBytes: object.sizeBytes, read: opened.read }, object.key, encryption);
    const content = await decoded(stored, object).catch((error) => expectUnencrypted(stored, object.key, error));
    await expectInPlace(stored, object, writer).catch((error) => {
      content.close();
      throw error;
    });
    return {
      read: (at, into) => content.read(at, into),
      size: () => content.size(),
      verify: () => content.verify(),
      close: () => {
        content.close();
        giveBack();
      },
    };
  } catch (error) {
    giveBack();
    throw error;
  }
}

async function decoded(stored: StoredBytes, { key, encoding }: ListedObject): Promise<ObjectContent> {
  switch (encoding) {
    case "lz4":
      return await openLz4(stored, key);
    case "gzip":
      return openGzip(stored, key);
    case "none":
      return {
        read: (at, into) => stored.read(at, into),
        size: () => Promise.resolve(stored.sizeBytes),
        verify: () => Promise.resolve(),
        close: () => {},
      };
  }
}

/** `writer`: of the generation, where that is known. `records`: gets them, where all of them are wanted. */
export async function readObjectTail(
  client: ReplicaClient,
  object: ListedObject,
  encryption: Encryption | undefined,
  writer?: Writer,
  records?: CommitRecordList,
): Promise<FoundTail> {
  expectFile(object);
  const { key, sizeBytes, encoding } = object;
  if (encoding !== "lz4") return await judgeTail(undefined, object, writer);
  const stored: StoredBytes = { sizeBytes, read: (at, into) => client.read(key, at, into) };
  return await judgeTail(await readTail(await decrypted(stored, key, encryption)), object, writer, records);
}

/** What belongs elsewhere is never read as what should be here. */
async function expectInPlace(stored: StoredBytes, object: ListedObject, writer: Writer | undefined): Promise<void> {
  const tail = await judgeTail(object.encoding === "lz4" ? await readTail(stored) : undefined, object, writer);
  if (tail !== undefined && "problem" in tail) throw new ReplicationError("corrupt", tail.problem);
}

async function judgeTail(
  bytes: StoredBytes | "damaged" | undefined,
  object: ListedObject,
  writer: Writer | undefined,
  records?: CommitRecordList,
): Promise<FoundTail> {
  const { key, home, offset } = object;
  const damaged = (problem: string, isForeign = false) => ({ problem: `${key} is damaged: ${problem}`, isForeign });
  if (bytes === undefined) {
    if (writer !== "ours") return undefined;
    return damaged("it has no tail, as every object has that this program wrote");
  }
  if (bytes === "damaged") return damaged("its tail does not begin or end as it should");
  const parsed = await parseObjectTail(bytes, home, records);
  if (!parsed.ok) {
    if (parsed.unsupported) throw unsupportedRecord(key, parsed.reason);
    return damaged(parsed.reason, parsed.foreign);
  }
  const { tail } = parsed;
  if (writer === "peers") return damaged("it has a tail of this program, in a generation that Litestream wrote", true);
  const start = tail.first?.start ?? offset;
  if (offset === undefined || start === offset) return tail;
  return damaged(`it was written for offset ${start}, not for ${offset}`, true);
}

function expectFile({ key, instead }: ListedObject): void {
  if (instead !== undefined) throw new ReplicationError("corrupt", `Cannot read ${key}: it is ${instead}, not a file`);
}

async function decrypted(
  stored: StoredBytes,
  key: string,
  encryption: Encryption | undefined,
): Promise<StoredBytes> {
  if (encryption === undefined) return stored;
  if (encryption.decrypt === undefined) throw withoutIdentity(key);
  return await encryption.decrypt(stored, key);
}

/** An object that cannot be decoded because it is encrypted is not damaged; throws what is the case. */
async function expectUnencrypted(stored: StoredBytes, key: string, error: unknown): Promise<never> {
  const beginning = new Uint8Array(ENCRYPTED_BEGINNING_BYTES);
  const got = await stored.read(0, beginning);
  if (!looksEncrypted(beginning.subarray(0, got))) throw error;
  throw new ReplicationError(
    "denied",
    `Cannot read ${key}: it is encrypted with age (an identity should be configured)`,
    {
      advice: "name the database and a config whose replica has an age identity, instead of a URL",
    },
  );
}

function withoutIdentity(key: string): ReplicationError {
  return new ReplicationError("denied", `Cannot read ${key}: it is encrypted, and no identity is configured`, {
    advice: "name an age identity in the config of this replica (replicating needs recipients only)",
  });
}
