import { AssertionError } from "../../lib/base/assert.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { crc32c } from "../../lib/base/crc32c.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { COMMIT_RECORD_SIZE, type CommitRecord, formatCommitRecord } from "../../lib/store/commit_record.ts";
import { DamagedGeneration } from "../../lib/store/damaged_generation.ts";
import type { WalPieces } from "../../lib/store/generation_store.ts";
import { RawStore } from "../../lib/store/raw_store.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { aStore, changeByte, EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { aWholeImage, nothingToBring } from "../support/image.ts";
import { makeNode } from "../support/no_files.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const INDEX = asIndex(0);

/** Three transactions of one frame each. */
function threeCommits(pageSize = 4096) {
  const wal = new WalBuilder({ pageSize });
  const ends = [wal.commit(2, [1, 10]), wal.commit(2, [2, 20]), wal.commit(3, [3, 30])];
  return { bytes: wal.bytes(), ends, commits: ends.map((end, i) => ({ end, databasePages: i < 2 ? 2 : 3 })) };
}

async function aReplica(folder: string): Promise<ReplicaBuilder> {
  const { bytes, commits } = threeCommits();
  return await new ReplicaBuilder(`${folder}/replica`).wal(0, bytes, ...commits);
}

function aRecord(start: number, end: number, overrides: Partial<CommitRecord> = {}): CommitRecord {
  return {
    kind: "sync",
    pageSize: 4096,
    start: asOffset(start),
    end: asOffset(end),
    capturedAtMs: EPOCH_MS,
    databasePages: 2,
    capturedLate: false,
    indexClosed: false,
    ...overrides,
  };
}

/** WAL pieces from one array of bytes, with one record for each further end. */
function wal(bytes: Uint8Array, start: number, ...ends: readonly number[]): WalPieces {
  const records = ends.map((end, i) => aRecord(i === 0 ? start : ends[i - 1] ?? start, end));
  const left = [bytes.subarray(start, ends.at(-1))];
  return { next: () => Promise.resolve(left.shift() ?? new Uint8Array()), records: () => records };
}

function closing(end: number): WalPieces {
  return {
    next: () => Promise.resolve(new Uint8Array()),
    records: () => [aRecord(end, end, { indexClosed: true })],
  };
}

/** By another store, as a process that is started later has one. */
async function appendTo(replica: ReplicaBuilder, start: number, pieces: WalPieces): Promise<void> {
  const store = aStore(replica.root);
  try {
    await store.appendWal(replica.generation, INDEX, asOffset(start), pieces);
  } finally {
    await store.rest?.();
  }
}

async function endOf(replica: ReplicaBuilder) {
  return await aStore(replica.root).end(replica.generation);
}

async function entryOf(replica: ReplicaBuilder) {
  const [entry] = (await aStore(replica.root).catalog(replica.generation)).wals;
  assert(entry !== undefined);
  return entry;
}

Deno.test("RawStore names everything as the raw layout says", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    await replica.snapshot(0x1f, 0, imageOf(4096, 1, 2));
    const base = `${replica.root}/generations/00000000000000aa`;
    const names = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    assertEquals(names(replica.root), ["generations"]);
    assertEquals(names(base), ["snapshots", "wal"]);
    assertEquals(names(`${base}/wal`), ["0000000000000000.commits", "0000000000000000.wal"]);
    assertEquals(names(`${base}/snapshots`), ["000000000000001f.record", "000000000000001f.snapshot"]);
  }));

Deno.test("exists() and generations() see nothing before the first write, and pass over other names", () =>
  withTemporaryFolder(async (folder) => {
    const store = aStore(`${folder}/replica`);
    assertEquals([await store.exists(), await store.generations()], [false, []]);
    Deno.mkdirSync(`${folder}/replica/lost+found`, { recursive: true });
    assertEquals(await store.exists(), false);
    for (const name of ["00000000000000AA", "00000000000000a", "00000000000000aa.tmp", "notes"]) {
      Deno.mkdirSync(`${folder}/replica/generations/${name}`, { recursive: true });
    }
    Deno.writeTextFileSync(`${folder}/replica/generations/00000000000000cc`, "a file");
    assertEquals([await store.exists(), await store.generations()], [true, []]);
    const replica = await aReplica(folder);
    assertEquals(await replica.store.generations(), [replica.generation]);
  }));

