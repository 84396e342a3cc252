import { LitestreamStore } from "../../lib/store/litestream_store.ts";
import { RawStore } from "../../lib/store/raw_store.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { testStoreRemoval } from "../conformance/store_removal_suite.ts";
import { assertEquals } from "../support/assert.ts";
import { aStore, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";

testStoreRemoval("raw", (client) => new RawStore(client));
testStoreRemoval("litestream", (client) => new LitestreamStore(client));
for (const layout of ["raw", "litestream"] as const) {
  testStoreRemoval(`replica (${layout})`, (client) => new ReplicaStore(client, { chooseLayout: () => layout }));
}

Deno.test("removeSnapshot() takes away an image without record, and a record without image", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await new ReplicaBuilder(`${folder}/replica`).snapshot(0, 0, imageOf(4096, 1));
    await replica.snapshot(1, 0, imageOf(4096, 1));
    Deno.removeSync(replica.path(0, "record"));
    Deno.removeSync(replica.path(1, "snapshot"));
    for (const { index } of (await replica.store.catalog(replica.generation)).snapshots) {
      await replica.store.removeSnapshot(replica.generation, index);
    }
    assertEquals((await aStore(replica.root).catalog(replica.generation)).snapshots, []);
  }));
