import { type ErrorCode, ExitCode, exitCodeOf, ReplicationError } from "../../lib/base/errors.ts";
import { parsePosition, type Position } from "../../lib/position/position.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { changeByte, ReplicaBuilder } from "../support/replica_builder.ts";
import { restoreFrom, restoreTools } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const PAGE_SIZE = 512;
const FRAME_BYTES = PAGE_SIZE + 24;

interface KnownPoint {
  readonly index: number;
  readonly offset: number;
  readonly fills: readonly number[];
}

interface Known {
  readonly replica: ReplicaBuilder;
  /** Every point, oldest first, with the fills of its pages. */
  readonly points: readonly KnownPoint[];
}

/** A snapshot of three pages and three indexes of three transactions each, one to three frames long. */
async function aKnownReplica(root: string): Promise<Known> {
  const replica = new ReplicaBuilder(root, { pageSize: PAGE_SIZE });
  const fills = [1, 2, 3];
  const points: KnownPoint[] = [{ index: 0, offset: 0, fills: [...fills] }];
  await replica.snapshot(0, 0, imageOf(PAGE_SIZE, ...fills));
  for (let index = 0; index < 3; index++) {
    const wal = new WalBuilder({ pageSize: PAGE_SIZE, salt: { salt1: 77 + index, salt2: 99 * index } });
    const commits = [1, 2, 3].map((frames) => {
      const pages = [1, 2, 3].slice(0, frames).map((page) => [page, 50 * index + 10 * frames + page] as const);
      for (const [page, fill] of pages) fills[page - 1] = fill;
      const end = wal.commit(3, ...pages);
      points.push({ index, offset: end, fills: [...fills] });
      return { end, databasePages: 3 };
    });
    await replica.wal(index, wal.bytes(), ...commits);
    if (index < 2) await replica.close(index);
  }
  return { replica, points };
}

async function refusal(replica: ReplicaBuilder, output: string, what: string): Promise<ReplicationError> {
  const error = await assertRejects(() => restoreFrom(replica.store, output), ReplicationError, undefined, what);
  assertEquals(exitCodeOf(error), ExitCode.corrupt, `${what}: ${error.message}`);
  return error;
}

/** The position in "the newest position that can still be reached is <position> of <time>". */
function reachableIn(error: ReplicationError): Position | undefined {
  return parsePosition(/can still be reached is (\S+) of /.exec(error.message)?.[1] ?? "");
}

/** The message names a point before the damage, it is the newest such one, and it can indeed be restored. */
async function assertReachable(
  { replica, points }: Known,
  error: ReplicationError,
  index: number,
  intactTo: number,
  folder: string,
): Promise<void> {
  const expected = points.findLast((point) =>
    point.index < index || (point.index === index && point.offset <= intactTo)
  );
  const position = reachableIn(error);
  assert(position !== undefined && expected !== undefined, error.message);
  assertEquals([position.index, position.offset], [expected.index, expected.offset], error.message);
  const output = `${folder}/reachable.db`;
  await restoreFrom(replica.store, output, { kind: "position", position, generation: position.generation });
  assertEquals(Deno.readFileSync(output), imageOf(PAGE_SIZE, ...expected.fills));
  Deno.removeSync(output);
}

Deno.test({
  name: "restore() refuses every flipped bit of a WAL, and names the newest position before it",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const known = await aKnownReplica(`${folder}/replica`);
      const { replica } = known;
      for (let index = 0; index < 3; index++) {
        const size = Deno.statSync(replica.path(index, "wal")).size;
        for (let at = 0; at < size; at++) {
          const inFrame = at < 32 ? 0 : (at - 32) % FRAME_BYTES;
          if (inFrame >= 24 && at % 61 !== 0) continue; // Every byte of the headers, some of the pages.
          const bit = 1 << (at % 8);
          changeByte(replica.path(index, "wal"), at, (byte) => byte ^ bit);
          const error = await refusal(replica, `${folder}/out.db`, `byte ${at} of index ${index}`);
          assertStringIncludes(error.message, `wal/000000000000000${index}.wal is damaged`);
          const intactTo = at < 32 ? 0 : 32 + Math.floor((at - 32) / FRAME_BYTES) * FRAME_BYTES;
          if (at % 7 === 0) await assertReachable(known, error, index, intactTo, folder);
          changeByte(replica.path(index, "wal"), at, (byte) => byte ^ bit);
        }
      }
      await restoreFrom(replica.store, `${folder}/out.db`);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["out.db", "replica"]);
    }),
});