Deno.test("appendWal() writes the WAL byte for byte, with a record for each capture", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends } = threeCommits();
    const replica = await aReplica(folder);
    assertEquals(Deno.readFileSync(replica.path(0, "wal")), bytes);
    const records = await replica.store.records(replica.generation, INDEX);
    assertEquals(records.map(({ start, end }) => [start, end]), [[0, ends[0]], [ends[0], ends[1]], [ends[1], ends[2]]]);
    assertEquals(Deno.statSync(replica.path(0, "commits")).size, 3 * COMMIT_RECORD_SIZE);
  }));

/** A client of the folder that tells when bytes of which kind of file are asked for, and when they are durable. */
function notedClient(root: string, note: (event: string) => void): FileReplicaClient {
  const client = new FileReplicaClient(unsyncedFiles(), root);
  const noted = Object.assign(Object.create(client) as FileReplicaClient, {
    append: async (key: string, offset: number, fill: () => Promise<Uint8Array>) => {
      const suffix = key.slice(key.lastIndexOf("."));
      await client.append(key, offset, async () => {
        const bytes = await fill();
        if (bytes.length > 0) note(`bytes of ${suffix}`);
        return bytes;
      });
      note(`${suffix} is on disk`);
    },
  });
  for (const method of ["list", "status", "read", "write", "occupy"] as const) {
    Object.assign(noted, { [method]: client[method].bind(client) });
  }
  return noted;
}

Deno.test("appendWal() writes the records only after the WAL is on disk", () =>
  withTemporaryFolder(async (folder) => {
    const events: string[] = [];
    const store = new RawStore(notedClient(`${folder}/replica`, (event) => events.push(event)));
    const { generation } = new ReplicaBuilder(folder);
    const { bytes, ends } = threeCommits();
    let start = 0;
    for (const end of ends) { // The first time its file is made, then it is known.
      const given = wal(bytes, start, end);
      await store.appendWal(generation, INDEX, asOffset(start), {
        next: () => given.next(),
        records: () => {
          events.push("records");
          return given.records();
        },
      });
      const order = ["bytes of .wal", ".wal is on disk", "records", "bytes of .commits", ".commits is on disk"];
      assertEquals(events.splice(0), order, `from ${start}`);
      start = end;
    }
  }));

Deno.test("appendWal() leaves the records as they were when the WAL cannot be written, and says why", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends: [first = 0, second = 0] } = threeCommits();
    let isFull = false;
    const client = notedClient(`${folder}/replica`, (event) => {
      if (isFull && event === "bytes of .wal") throw new ReplicationError("no-space", "Cannot write: no space is left");
    });
    const store = new RawStore(client);
    const { generation } = new ReplicaBuilder(folder);
    await store.appendWal(generation, INDEX, asOffset(0), wal(bytes, 0, first));
    isFull = true;
    const attempt = () => store.appendWal(generation, INDEX, asOffset(first), wal(bytes, first, second));
    const error = await assertRejects(attempt, ReplicationError);
    assertEquals([error.code, error.message], ["no-space", "Cannot write: no space is left"]);
    assertEquals((await store.records(generation, INDEX)).map(({ end }) => Number(end)), [first]);
    isFull = false;
    await attempt();
    assertEquals((await store.records(generation, INDEX)).map(({ end }) => Number(end)), [first, second]);
  }));

Deno.test("appendWal() that finds more records than it wrote changes nothing, and looks the next time", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends: [first = 0, second = 0, third = 0] } = threeCommits();
    const replica = new ReplicaBuilder(`${folder}/replica`);
    const { generation } = replica;
    const store = new RawStore(new FileReplicaClient(unsyncedFiles(), replica.root));
    const held = () => (["wal", "commits"] as const).map((suffix) => Deno.readFileSync(replica.path(0, suffix)));
    await store.appendWal(generation, INDEX, asOffset(0), wal(bytes, 0, first));
    await store.rest();
    await appendTo(replica, first, wal(bytes, first, second));
    const before = held();
    const other = bytes.slice().fill(7, first);
    const attempt = () => store.appendWal(generation, INDEX, asOffset(first), wal(other, first, third));
    assertEquals((await assertRejects(attempt, ReplicationError)).code, "unavailable");
    assertEquals((await assertRejects(attempt, ReplicationError)).code, "corrupt"); // By now it has looked.
    assertEquals(held(), before);
    await store.appendWal(generation, INDEX, asOffset(first), wal(bytes, first, second, third));
    assertEquals((await store.records(generation, INDEX)).map(({ end }) => Number(end)), [first, second, third]);
    await store.rest();
  }));

