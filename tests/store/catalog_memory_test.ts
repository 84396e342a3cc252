import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { CatalogMemory } from "../../lib/store/catalog_memory.ts";
import type { WalEntry } from "../../lib/store/generation_store.ts";
import { LitestreamStore } from "../../lib/store/litestream_store.ts";
import { RawStore } from "../../lib/store/raw_store.ts";
import { assertEquals } from "../support/assert.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const INDEXES = 20;

for (const layout of ["raw", "litestream"] as const) {
  Deno.test(`catalog() (${layout}) with a memory reads only what its listing shows otherwise than before`, () =>
    withTemporaryFolder(async (folder) => {
      const root = `${folder}/replica`;
      const built = new ReplicaBuilder(root, { layout });
      await built.snapshot(0, 0, imageOf(4096, 1, 2));
      for (let index = 0; index < INDEXES; index++) {
        const wal = new WalBuilder({ salt: { salt1: index + 1, salt2: 7 } });
        const end = wal.commit(2, [1, index]);
        await built.wal(index, wal.bytes(), { end, databasePages: 2 });
        await built.close(index);
      }
      const calls: Record<string, number> = {};
      const real = new FileReplicaClient(new DenoFileSystem(), root);
      const client = new Proxy(real, {
        get: (_, name) => {
          const member = Reflect.get(real, name);
          if (typeof member !== "function") return member;
          return (...given: unknown[]) => {
            calls[String(name)] = (calls[String(name)] ?? 0) + 1;
            return member.apply(real, given);
          };
        },
      });
      const store = layout === "raw" ? new RawStore(client) : new LitestreamStore(client);
      const counted = async (memory?: CatalogMemory) => {
        for (const name of Object.keys(calls)) delete calls[name];
        return await store.catalog(built.generation, memory);
      };
      const memory = new CatalogMemory();
      const first = await counted(memory);
      assertEquals(first.wals.length, INDEXES);
      assertEquals(await counted(memory), first);
      assertEquals(calls, { list: 2 });

      const path = `${root}/generations/${built.generation}/wal`;
      const newest = [...Deno.readDirSync(path)].map(({ name }) => name).sort().at(-1) ?? "";
      Deno.utimeSync(`${path}/${newest}`, 1, 1);
      const touched = await counted(memory);
      const { list, ...reads } = calls;
      assertEquals([list, Object.values(reads).every((count) => count <= 4)], [2, true], JSON.stringify(calls));
      assertEquals(touched, await counted());
      Deno.removeSync(`${path}/${newest}`);
      const [remembered, alone] = [await counted(memory), await counted()];
      if (layout === "raw") return assertEquals(remembered, alone);
      // Of its two segments the other is still there, and alone it looks whole.
      assertEquals([alone.wals.at(-1)?.lastRecord?.end, alone.wals.at(-1)?.recordProblem], [4152, undefined]);
      const { lastRecord: _, ...rest } = alone.wals.at(-1) ?? {};
      const recordProblem = `${
        path.slice(root.length + 1)
      }/00000013_*.wal.lz4: 1 of 2 segments that were there is missing`;
      assertEquals(remembered.wals.at(-1), { ...rest, recordProblem, promisedEnd: Infinity } as WalEntry);
      assertEquals(await counted(memory.readAnew()), remembered);
    }));
}
