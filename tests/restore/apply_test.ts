import type { ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { RecordedDatabase } from "../support/recorded_database.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { restoreFrom, restoreTools } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, pageOf, WalBuilder } from "../support/wal_builder.ts";

/** Equal, without a report of a million bytes when not. */
function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  assertEquals(actual.length, expected.length, `${what}: the sizes differ`);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assertEquals(at, -1, `${what}: they differ at byte ${at}`);
}

for (const pageSize of [512, 4096, 65536]) {
  for (const seed of [1, 2]) {
    Deno.test(`restore() equals SQLite's own checkpoint, commit after commit (page size ${pageSize}, seed ${seed})`, () =>
      withTemporaryFolder(async (folder) => {
        const recorded = await RecordedDatabase.make(folder, { seed, pageSize });
        const { generation, store } = recorded.replica;
        const output = `${folder}/restored.db`;
        const points = recorded.points.filter((_, i) => i % 3 === 0 || i === recorded.points.length - 1);
        assert(points.length > 10 && (points.at(-1)?.index ?? 0) > 1, "there is something to compare");
        for (const point of points) {
          const position = { generation, index: asIndex(point.index), offset: asOffset(point.offset) };
          const { plan } = await restoreFrom(store, output, { kind: "position", position, generation });
          assertEquals([plan.end.index, plan.end.offset], [position.index, position.offset]);
          assertSameBytes(Deno.readFileSync(output), recorded.imageAt(point), `seed ${seed}, ${JSON.stringify(point)}`);
          Deno.removeSync(output);
        }
      }));
  }
}

Deno.test("restore() finds by time what was committed then", () =>
  withTemporaryFolder(async (folder) => {
    const recorded = await RecordedDatabase.make(folder, { seed: 7, actions: 20 });
    for (const point of recorded.points.filter((_, i) => i % 4 === 0)) {
      const output = `${folder}/restored-${point.atMs}.db`;
      await restoreFrom(recorded.replica.store, output, { kind: "time", atMs: point.atMs + 1 });
      assertSameBytes(Deno.readFileSync(output), recorded.imageAt(point), JSON.stringify(point));
    }
  }));

for (const littleEndian of [true, false]) {
  Deno.test(`restore() reads a WAL whose words are ${littleEndian ? "little" : "big"}-endian`, () =>
    withTemporaryFolder(async (folder) => {
      const wal = new WalBuilder({ pageSize: 512, littleEndian });
      const end = wal.commit(3, [2, 21], [3, 31]);
      const replica = new ReplicaBuilder(`${folder}/replica`, { pageSize: 512 });
      await replica.snapshot(0, 0, imageOf(512, 10, 20));
      await replica.wal(0, wal.bytes(), { end, databasePages: 3 });
      await restoreFrom(replica.store, `${folder}/out.db`);
      assertSameBytes(Deno.readFileSync(`${folder}/out.db`), imageOf(512, 10, 21, 31), "image");
    }));
}

Deno.test("restore() reads pages that an older index held beyond a later size as zeros", () =>
  withTemporaryFolder(async (folder) => {
    const replica = new ReplicaBuilder(`${folder}/replica`, { pageSize: 512 });
    const [first, second, third] = [
      new WalBuilder({ pageSize: 512 }),
      new WalBuilder({ pageSize: 512 }),
      new WalBuilder({
        pageSize: 512,
      }),
    ];
    await replica.snapshot(0, 0, imageOf(512, 1, 2, 3, 4, 5, 6));
    const grown = first.commit(8, [7, 70], [8, 80]);
    await replica.wal(0, first.bytes(), { end: grown, databasePages: 8 });
    await replica.close(0);
    const shrunk = second.commit(3, [1, 11]); // Pages 4 to 8 are cut off when this index is checkpointed.
    await replica.wal(1, second.bytes(), { end: shrunk, databasePages: 3 });
    await replica.close(1);
    const again = third.commit(7, [5, 55]); // Pages 4, 6 and 7 were never written since.
    await replica.wal(2, third.bytes(), { end: again, databasePages: 7 });
    await restoreFrom(replica.store, `${folder}/out.db`);
    const expected = new Uint8Array(7 * 512);
    expected.set(imageOf(512, 11, 2, 3));
    expected.set(pageOf(512, 55), 4 * 512);
    assertSameBytes(Deno.readFileSync(`${folder}/out.db`), expected, "image");
  }));