Deno.test("appendWal() refuses records that do not speak of exactly the bytes given", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends: [first = 0, second = 0] } = threeCommits();
    const { store, generation } = new ReplicaBuilder(`${folder}/replica`);
    const give = (pieces: WalPieces) => store.appendWal(generation, INDEX, asOffset(0), pieces);
    const { next } = wal(bytes, 0, first);
    await assertRejects(() => give({ next, records: () => [] }), AssertionError);
    await assertRejects(() => give({ ...wal(bytes, 0, first), records: () => [aRecord(0, second)] }), AssertionError);
    await assertRejects(() => give({ ...wal(bytes, 0, first), records: () => [aRecord(32, first)] }), AssertionError);
    const gap = [aRecord(0, first), aRecord(first + 1, second)];
    await assertRejects(() => give({ ...wal(bytes, 0, second), records: () => gap }), AssertionError);
    const closedFirst = [aRecord(0, first), aRecord(first, first, { indexClosed: true }), aRecord(first, second)];
    await assertRejects(() => give({ ...wal(bytes, 0, second), records: () => closedFirst }), AssertionError);
    assertEquals([...await store.records(generation, INDEX)], []);
  }));

Deno.test("appendWal() may be called again after an error, whatever part of it had taken effect", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends: [first = 0, second = 0, third = 0] } = threeCommits();
    const replica = await new ReplicaBuilder(`${folder}/replica`).wal(0, bytes, { end: first, databasePages: 2 });
    const { generation } = replica;
    // The bytes are there, their records are not.
    Deno.writeFileSync(replica.path(0, "wal"), bytes.subarray(0, second + 100));
    await appendTo(replica, first, wal(bytes, first, second));
    assertEquals(await endOf(replica), { index: INDEX, offset: asOffset(second), closed: false });
    // Both are there; now the same captures are given again, together with a further one, in one record.
    await appendTo(replica, first, wal(bytes, first, third));
    const records = await replica.store.records(generation, INDEX);
    assertEquals(records.map(({ start, end }) => [start, end]), [[0, first], [first, third]]);
    assertEquals(Deno.statSync(replica.path(0, "commits")).size, 2 * COMMIT_RECORD_SIZE);
    // Less than what is held is given again: nothing is lost.
    await appendTo(replica, first, wal(bytes, first, second));
    assertEquals((await endOf(replica))?.offset, asOffset(third));
    assertEquals(Deno.readFileSync(replica.path(0, "wal")), bytes);
  }));

Deno.test("appendWal() refuses what another store goes on with, and changes nothing", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends: [first = 0, second = 0] } = threeCommits();
    const replica = new ReplicaBuilder(`${folder}/replica`);
    const store = aStore(replica.root);
    const other = bytes.slice().fill(7, 100);
    for (const [start, end] of [[0, first], [first, second]] as const) {
      await store.appendWal(replica.generation, INDEX, asOffset(start), wal(bytes, start, end));
      const attempt = () => appendTo(replica, start, wal(other, start, end));
      assertEquals((await assertRejects(attempt, ReplicationError)).code, "contested");
    }
    assertEquals(Deno.readFileSync(replica.path(0, "wal")), bytes.subarray(0, second));
    assertEquals((await store.records(replica.generation, INDEX)).map(({ end }) => Number(end)), [first, second]);
    await store.rest?.();
  }));

Deno.test("appendWal() given a closing record again keeps one", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const end = (await replica.store.end(replica.generation))?.offset ?? asOffset(0);
    for (let i = 0; i < 3; i++) await appendTo(replica, end, closing(end));
    const records = await replica.store.records(replica.generation, INDEX);
    assertEquals(records.map(({ indexClosed }) => indexClosed), [false, false, false, true]);
    assertEquals((await endOf(replica))?.closed, true);
  }));

