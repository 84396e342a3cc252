/** A state that has no checksum of its own is compared with that of another record of the same state. */
import { asIndex } from "../../lib/position/position.ts";
import { formatRawKey } from "../../lib/position/keys.ts";
import { formatSnapshotKey } from "../../lib/position/litestream_names.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import { aStore, ReplicaBuilder } from "../support/replica_builder.ts";
import { checksumOf } from "../support/database_image.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { withoutHomes } from "../support/older_records.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const PAGE_SIZE = 4096;
const OLD = imageOf(PAGE_SIZE, 1, 2);
const NEW = imageOf(PAGE_SIZE, 10, 2);

for (const layout of ["raw", "litestream"] as const) {
  Deno.test(`restore() of a ${layout} replica refuses a snapshot without a checksum where the index before ends in another state`, () =>
    withTemporaryFolder(async (folder) => {
      const built = new ReplicaBuilder(`${folder}/replica`, { layout });
      const { generation, root } = built;
      const wal = new WalBuilder();
      const end = wal.commit(2, [1, 10]);
      await built.snapshot(0, 0, OLD); // Taken before every page was looked at.
      await built.wal(0, wal.bytes(), { end, databasePages: 2 });
      await built.close(0, undefined, { checksum: checksumOf(NEW, PAGE_SIZE) });
      await built.snapshot(1, 0, NEW);
      const restored = async (target: RestoreTarget) => {
        await restoreFrom(aStore(root, layout), `${folder}/copy.db`, target);
        const bytes = Deno.readFileSync(`${folder}/copy.db`);
        Deno.removeSync(`${folder}/copy.db`);
        return bytes;
      };
      const position = (index: number, offset: number): RestoreTarget => {
        return { kind: "position", generation, position: built.position(index, offset) };
      };
      for (const target of [position(1, 0), position(0, end)]) assertEquals(await restored(target), NEW);

      const kinds = ["snapshot", "record"] as const;
      const keys = (index: number) =>
        layout === "raw"
          ? kinds.map((kind) => formatRawKey(generation, asIndex(index), kind))
          : [formatSnapshotKey(generation, asIndex(index))];
      for (const [slot, key] of keys(0).entries()) Deno.copyFileSync(`${root}/${key}`, `${root}/${keys(1)[slot]}`);
      withoutHomes(root); // Those of a later version say by themselves that they belong elsewhere.
      // In the layout `litestream` the object itself says of which index it is.
      const why = layout === "raw" ? "is not the one that was recorded" : "is not where a captured transaction ends";
      await assertRejects(() => restored(position(1, 0)), Error, why);
    }));
}
