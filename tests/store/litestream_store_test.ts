import { ReplicationError } from "../../lib/base/errors.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { DamagedSegment } from "../../lib/store/damaged_segment.ts";
import { LitestreamStore } from "../../lib/store/litestream_store.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { aWholeImage } from "../support/image.ts";
import { aStore, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const INDEX = asIndex(3);

function aBuilder(folder: string): ReplicaBuilder {
  return new ReplicaBuilder(`${folder}/replica`, { layout: "litestream" });
}

function threeCommits() {
  const wal = new WalBuilder();
  const ends = [wal.commit(2, [1, 1], [2, 2]), wal.commit(2, [1, 3]), wal.commit(3, [3, 4])];
  return { bytes: wal.bytes(), ends: ends.map(Number) };
}

/** Three segments, the last of which holds two commits. */
async function aReplica(folder: string): Promise<ReplicaBuilder> {
  const { bytes, ends } = threeCommits();
  const replica = aBuilder(folder);
  await replica.snapshot(3, 0, imageOf(4096, 8, 9));
  await replica.wal(3, bytes, { end: ends[0] ?? 0, databasePages: 2 });
  await replica.wal(3, bytes, { end: ends[1] ?? 0, databasePages: 2 }, { end: ends[2] ?? 0, databasePages: 3 });
  await replica.close(3);
  return replica;
}

function walFiles(replica: ReplicaBuilder): string[] {
  return namesIn(`${replica.root}/generations/${replica.generation}/wal`);
}

function walPath(replica: ReplicaBuilder, name: string): string {
  return `${replica.root}/generations/${replica.generation}/wal/${name}`;
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("appendWal() writes one object a sync, named by index and offset, and an empty one that closes the index", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const { ends } = threeCommits();
    const hex = (value = 0) => value.toString(16).padStart(8, "0");
    assertEquals(walFiles(replica), [
      "00000003_00000000.wal.lz4",
      `00000003_${hex(ends[0])}.wal.lz4`,
      `00000003_${hex(ends[2])}.wal.lz4`,
    ]);
    assertEquals(namesIn(`${replica.root}/generations/${replica.generation}/snapshots`), ["00000003.snapshot.lz4"]);
  }));

Deno.test("A litestream replica gives back what was written, by catalog, records and position", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const { bytes, ends } = threeCommits();
    const store = aStore(replica.root, "litestream");
    assertEquals(await store.generations(), [replica.generation]);
    const catalog = await store.catalog(replica.generation);
    const [snapshot] = catalog.snapshots;
    assertEquals([snapshot?.index, snapshot?.stateIndex, snapshot?.imageBytes], [INDEX, INDEX, 8192]);
    assertEquals(snapshot?.record?.databasePages, 2);
    const [wal] = catalog.wals;
    assertEquals([wal?.index, wal?.recordCount, wal?.recordProblem], [INDEX, 3, undefined]);
    assertEquals([wal?.lastRecord?.end, wal?.lastRecord?.indexClosed], [asOffset(ends[2] ?? 0), true]);
    const records = await store.records(replica.generation, INDEX);
    assertEquals(records.map(({ end, indexClosed }) => [Number(end), indexClosed]), [
      [ends[0], false],
      [ends[1], false],
      [ends[2], false],
      [ends[2], true],
    ]);
    assertEquals(await store.end(replica.generation), { index: INDEX, offset: asOffset(ends[2] ?? 0), closed: true });
    const whole = new Uint8Array(bytes.length + 10);
    assertEquals(await store.readWal(replica.generation, INDEX, 0, whole), bytes.length);
    assertEquals(whole.subarray(0, bytes.length), bytes);
    for (let at = bytes.length - 1; at > 0; at -= 1371) {
      const part = new Uint8Array(2000);
      const got = await store.readWal(replica.generation, INDEX, at, part);
      assertEquals(part.subarray(0, got), bytes.subarray(at, at + 2000));
    }
  }));

Deno.test("A segment and a snapshot of the litestream layout are never replaced", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const path = walPath(replica, "00000003_00000000.wal.lz4");
    const before = Deno.readFileSync(path);
    const again = new ReplicaBuilder(replica.root, { layout: "litestream" });
    const { bytes, ends } = threeCommits();
    const error = await assertRejects(
      () => again.wal(3, bytes, { end: ends[1] ?? 0, databasePages: 2 }),
      ReplicationError,
    );
    assertStringIncludes(error.message, "it exists already (a segment is never replaced)");
    assertEquals(Deno.readFileSync(path), before);
    const other = await assertRejects(() => again.snapshot(3, 0, imageOf(4096, 1)), ReplicationError);
    assertStringIncludes(other.message, "it exists already (a snapshot is never replaced)");
  }));

