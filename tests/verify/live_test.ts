import { ReplicationError } from "../../lib/base/errors.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { readLaterPages } from "../../lib/verify/live.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { aStore, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

Deno.test("readLaterPages() says that the WAL has pages of another size than those that are looked for", () =>
  withTemporaryFolder(async (folder) => {
    const built = new ReplicaBuilder(`${folder}/replica`, { layout: "raw" });
    await built.snapshot(0, 0, imageOf(4096, 1, 2));
    const wal = new WalBuilder();
    const end = wal.commit(2, [1, 10]);
    await built.wal(0, wal.bytes(), { end, databasePages: 2 });
    const position = { generation: built.generation, index: asIndex(0), offset: asOffset(end) };
    const store = aStore(built.root, "raw");
    assertEquals([...(await readLaterPages(store, position, 0, 4096)).values.keys()], [1]);
    const error = await assertRejects(() => readLaterPages(store, position, 0, 512), ReplicationError);
    assertEquals(error.code, "corrupt");
  }));