Deno.test("appendWal() never changes bytes below the last valid record", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const held = Deno.readFileSync(replica.path(0, "wal"));
    const { ends: [first = 0, second = 0] } = threeCommits();
    const other = new WalBuilder();
    other.commit(2, [1, 10]);
    other.commit(2, [2, 99]);
    const give = () => appendTo(replica, first, wal(other.bytes(), first, second));
    const error = await assertRejects(give, ReplicationError);
    assertEquals(error.code, "corrupt");
    assertStringIncludes(error.message, "the replica holds other bytes there");
    assertEquals(Deno.readFileSync(replica.path(0, "wal")), held);
    assertEquals((await replica.store.records(replica.generation, INDEX)).length, 3);
  }));

Deno.test("appendWal() goes on only where a record ended", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const { bytes, ends: [first = 0, , third = 0] } = threeCommits();
    for (const start of [first + 4120 / 2, third + 4120]) {
      const give = () => appendTo(replica, start, wal(bytes, start, start + 4120));
      assertEquals((await assertRejects(give, ReplicationError)).code, "gap");
    }
  }));

Deno.test("appendWal() writes over torn records and leaves nothing of them behind", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends: [first = 0, second = 0] } = threeCommits();
    for (const torn of [1, 63, 64, 65, 200]) {
      const replica = await new ReplicaBuilder(`${folder}/${torn}`).wal(0, bytes, { end: first, databasePages: 2 });
      const path = replica.path(0, "commits");
      Deno.writeFileSync(path, new Uint8Array([...Deno.readFileSync(path), ...new Uint8Array(torn).fill(7)]));
      const end = await endOf(replica);
      assertEquals(end, { index: INDEX, offset: asOffset(first), closed: false });
      await appendTo(replica, first, wal(bytes, first, second));
      assertEquals(Deno.statSync(path).size, 2 * COMMIT_RECORD_SIZE);
      assertEquals((await endOf(replica))?.offset, asOffset(second));
    }
  }));

Deno.test("appendWal() goes on behind a damaged record that lies in the middle", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const { bytes, ends: [, , third = 0] } = threeCommits();
    changeByte(replica.path(0, "commits"), COMMIT_RECORD_SIZE + 20, (byte) => byte ^ 1);
    const longer = new WalBuilder();
    longer.commit(2, [1, 10]);
    longer.commit(2, [2, 20]);
    longer.commit(3, [3, 30]);
    const fourth = longer.commit(3, [1, 40]);
    assertEquals(longer.bytes().subarray(0, bytes.length), bytes);
    await appendTo(replica, third, wal(longer.bytes(), third, fourth));
    assertEquals((await endOf(replica))?.offset, fourth);
    assertEquals(Deno.statSync(replica.path(0, "commits")).size, 4 * COMMIT_RECORD_SIZE);
  }));

Deno.test("appendWal() gives bytes that no record spoke of a record, so that the first one starts at 0", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends: [, second = 0, third = 0] } = threeCommits();
    const replica = await aReplica(folder);
    Deno.removeSync(replica.path(0, "commits"));
    Deno.writeFileSync(replica.path(0, "wal"), bytes.subarray(0, second));
    assertEquals((await endOf(replica))?.offset, asOffset(second));
    await appendTo(replica, second, wal(bytes, second, third));
    const records = await replica.store.records(replica.generation, INDEX);
    assertEquals(
      records.map(({ start, end, capturedLate, databasePages }) => [start, end, capturedLate, databasePages]),
      [
        [0, second, true, 2],
        [second, third, false, 2],
      ],
    );
  }));

Deno.test("end() is undefined without WAL, and then the end of the last record", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, commits, ends } = threeCommits();
    const replica = new ReplicaBuilder(`${folder}/replica`);
    assertEquals(await endOf(replica), undefined);
    await replica.snapshot(0, 0, imageOf(4096, 1));
    assertEquals(await endOf(replica), undefined);
    await replica.wal(0, bytes, ...commits);
    assertEquals(await endOf(replica), { index: INDEX, offset: ends[2] ?? asOffset(0), closed: false });
    await replica.close(0);
    assertEquals(await endOf(replica), { index: INDEX, offset: ends[2] ?? asOffset(0), closed: true });
    await replica.wal(1, bytes, ...commits.slice(0, 1));
    assertEquals(await endOf(replica), { index: asIndex(1), offset: ends[0] ?? asOffset(0), closed: false });
  }));