Deno.test("writeSnapshot() brings the WAL that the image needs before anybody can see the snapshot", () =>
  withTemporaryFolder(async (folder) => {
    const replica = aBuilder(folder);
    const record = {
      kind: "snapshot",
      pageSize: 4096,
      start: asOffset(4152),
      end: asOffset(4152),
      capturedAtMs: 1_000,
      databasePages: 1,
      capturedLate: false,
      indexClosed: false,
    } as const;
    const seen: unknown[] = [];
    await replica.store.writeSnapshot(replica.generation, aWholeImage(imageOf(4096, 1), 3, record), async (written) => {
      seen.push(written.record.end);
      seen.push((await aStore(replica.root, "litestream").catalog(replica.generation)).snapshots.length);
    });
    assertEquals(seen, [4152, 0]);
    assertEquals((await replica.store.catalog(replica.generation)).snapshots.length, 1);
    const failing = () => Promise.reject(new ReplicationError("unavailable", "Cannot bring it"));
    await assertRejects(() =>
      replica.store.writeSnapshot(replica.generation, aWholeImage(imageOf(4096, 1), 4, record), failing)
    );
    const folderOfSnapshots = `${replica.root}/generations/${replica.generation}/snapshots`;
    assertEquals(namesIn(folderOfSnapshots), ["00000003.snapshot.lz4"]);
  }));

Deno.test("A gap between segments is found wherever it is read, and names the segment before it", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const { ends } = threeCommits();
    const [, middle] = walFiles(replica);
    Deno.removeSync(walPath(replica, middle ?? ""));
    const store = aStore(replica.root, "litestream");
    const read = () => store.readWal(replica.generation, INDEX, 0, new Uint8Array(20_000));
    const error = await assertRejects(read, DamagedSegment);
    assertEquals([error.code, error.intactTo], ["gap", ends[0]]);
    assertStringIncludes(error.message, `00000003_00000000.wal.lz4 ends at offset ${ends[0]} (expected ${ends[2]}`);
  }));

Deno.test("A missing first segment is a gap, not an index that begins later", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    Deno.removeSync(walPath(replica, "00000003_00000000.wal.lz4"));
    const store = aStore(replica.root, "litestream");
    const read = () => store.readWal(replica.generation, INDEX, 0, new Uint8Array(100));
    const error = await assertRejects(read, DamagedSegment);
    assertEquals([error.code, error.intactTo], ["gap", 0]);
    assertStringIncludes(error.message, "00000003_00000000.wal.lz4 is missing");
  }));

Deno.test("A last segment that is cut short is a promise that is not kept, at every length", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const { ends } = threeCommits();
    const [, middle, closing] = walFiles(replica);
    Deno.removeSync(walPath(replica, closing ?? ""));
    const path = walPath(replica, middle ?? "");
    const whole = Deno.readFileSync(path);
    for (let length = 0; length < whole.length; length += length < 20 ? 1 : 7) {
      Deno.writeFileSync(path, whole.subarray(0, length));
      const store = aStore(replica.root, "litestream");
      const [wal] = (await store.catalog(replica.generation)).wals;
      assertEquals(wal?.lastRecord?.end, asOffset(ends[0] ?? 0), `cut to ${length} bytes`);
      assert((wal?.promisedEnd ?? 0) > (ends[0] ?? 0), `cut to ${length} bytes`);
      assertStringIncludes(wal?.recordProblem ?? "", middle ?? "");
      const error = await assertRejects(() => store.end(replica.generation), ReplicationError);
      assertEquals(error.code, "corrupt");
    }
  }));

Deno.test("Names outside the layout are passed over", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const before = await replica.store.catalog(replica.generation);
    for (
      const name of ["00000003_00000000.wal.lz4.tmp", "0000000A_00000000.wal.lz4", "3_0.wal.lz4", "wal", "00000004"]
    ) {
      Deno.writeTextFileSync(walPath(replica, name), "other");
    }
    const { unfinishedAtMs, ...after } = await replica.store.catalog(replica.generation);
    assertEquals(after, before);
    assert((unfinishedAtMs ?? 0) > 1.7e12, "of drafts it tells the time, and nothing else");
  }));

