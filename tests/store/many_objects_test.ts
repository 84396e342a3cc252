/** Objects that somebody else may have put there by the hundred thousand: how many of them are looked into. */
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { LitestreamStore } from "../../lib/store/litestream_store.ts";
import { assertEquals, assertLess, assertMatch } from "../support/assert.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

/** An LZ4 frame without content: header, end mark, checksum of nothing. */
const EMPTY_FRAME = Uint8Array.fromHex("04224d186470b900000000055dcc02");

/** A replica of so many commits, each a segment; and how many objects are read of it. */
async function countedReplica(folder: string, commits: number) {
  const wal = new WalBuilder();
  const ends = Array.from({ length: commits }, (_, slot) => wal.commit(2, [1, slot]));
  const replica = await new ReplicaBuilder(folder, { layout: "litestream" }).snapshot(0, 0, imageOf(4096, 1, 2));
  for (const end of ends) await replica.wal(0, wal.bytes(), { end, databasePages: 2 });
  const read = new Set<string>();
  const client = new FileReplicaClient(unsyncedFiles(), folder);
  const [open, readAt] = [client.open.bind(client), client.read.bind(client)];
  client.open = (key) => (read.add(key), open(key));
  client.read = (key, at, into) => (read.add(key), readAt(key, at, into));
  const { generation } = replica;
  const entry = async () => (await new LitestreamStore(client).catalog(generation)).wals[0];
  const segment = (offset: number) =>
    `${folder}/generations/${generation}/wal/00000000_${offset.toString(16).padStart(8, "0")}.wal.lz4`;
  return { ends, read, entry, segment };
}

Deno.test("LitestreamStore.catalog() looks into few of the objects behind a gap, and finds the last before it", () =>
  withTemporaryFolder(async (folder) => {
    const { ends, read, entry, segment } = await countedReplica(folder, 10);
    const last = ends.at(-1) ?? 0;
    for (let slot = 1; slot <= 3_000; slot++) Deno.writeFileSync(segment(last + 5_000 + slot), EMPTY_FRAME);
    const found = await entry();
    assertEquals([found?.lastRecord?.end, found?.promisedEnd], [last, last + 8_001] as unknown as typeof ends);
    assertMatch(found?.recordProblem ?? "", /it has no tail/);
    assertLess(read.size, 64 + 2 * Math.log2(3_010) + 2);
  }));

for (const damaged of [1, 63, 64, 65, 90, 99]) {
  Deno.test(`LitestreamStore.catalog() ends before the first of ${damaged} damaged segments at the end`, () =>
    withTemporaryFolder(async (folder) => {
      const { ends, entry, segment } = await countedReplica(folder, 100);
      const starts = [0, ...ends];
      for (let slot = 100 - damaged; slot < 100; slot++) Deno.writeFileSync(segment(starts[slot] ?? 0), EMPTY_FRAME);
      assertEquals((await entry())?.lastRecord?.end, ends[99 - damaged]);
    }));
}