Deno.test("end() walks back over records that are damaged or end beyond the WAL", () =>
  withTemporaryFolder(async (folder) => {
    const { ends: [first, second, third = asOffset(0)] } = threeCommits();
    const replica = await aReplica(folder);
    changeByte(replica.path(0, "commits"), 2 * COMMIT_RECORD_SIZE + 5, (byte) => byte ^ 0x10);
    assertEquals((await endOf(replica))?.offset, second);
    assertStringIncludes((await entryOf(replica)).recordProblem ?? "", "a commit record's checksum does not match");
    Deno.truncateSync(replica.path(0, "wal"), (second ?? 0) - 1);
    assertEquals((await endOf(replica))?.offset, first);
    const whole = await aReplica(`${folder}/other`);
    Deno.truncateSync(whole.path(0, "wal"), third - 1);
    const entry = await entryOf(whole);
    assertEquals([entry.lastRecord?.end, entry.promisedEnd, entry.recordCount], [second, third, 3]);
  }));

Deno.test("end() walks back over any number of records", () =>
  withTemporaryFolder(async (folder) => {
    const replica = new ReplicaBuilder(`${folder}/replica`, { pageSize: 512 });
    const wal = new WalBuilder({ pageSize: 512 });
    const commits = Array.from({ length: 300 }, (_, i) => ({ end: wal.commit(1, [1, i]), databasePages: 1 }));
    await replica.wal(0, wal.bytes(), ...commits);
    for (const kept of [299, 236, 235, 234, 172, 1]) {
      Deno.truncateSync(replica.path(0, "wal"), commits[kept - 1]?.end ?? 0);
      assertEquals((await endOf(replica))?.offset, commits[kept - 1]?.end);
    }
  }));

Deno.test("end() takes the last valid commit frame where there is no record at all", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, ends: [, second = 0, third = 0] } = threeCommits();
    const replica = await aReplica(folder);
    Deno.removeSync(replica.path(0, "commits"));
    assertEquals((await endOf(replica))?.offset, asOffset(third));
    Deno.writeFileSync(replica.path(0, "commits"), new Uint8Array(17));
    assertEquals((await endOf(replica))?.offset, asOffset(third));
    changeByte(replica.path(0, "wal"), third - 1, (byte) => byte ^ 1);
    assertEquals((await endOf(replica))?.offset, asOffset(second));
    for (const size of [31, 32, 100]) {
      Deno.writeFileSync(replica.path(0, "wal"), bytes.subarray(0, size));
      assertEquals(await endOf(replica), { index: INDEX, offset: asOffset(0), closed: false });
    }
  }));

Deno.test("end() finds the last commit frame of a WAL of many blocks", () =>
  withTemporaryFolder(async (folder) => {
    const wal = new WalBuilder({ pageSize: 65536 });
    const ends = Array.from({ length: 40 }, (_, i) => wal.commit(1, [1, i]));
    wal.commit(0, [1, 41]); // Frames of a transaction that has not ended.
    const replica = await new ReplicaBuilder(`${folder}/replica`, { pageSize: 65536 })
      .wal(0, wal.bytes(), { end: ends[39] ?? 0, databasePages: 1 });
    Deno.writeFileSync(replica.path(0, "wal"), wal.bytes());
    Deno.removeSync(replica.path(0, "commits"));
    assertEquals((await endOf(replica))?.offset, ends[39]);
  }));

Deno.test("records() ends before the first record that is damaged, missing, or beyond the WAL", () =>
  withTemporaryFolder(async (folder) => {
    const count = async (replica: ReplicaBuilder) =>
      (await aStore(replica.root).records(replica.generation, INDEX)).length;
    const flipped = await aReplica(`${folder}/1`);
    changeByte(flipped.path(0, "commits"), COMMIT_RECORD_SIZE + 30, (byte) => byte ^ 4);
    assertEquals(await count(flipped), 1);
    const missing = await aReplica(`${folder}/2`);
    const log = Deno.readFileSync(missing.path(0, "commits"));
    Deno.writeFileSync(missing.path(0, "commits"), new Uint8Array([...log.subarray(0, 64), ...log.subarray(128)]));
    assertEquals(await count(missing), 1);
    const short = await aReplica(`${folder}/3`);
    Deno.truncateSync(short.path(0, "wal"), (threeCommits().ends[2] ?? 0) - 1);
    assertEquals(await count(short), 2);
    const torn = await aReplica(`${folder}/4`);
    Deno.truncateSync(torn.path(0, "commits"), 191);
    assertEquals(await count(torn), 2);
  }));