Deno.test("restore() names the newest position before the oldest of several damages", () =>
  withTemporaryFolder(async (folder) => {
    const known = await aKnownReplica(`${folder}/replica`);
    for (const index of [0, 1, 2]) {
      changeByte(known.replica.path(index, "wal"), 32 + FRAME_BYTES + 40, (byte) => byte ^ 1);
    }
    const error = await refusal(known.replica, `${folder}/out.db`, "three damages");
    await assertReachable(known, error, 0, 32 + FRAME_BYTES, folder);
  }));

Deno.test("restore() refuses a WAL that is truncated anywhere, and names the newest position before the cut", () =>
  withTemporaryFolder(async (folder) => {
    for (const index of [0, 1, 2]) {
      for (const frames of [0, 1, 2, 3, 5, 6]) {
        for (const shift of [-1, 0, 1, 23, 24]) {
          const size = 32 + frames * FRAME_BYTES + shift;
          const known = await aKnownReplica(`${folder}/replica-${index}-${size}`);
          if (size >= Deno.statSync(known.replica.path(index, "wal")).size) continue;
          Deno.truncateSync(known.replica.path(index, "wal"), size);
          const error = await refusal(known.replica, `${folder}/out.db`, `index ${index} cut to ${size}`);
          assertStringIncludes(error.message, `000000000000000${index}.wal has ${size} bytes`);
          await assertReachable(known, error, index, size, folder);
        }
      }
    }
  }));

Deno.test("restore() refuses a WAL that is missing with or without its records, unless it is the last without", () =>
  withTemporaryFolder(async (folder) => {
    for (const index of [0, 1, 2]) {
      const known = await aKnownReplica(`${folder}/replica-${index}`);
      Deno.removeSync(known.replica.path(index, "wal"));
      const without = await refusal(known.replica, `${folder}/out.db`, `WAL ${index} is missing`);
      assertStringIncludes(without.message, `000000000000000${index}.wal has 0 bytes`);
      await assertReachable(known, without, index, 0, folder);
      Deno.removeSync(known.replica.path(index, "commits"));
      if (index === 2) continue; // Nothing tells that there ever was one.
      const gone = await refusal(known.replica, `${folder}/out.db`, `index ${index} is missing`);
      assertStringIncludes(gone.message, `000000000000000${index}.wal is missing (expected every index from`);
      await assertReachable(known, gone, index, 0, folder);
    }
  }));

Deno.test("restore() refuses an index whose closing record or all records are gone, unless it is the last", () =>
  withTemporaryFolder(async (folder) => {
    for (const index of [0, 1]) {
      for (const kept of [0, 64, 128, 191, 192, 193, 255]) {
        const known = await aKnownReplica(`${folder}/replica-${index}-${kept}`);
        Deno.truncateSync(known.replica.path(index, "commits"), kept);
        const error = await refusal(known.replica, `${folder}/out.db`, `${kept} bytes of records`);
        assertStringIncludes(error.message, `000000000000000${index}.commits`);
        const records = Math.floor(kept / 64);
        const intactTo = records === 0 ? 0 : known.points[3 * index + records]?.offset ?? 0;
        await assertReachable(known, error, index, intactTo, folder);
      }
    }
  }));