Deno.test("catalog() tells of what has the name of a segment and is no file", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    Deno.mkdirSync(walPath(replica, "00000009_00000000.wal.lz4"));
    const last = (await replica.store.catalog(replica.generation)).wals.at(-1);
    const key = `generations/${replica.generation}/wal/00000009_00000000.wal.lz4`;
    assertEquals([last?.recordProblem, last?.promisedEnd], [
      `Cannot read ${key}: it is a folder, not a file`,
      asOffset(1),
    ]);
  }));

Deno.test("removeWal() takes the beginning of an index last, so that Litestream never misses it", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const client = new FileReplicaClient(unsyncedFiles(), replica.root);
    const calls: string[][] = [];
    const noted = Object.assign(Object.create(client), {
      list: client.list.bind(client),
      delete: (keys: readonly string[]) => Promise.resolve(void calls.push(keys.map((key) => key.slice(-16, -8)))),
    });
    await new LitestreamStore(noted).removeWal(replica.generation, INDEX);
    const hex = (value = 0) => value.toString(16).padStart(8, "0");
    const { ends } = threeCommits();
    assertEquals(calls, [[hex(ends[2]), hex(ends[0])], ["00000000"]]);
  }));

Deno.test("The removing verbs know every name that older versions of Litestream gave", () =>
  withTemporaryFolder(async (folder) => {
    const base = `${folder}/replica/generations/00000000000000aa`;
    const names = [
      "snapshots/0000000000000003.snapshot.gz",
      "snapshots/0000000000000003-a.snapshot",
      "wal/0000000000000000/0000000000000003.wal",
      "wal/0000000000000000/0000000000000003.wal.gz",
      "wal/0000000000010000/0000000000010002_0000000000000000.wal.gz",
    ];
    const fill = () => {
      for (const name of names) {
        Deno.mkdirSync(`${base}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
        Deno.writeTextFileSync(`${base}/${name}`, "any");
      }
    };
    fill();
    const generation = asGeneration("00000000000000aa");
    const store = aStore(`${folder}/replica`, "litestream");
    await store.removeSnapshot(generation, INDEX);
    await store.removeWal(generation, INDEX);
    assertEquals([namesIn(`${base}/snapshots`), namesIn(`${base}/wal/0000000000000000`)], [[], []]);
    assertEquals(namesIn(`${base}/wal/0000000000010000`).length, 1);
    fill();
    await aStore(`${folder}/replica`, "litestream").removeGeneration(generation);
    assertEquals(namesIn(`${folder}/replica/generations`), []);
  }));

Deno.test("An object of the other kind under a name is damage: a segment that stands for a snapshot, or a snapshot for WAL", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const snapshot = `${replica.root}/generations/${replica.generation}/snapshots/00000003.snapshot.lz4`;
    const segment = walPath(replica, "00000003_00000000.wal.lz4");
    const [image, wal] = [snapshot, segment].map((path) => Deno.readFileSync(path));
    assert(image !== undefined && wal !== undefined);
    Deno.writeFileSync(snapshot, wal);
    const asSnapshot = await aStore(replica.root, "litestream").catalog(replica.generation);
    assertEquals(asSnapshot.snapshots[0]?.record, undefined);
    assertStringIncludes(asSnapshot.snapshots[0]?.recordProblem ?? "", "00000003.snapshot.lz4 is damaged");
    Deno.writeFileSync(snapshot, image);
    for (const name of walFiles(replica).slice(1)) Deno.removeSync(walPath(replica, name));
    Deno.writeFileSync(segment, image);
    const asWal = await aStore(replica.root, "litestream").catalog(replica.generation);
    assertEquals([asWal.wals[0]?.lastRecord, asWal.wals[0]?.isForeign], [undefined, true]);
    assertStringIncludes(asWal.wals[0]?.recordProblem ?? "", "00000003_00000000.wal.lz4 is damaged");
  }));

Deno.test("What belongs elsewhere is told of an index, also where what is behind it is damaged", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const [first, second, third] = walFiles(replica).map((name) => walPath(replica, name));
    assert(first !== undefined && second !== undefined && third !== undefined);
    Deno.copyFileSync(first, second);
    Deno.truncateSync(third, 20);
    const { wals: [entry] } = await aStore(replica.root, "litestream").catalog(replica.generation);
    assertEquals([entry?.isForeign, entry?.promisedEnd === Infinity], [true, true]);
    assertStringIncludes(entry?.recordProblem ?? "", "was written for offset 0, not for");
  }));