Deno.test("catalog() refuses records of a later version instead of passing over them", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const path = replica.path(0, "commits");
    const bytes = Deno.readFileSync(path);
    bytes[128] = 3;
    new DataView(bytes.buffer).setUint32(128 + 60, crc32c(bytes.subarray(128, 128 + 60)), true);
    Deno.writeFileSync(path, bytes);
    for (
      const look of [
        () => replica.store.catalog(replica.generation),
        () => replica.store.end(replica.generation),
        () => replica.store.records(replica.generation, INDEX),
      ]
    ) {
      const error = await assertRejects(look, ReplicationError);
      assertEquals(error.code, "unsupported");
      assertMatch(error.message, /^Cannot read generations\/.*\.commits: a commit record has the unknown version 3/);
    }
  }));

Deno.test("catalog() passes over names that are not exactly the layout's, drafts among them", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    await replica.snapshot(0, 0, imageOf(4096, 1));
    const before = await replica.store.catalog(replica.generation);
    const base = `${replica.root}/generations/00000000000000aa`;
    for (const name of ["0000000000000001.wal.tmp", "1.wal", "000000000000000G.wal", "0000000000000001.WAL", ".wal"]) {
      Deno.writeTextFileSync(`${base}/wal/${name}`, "other");
    }
    for (const name of ["0000000000000001.snapshot.tmp", "snapshot.tmp", "0000000000000001.snapshot.lz4"]) {
      Deno.writeTextFileSync(`${base}/snapshots/${name}`, "other");
    }
    const { unfinishedAtMs, ...after } = await replica.store.catalog(replica.generation);
    assertEquals(after, before);
    assert((unfinishedAtMs ?? 0) > 1.7e12, "of drafts it tells the time, and nothing else");
  }));

Deno.test("catalog() tells of what has the name of an object and is no file, and of its companion too", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const base = `generations/${replica.generation}/wal`;
    Deno.mkdirSync(`${replica.root}/${base}/0000000000000007.wal`);
    makeNode("pipe", `${replica.root}/${base}/0000000000000008.commits`);
    const { wals } = await replica.store.catalog(replica.generation);
    assertEquals(wals.slice(-2).map(({ index, recordProblem, promisedEnd }) => [index, recordProblem, promisedEnd]), [
      [asIndex(7), `${base}/0000000000000007.wal is a folder, not a file`, asOffset(1)],
      [asIndex(8), `${base}/0000000000000008.commits is a named pipe, not a file`, asOffset(1)],
    ]);
  }));

Deno.test("catalog() of a generation with a folder that is none throws, with what can still be told", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    await replica.snapshot(0, 0, imageOf(4096, 1));
    const whole = await replica.store.catalog(replica.generation);
    const wal = `${replica.root}/generations/${replica.generation}/wal`;
    Deno.removeSync(wal, { recursive: true });
    Deno.writeTextFileSync(wal, "");
    const error = await assertRejects(() => replica.store.catalog(replica.generation), DamagedGeneration);
    assertEquals([error.code, error.message], ["corrupt", `Cannot list ${wal}: it is a file, not a folder`]);
    assertEquals(error.partial, { ...whole, wals: [] });
  }));

Deno.test("catalog() finds the last record before any amount of damage", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    const [before] = (await replica.store.catalog(replica.generation)).wals;
    Deno.truncateSync(replica.path(0, "commits"), 2 ** 40);
    const [entry] = (await replica.store.catalog(replica.generation)).wals;
    assertEquals(entry?.lastRecord, before?.lastRecord);
    assert(entry?.recordProblem !== undefined);
  }));