Deno.test("restore() goes to the last valid record of the last index when the records after it are torn", () =>
  withTemporaryFolder(async (folder) => {
    for (const [kept, records] of [[191, 2], [129, 2], [128, 2], [127, 1], [65, 1]] as const) {
      const { replica, points } = await aKnownReplica(`${folder}/replica-${kept}`);
      Deno.truncateSync(replica.path(2, "commits"), kept);
      const tools = restoreTools();
      await restoreFrom(replica.store, `${folder}/out-${kept}.db`, { kind: "latest" }, tools);
      assertEquals(
        Deno.readFileSync(`${folder}/out-${kept}.db`),
        imageOf(PAGE_SIZE, ...points[6 + records]?.fills ?? []),
      );
      assertEquals(tools.notices.length, kept % 64 === 0 ? 0 : 1);
      for (const notice of tools.notices) {
        assertMatch(notice, /0002\.commits is torn; what it spoke of is not restored$/);
      }
    }
  }));

Deno.test("restore() goes to the last commit frame of the last index when it has no record", () =>
  withTemporaryFolder(async (folder) => {
    const { replica, points } = await aKnownReplica(`${folder}/replica`);
    Deno.removeSync(replica.path(2, "commits"));
    await restoreFrom(replica.store, `${folder}/out.db`);
    assertEquals(Deno.readFileSync(`${folder}/out.db`), imageOf(PAGE_SIZE, ...points.at(-1)?.fills ?? []));
    changeByte(replica.path(2, "wal"), 32 + 4 * FRAME_BYTES, (byte) => byte ^ 1);
    await restoreFrom(replica.store, `${folder}/older.db`);
    assertEquals(Deno.readFileSync(`${folder}/older.db`), imageOf(PAGE_SIZE, ...points[8]?.fills ?? []));
  }));

Deno.test("restore() to a point inside an index refuses when the records around it are damaged", () =>
  withTemporaryFolder(async (folder) => {
    const { replica, points } = await aKnownReplica(`${folder}/replica`);
    const records = await replica.store.records(replica.generation, replica.position(1, 0).index);
    changeByte(replica.path(1, "commits"), 64 + 9, (byte) => byte ^ 2);
    const second = records.at(1);
    assert(second !== undefined);
    const codeAt = async (atMs: number): Promise<ErrorCode | "restored"> => {
      try {
        await restoreFrom(replica.store, `${folder}/${atMs}.db`, { kind: "time", atMs });
        return "restored";
      } catch (error) {
        return error instanceof ReplicationError ? error.code : "failed";
      }
    };
    assertEquals(await codeAt(second.capturedAtMs), "corrupt");
    assertEquals(await codeAt(second.capturedAtMs - 1_001), "restored");
    await restoreFrom(replica.store, `${folder}/latest.db`); // What the chain proves needs no record.
    assertEquals(Deno.readFileSync(`${folder}/latest.db`), imageOf(PAGE_SIZE, ...points.at(-1)?.fills ?? []));
  }));

Deno.test("restore() refuses a WAL of another life or page size under the right name", () =>
  withTemporaryFolder(async (folder) => {
    const { replica } = await aKnownReplica(`${folder}/replica`);
    const good = Deno.readFileSync(replica.path(1, "wal"));
    const other = new WalBuilder({ pageSize: 1024 });
    while (other.bytes().length < good.length) other.commit(3, [1, 5]);
    Deno.writeFileSync(replica.path(1, "wal"), other.bytes());
    const error = await refusal(replica, `${folder}/out.db`, "another page size");
    assertStringIncludes(error.message, "the WAL header's page size is 1024 (expected 512)");
    const mixed = new Uint8Array(good);
    mixed.set(Deno.readFileSync(replica.path(0, "wal")).subarray(0, 32));
    Deno.writeFileSync(replica.path(1, "wal"), mixed);
    const salts = await refusal(replica, `${folder}/out.db`, "the header of another life");
    assertStringIncludes(salts.message, "a frame carries other salts than the WAL header");
  }));

