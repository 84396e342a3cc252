import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { asIndex } from "../../lib/position/position.ts";
import { type HeldLayout, ReplicaStore } from "../../lib/store/replica_store.ts";
import { assertEquals, assertLess, assertRejects } from "../support/assert.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

class CountingClient extends FileReplicaClient {
  lists = 0;

  override list(folder: string) {
    this.lists++;
    return super.list(folder);
  }

  override names(folder: string) {
    this.lists++;
    return super.names(folder);
  }
}

Deno.test("ReplicaStore tells the layout of a generation by the names in it, without a look at each", () =>
  withTemporaryFolder(async (folder) => {
    const { generation } = await fill(folder, "litestream", "00000000000000aa");
    for (let slot = 0; slot < 100; slot++) {
      Deno.writeTextFileSync(
        `${folder}/generations/${generation}/wal/00000001_${String(slot).padStart(8, "0")}.wal`,
        "",
      );
    }
    const files = unsyncedFiles();
    let looks = 0;
    const counted = Object.create(files) as typeof files;
    counted.linkStatusLater = (path) => (looks++, files.linkStatusLater(path));
    counted.entriesLater = async (path) => {
      const entries = await files.entriesLater(path);
      looks += entries.length;
      return entries;
    };
    const store = new ReplicaStore(new FileReplicaClient(counted, folder), {
      chooseLayout: (held) => held === "raw" ? held : "litestream",
    });
    assertEquals(await store.layoutFor(generation), "litestream");
    assertLess(looks, 20);
  }));

async function fill(root: string, layout: Layout, generation: string): Promise<ReplicaBuilder> {
  const wal = new WalBuilder();
  const end = wal.commit(2, [1, 3]);
  const replica = await new ReplicaBuilder(root, { layout, generation }).snapshot(0, 0, imageOf(4096, 1, 2));
  return await replica.wal(0, wal.bytes(), { end, databasePages: 2 });
}

for (const layout of ["raw", "litestream"] as const) {
  Deno.test(`ReplicaStore reads a generation in the layout ${layout}, and looks up once which it is`, () =>
    withTemporaryFolder(async (folder) => {
      const replica = await fill(folder, layout, "00000000000000aa");
      const client = new CountingClient(unsyncedFiles(), folder);
      const store = new ReplicaStore(client, { chooseLayout: () => "raw" });
      assertEquals((await store.catalog(replica.generation)).layout, layout);
      const lists = client.lists;
      const bytes = new Uint8Array(32);
      for (let i = 0; i < 20; i++) assertEquals(await store.readWal(replica.generation, asIndex(0), 0, bytes), 32);
      const image = await store.openSnapshot(replica.generation, asIndex(0));
      assertEquals(await image.read(0, new Uint8Array(9_000)), 8192);
      await image.prove();
      image.close();
      assertEquals(client.lists - lists, 0);
    }));
}

Deno.test("ReplicaStore says what a replica holds to who chooses the layout of a new generation, and keeps to it", () =>
  withTemporaryFolder(async (folder) => {
    const asked: HeldLayout[] = [];
    const chosen = async () => {
      const store = new ReplicaStore(new FileReplicaClient(unsyncedFiles(), folder), {
        chooseLayout: (held) => {
          asked.push(held);
          if (held === "both") throw new ReplicationError("config-invalid", "Cannot use it");
          return held ?? "litestream";
        },
      });
      const { generation } = new ReplicaBuilder(folder, { generation: "00000000000000ff" });
      return [await store.layoutFor(generation), await store.layoutFor(generation)];
    };
    assertEquals(await chosen(), ["litestream", "litestream"]);
    await fill(folder, "raw", "00000000000000aa");
    assertEquals(await chosen(), ["raw", "raw"]);
    await fill(folder, "litestream", "00000000000000bb");
    assertEquals((await assertRejects(chosen, ReplicationError)).code, "config-invalid");
    assertEquals(asked, [undefined, "raw", "both"]);
  }));