Deno.test("catalog() lists what only the companion is left of, so that it is missed", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await aReplica(folder);
    await replica.snapshot(0, 0, imageOf(4096, 1));
    Deno.removeSync(replica.path(0, "wal"));
    Deno.removeSync(replica.path(0, "snapshot"));
    const { wals, snapshots } = await replica.store.catalog(replica.generation);
    assertEquals(wals.map(({ index, sizeBytes, promisedEnd }) => [index, sizeBytes, promisedEnd]), [
      [INDEX, 0, threeCommits().ends[2]],
    ]);
    assertEquals(snapshots.map(({ index, sizeBytes, record }) => [index, sizeBytes, record?.databasePages]), [[
      INDEX,
      0,
      1,
    ]]);
  }));

Deno.test("writeSnapshot() takes pages in any order, cuts the image, and writes its record last", () =>
  withTemporaryFolder(async (folder) => {
    const { store, generation } = new ReplicaBuilder(`${folder}/replica`);
    const image = imageOf(512, 1, 2, 3);
    const record = aRecord(32, 32, { kind: "snapshot", pageSize: 512, databasePages: 3 });
    const written = { index: asIndex(5), stateIndex: asIndex(5), record, sizeBytes: image.length };
    const returned = await store.writeSnapshot(generation, {
      ...aWholeImage(image, 5, record),
      writeTo: async (target) => {
        await target.writeAt(imageOf(512, 7, 7), 512 * 3); // Beyond the size: cut off.
        await target.writeAt(image.subarray(512), 512);
        await target.writeAt(image.subarray(0, 512), 0);
        return written;
      },
    }, nothingToBring);
    assertEquals(returned, written);
    const into = new Uint8Array(4096);
    assertEquals(await (await store.openSnapshot(generation, asIndex(5))).read(0, into), image.length);
    assertEquals(into.subarray(0, image.length), image);
    const { snapshots: [entry] } = await store.catalog(generation);
    assertEquals(
      [entry?.index, entry?.sizeBytes, entry?.record],
      [asIndex(5), image.length, { ...record, isAtHome: true }] as const,
    );
  }));

Deno.test("writeSnapshot() never replaces a snapshot, and finishes one that a crash left without its record", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await new ReplicaBuilder(`${folder}/replica`).snapshot(3, 0, imageOf(4096, 1));
    const error = await assertRejects(() => replica.snapshot(3, 0, imageOf(4096, 2)), ReplicationError);
    assertStringIncludes(error.message, "it exists already (a snapshot is never replaced)");
    assertEquals(Deno.readFileSync(replica.path(3, "snapshot")), imageOf(4096, 1));
    const folderNames = [...Deno.readDirSync(`${replica.root}/generations/00000000000000aa/snapshots`)];
    assertEquals(folderNames.map(({ name }) => name).sort(), ["0000000000000003.record", "0000000000000003.snapshot"]);
    Deno.removeSync(replica.path(3, "record"));
    const [left] = (await replica.store.catalog(replica.generation)).snapshots;
    assertEquals([left?.record, left?.recordMissing], [undefined, true]);
    await replica.snapshot(3, 0, imageOf(4096, 2));
    assertEquals(Deno.readFileSync(replica.path(3, "snapshot")), imageOf(4096, 2));
    assertEquals((await replica.store.catalog(replica.generation)).snapshots[0]?.record?.databasePages, 1);
  }));

Deno.test("catalog() tells a damaged snapshot record from a missing one", () =>
  withTemporaryFolder(async (folder) => {
    const replica = await new ReplicaBuilder(`${folder}/replica`).snapshot(0, 0, imageOf(4096, 1));
    const problemOf = async () => {
      const [entry] = (await aStore(replica.root).catalog(replica.generation)).snapshots;
      return [entry?.record, entry?.recordMissing, entry?.recordProblem];
    };
    const good = Deno.readFileSync(replica.path(0, "record"));
    changeByte(replica.path(0, "record"), 40, (byte) => byte ^ 1);
    const key = "generations/00000000000000aa/snapshots/0000000000000000.record";
    assertEquals(await problemOf(), [undefined, undefined, `in ${key}, a commit record's checksum does not match`]);
    Deno.writeFileSync(replica.path(0, "record"), good.subarray(0, 63));
    assertEquals(await problemOf(), [undefined, undefined, `in ${key}, a commit record has 63 of 64 bytes`]);
    Deno.writeFileSync(replica.path(0, "record"), formatCommitRecord(aRecord(0, 4152)));
    assertEquals(await problemOf(), [undefined, undefined, `${key} holds a record of another kind`]);
  }));