Deno.test("restore() takes a page's newest frame within one index, though the database was smaller in between", () =>
  withTemporaryFolder(async (folder) => {
    const replica = new ReplicaBuilder(`${folder}/replica`, { pageSize: 512 });
    const wal = new WalBuilder({ pageSize: 512 });
    await replica.snapshot(0, 0, imageOf(512, 1));
    const ends = [wal.commit(4, [2, 20], [3, 30], [4, 40]), wal.commit(1, [1, 11]), wal.commit(4, [2, 22])];
    const commits = ends.map((end, i) => ({ end, databasePages: [4, 1, 4][i] ?? 0 }));
    await replica.wal(0, wal.bytes(), ...commits);
    await restoreFrom(replica.store, `${folder}/out.db`);
    assertSameBytes(Deno.readFileSync(`${folder}/out.db`), imageOf(512, 11, 22, 30, 40), "image");
  }));

Deno.test("restore() passes over bytes of a WAL behind its last record", () =>
  withTemporaryFolder(async (folder) => {
    const replica = new ReplicaBuilder(`${folder}/replica`, { pageSize: 512 });
    const wal = new WalBuilder({ pageSize: 512 });
    const end = wal.commit(1, [1, 10]);
    await replica.wal(0, wal.bytes(), { end, databasePages: 1 });
    await replica.snapshot(0, 0, imageOf(512, 1));
    wal.commit(2, [2, 20]);
    Deno.writeFileSync(replica.path(0, "wal"), new Uint8Array([...wal.bytes(), 1, 2, 3]));
    await restoreFrom(replica.store, `${folder}/out.db`);
    assertSameBytes(Deno.readFileSync(`${folder}/out.db`), imageOf(512, 10), "image");
  }));

Deno.test("restore() goes over many chunks and batches, each page once, whatever their order", () =>
  withTemporaryFolder(async (folder) => {
    const pageSize = 65536;
    const pages = 300; // More than a batch holds; and each index is more than one chunk.
    const random = seededRandom(11);
    const replica = new ReplicaBuilder(`${folder}/replica`, { pageSize });
    const fills = Array.from({ length: pages }, (_, i) => i & 0xff);
    await replica.snapshot(0, 0, imageOf(pageSize, ...fills));
    for (const index of [0, 1]) {
      const wal = new WalBuilder({ pageSize, salt: { salt1: index, salt2: index } });
      let end = 0;
      for (let frame = 0; frame < 200; frame++) {
        const page = 1 + randomInteger(random, pages);
        const fill = randomInteger(random, 256);
        fills[page - 1] = fill;
        end = wal.commit(pages, [page, fill]);
      }
      assert(end > 3 * limits.restoreChunkBytes);
      await replica.wal(index, wal.bytes(), { end, databasePages: pages });
      if (index === 0) await replica.close(0);
    }
    const tools = restoreTools();
    const { plan } = await restoreFrom(replica.store, `${folder}/out.db`, { kind: "latest" }, tools);
    assert(plan.databaseBytes > limits.restoreBatchBytes);
    assertSameBytes(Deno.readFileSync(`${folder}/out.db`), imageOf(pageSize, ...fills), "image");
    assertEquals(tools.progress.total, plan.plannedBytes);
    assertEquals(tools.progress.done, plan.plannedBytes - 2 * 32);
  }));

Deno.test("restore() makes an empty database of the snapshot of one", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await new ReplicaBuilder(`${folder}/replica`).snapshot(0, 0, new Uint8Array());
    await restoreFrom(replica.store, `${folder}/empty.db`);
    assertEquals(Deno.readFileSync(`${folder}/empty.db`).length, 0);
    const wal = new WalBuilder();
    const end = wal.commit(2, [1, 1], [2, 2]);
    await replica.wal(0, wal.bytes(), { end, databasePages: 2 });
    await restoreFrom(replica.store, `${folder}/first.db`);
    assertSameBytes(Deno.readFileSync(`${folder}/first.db`), imageOf(4096, 1, 2), "image");
  }));

Deno.test("restore() stops when it is told to, and leaves nothing behind", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await new ReplicaBuilder(`${folder}/replica`).snapshot(0, 0, imageOf(4096, 1, 2));
    const tools = restoreTools({ signal: AbortSignal.abort() });
    const attempt = () => restoreFrom(replica.store, `${folder}/out.db`, { kind: "latest" }, tools);
    const error = await assertRejects(attempt) as ReplicationError;
    assertEquals(error.code, "cancelled");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["replica"]);
  }));