Deno.test("restore() refuses a last frame that is no commit, or one of another size, though its chain is whole", () =>
  withTemporaryFolder(async (folder) => {
    for (const [commitSize, found] of [[0, "no commit"], [4, "a commit of 4 pages"]] as const) {
      const wal = new WalBuilder({ pageSize: PAGE_SIZE });
      wal.commit(3, [1, 9]);
      const end = wal.commit(commitSize, [2, 9]);
      const replica = new ReplicaBuilder(`${folder}/replica-${commitSize}`, { pageSize: PAGE_SIZE });
      await replica.snapshot(0, 0, imageOf(PAGE_SIZE, 1, 2, 3));
      await replica.wal(0, wal.bytes(), { end, databasePages: 3 });
      const error = await refusal(replica, `${folder}/out.db`, found);
      assertStringIncludes(error.message, `its last frame is ${found} (expected 3 pages)`);
    }
  }));

Deno.test("restore() continues the chain from the frame before a snapshot that lies inside an index", () =>
  withTemporaryFolder(async (folder) => {
    const { replica, points } = await aKnownReplica(`${folder}/replica`);
    const [, , , , , inside] = points;
    assert(inside !== undefined);
    await replica.snapshot(1, inside.offset, imageOf(PAGE_SIZE, ...inside.fills));
    const latest = imageOf(PAGE_SIZE, ...points.at(-1)?.fills ?? []);
    await restoreFrom(replica.store, `${folder}/out.db`);
    assertEquals(Deno.readFileSync(`${folder}/out.db`), latest);
    // Frames before the snapshot are not needed; the sum that the chain goes on from is.
    changeByte(replica.path(1, "wal"), 60, (byte) => byte ^ 1);
    changeByte(replica.path(0, "wal"), 60, (byte) => byte ^ 1);
    await restoreFrom(replica.store, `${folder}/again.db`);
    assertEquals(Deno.readFileSync(`${folder}/again.db`), latest);
    changeByte(replica.path(1, "wal"), inside.offset - FRAME_BYTES + 17, (byte) => byte ^ 1);
    const error = await refusal(replica, `${folder}/never.db`, "the stored sum");
    const position = reachableIn(error);
    assertEquals([position?.index, position?.offset], [1, inside.offset]);
  }));

Deno.test("restore() refuses a snapshot that became shorter after it was listed", () =>
  withTemporaryFolder(async (folder) => {
    const { replica } = await aKnownReplica(`${folder}/replica`);
    const store = Object.create(replica.store) as typeof replica.store;
    store.generations = () => replica.store.generations();
    store.records = (...parameters) => replica.store.records(...parameters);
    store.readWal = (...parameters) => replica.store.readWal(...parameters);
    store.catalog = async (generation) => {
      const catalog = await replica.store.catalog(generation);
      return { ...catalog, wals: [] };
    };
    store.openSnapshot = async (generation, index) => {
      const image = await replica.store.openSnapshot(generation, index);
      return { ...image, read: (at, into) => image.read(at, into.subarray(0, into.length - 1)) };
    };
    const error = await assertRejects(() => restoreFrom(store, `${folder}/out.db`), ReplicationError);
    assertEquals(error.code, "corrupt");
    assertStringIncludes(
      error.message,
      "snapshots/0000000000000000.snapshot: it ends at byte 1535 (expected 1536 bytes)",
    );
  }));

Deno.test("restore() refuses a record of another page size or number of pages at the state of a snapshot", () =>
  withTemporaryFolder(async (folder) => {
    const image = imageOf(1024, 1, 9, 3);
    for (const [slot, wrong] of [{ pageSize: 512 }, { databasePages: 2 }, { databasePages: 4 }].entries()) {
      const replica = new ReplicaBuilder(`${folder}/replica-${slot}`, { pageSize: 1024 });
      const wal = new WalBuilder({ pageSize: 1024 });
      const end = wal.commit(3, [2, 9]);
      await replica.wal(0, wal.bytes(), { end, databasePages: 3, ...wrong });
      await replica.snapshot(0, end, image);
      const error = await refusal(replica, `${folder}/out.db`, JSON.stringify(wrong));
      const { databasePages = 3, pageSize = 1024 } = wrong;
      assertStringIncludes(
        error.message,
        `says ${databasePages} pages of ${pageSize} bytes (expected 3 of 1024, as in the snapshot there)`,
      );
    }
  }));
