/** A replica with keys of age: nothing readable lies there, and a host that knows no identity goes on where it was. */
import { createEncryption } from "../../lib/age/encryption.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { Secret } from "../../lib/base/secret.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import { LitestreamStore } from "../../lib/store/litestream_store.ts";
import type { ReplicaMemory } from "../../lib/store/replica_memory.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { aWholeImage, nothingToBring } from "../support/image.ts";
import { aKeyPair } from "../support/age.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const GENERATION = "00000000000000aa" as Generation;
const PLAIN = new TextEncoder().encode("a plain text that everybody could read");

class Memory implements ReplicaMemory {
  text: string | undefined;

  recall(): string | undefined {
    return this.text;
  }

  remember(text: string): Promise<void> {
    this.text = text;
    return Promise.resolve();
  }
}

function aRecord(kind: "sync" | "snapshot", start: number, end: number): CommitRecord {
  return {
    kind,
    pageSize: 4096,
    start: asOffset(start),
    end: asOffset(end),
    capturedAtMs: 1_000,
    databasePages: 2,
    capturedLate: false,
    indexClosed: false,
  };
}

async function append(store: LitestreamStore, wal: Uint8Array, start: number, end: number): Promise<void> {
  const pieces = [wal.subarray(start, end)];
  await store.appendWal(GENERATION, asIndex(0), asOffset(start), {
    next: () => Promise.resolve(pieces.shift() ?? new Uint8Array(0)),
    records: () => [aRecord("sync", start, end)],
  });
}

async function withReplica(
  work: (
    root: string,
    stores: { blind: (memory?: ReplicaMemory) => LitestreamStore; seeing: LitestreamStore },
  ) => Promise<
    void
  >,
): Promise<void> {
  const { identity, recipient } = await aKeyPair();
  await withTemporaryFolder((root) => {
    const client = new FileReplicaClient(unsyncedFiles(), root);
    const keys = { recipients: [recipient] };
    return work(root, {
      blind: (memory) => new LitestreamStore(client, createEncryption({ ...keys, identities: [] }), memory),
      seeing: new LitestreamStore(client, createEncryption({ ...keys, identities: [new Secret(identity)] })),
    });
  });
}

function twoCommits() {
  const wal = new WalBuilder();
  const ends = [wal.commit(2, [1, 1]), wal.commit(2, [2, 2])].map(Number);
  const bytes = wal.bytes();
  bytes.set(PLAIN, 1_000);
  return { bytes, first: ends[0] ?? 0, second: ends[1] ?? 0 };
}

function everyFile(folder: string): Uint8Array[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? everyFile(`${folder}/${name}`) : [Deno.readFileSync(`${folder}/${name}`)]
  );
}

function holds(bytes: Uint8Array, part: Uint8Array): boolean {
  const text = (some: Uint8Array) => new TextDecoder("latin1").decode(some);
  return text(bytes).includes(text(part));
}

Deno.test("Nothing that is written to a replica with age can be read there, and all of it with an identity", () =>
  withReplica(async (root, { blind, seeing }) => {
    const { bytes, first, second } = twoCommits();
    const image = imageOf(4096, 8, 9);
    image.set(PLAIN, 100);
    const store = blind(new Memory());
    await store.writeSnapshot(GENERATION, aWholeImage(image, 0, aRecord("snapshot", 0, 0)), nothingToBring);
    await append(store, bytes, 0, first);
    await append(store, bytes, first, second);
    const files = everyFile(root);
    assertEquals(files.length, 3);
    for (const file of files) {
      assert(holds(file, new TextEncoder().encode("age-encryption.org/v1")));
      assert(!holds(file, PLAIN) && !holds(file, new Uint8Array([4, 0x22, 0x4d, 0x18])));
    }
    const catalog = await seeing.catalog(GENERATION);
    assertEquals(catalog.wals[0]?.lastRecord?.end, asOffset(second));
    assertEquals(catalog.snapshots[0]?.record?.databasePages, 2);
    const wal = new Uint8Array(bytes.length);
    assertEquals(await seeing.readWal(GENERATION, asIndex(0), 0, wal), second);
    assertEquals(wal, bytes);
    const opened = await seeing.openSnapshot(GENERATION, asIndex(0));
    const read = new Uint8Array(image.length);
    assertEquals(await opened.read(0, read), image.length);
    assertEquals(read, image);
    await opened.prove();
    opened.close();
  }));

Deno.test("A host without an identity goes on at the end that it remembers, also after a crash at any moment", () =>
  withReplica(async (_, { blind }) => {
    const { bytes, first, second } = twoCommits();
    const memory = new Memory();
    await append(blind(memory), bytes, 0, first);
    const expected = (offset: number) => ({
      index: asIndex(0),
      offset: asOffset(offset),
      closed: false,
      isRemembered: true,
    });
    assertEquals(await blind(memory).end(GENERATION), expected(first));
    const before = memory.text;
    await append(blind(memory), bytes, first, second);
    assertEquals(await blind(memory).end(GENERATION), expected(second));
    const after = memory.text;
    memory.text = before; // As if the segment had been published by somebody else.
    await assertRejects(() => blind(memory).end(GENERATION), ReplicationError);
    memory.text = after;
    const [catalog] = [await blind(memory).catalog(GENERATION)];
    assertEquals(catalog.wals[0]?.lastRecord, undefined);
  }));

Deno.test("A host without an identity that was ended before a segment was published is still where it was", () =>
  withReplica(async (root, { blind }) => {
    const { bytes, first, second } = twoCommits();
    const memory = new Memory();
    await append(blind(memory), bytes, 0, first);
    await append(blind(memory), bytes, first, second);
    const name = `00000000_${first.toString(16).padStart(8, "0")}.wal.lz4`;
    Deno.removeSync(`${root}/generations/${GENERATION}/wal/${name}`);
    const end = await blind(memory).end(GENERATION);
    assertEquals([Number(end?.offset), end?.isRemembered], [first, true]);
  }));

Deno.test("A host that neither has an identity nor remembers cannot tell where a replica ends", () =>
  withReplica(async (_, { blind }) => {
    const { bytes, first } = twoCommits();
    await append(blind(new Memory()), bytes, 0, first);
    for (const memory of [undefined, new Memory(), Object.assign(new Memory(), { text: '{"generation":"x"}' })]) {
      const error = await assertRejects(() => blind(memory).end(GENERATION), ReplicationError);
      assertEquals(error.code, "corrupt");
      assertStringIncludes(error.message, "it cannot be read without an identity");
    }
  }));
