/** Where an index of Litestream's ends: what the real one leaves behind is whole, anything else that stands there is damage. */
import { gzipSync } from "node:zlib";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { asIndex } from "../../lib/position/position.ts";
import { asLz4, type PeerForm, PeerReplica } from "../support/peer_replica.ts";
import { randomBytes, seededRandom } from "../support/random.ts";
import { aStore } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const PAGE_SIZE = 512;
const FRAME_BYTES = PAGE_SIZE + 24;
const FORMS: readonly PeerForm[] = ["segments", "0.3.0", "0.2", "0.1", "raw"];
const GENERATION = asGeneration("00000000000000bb");

/** Two commits, then frames of a transaction that has none. */
function aLife(salt1: number) {
  const wal = new WalBuilder({ pageSize: PAGE_SIZE, salt: { salt1, salt2: 9 } });
  const ends = [wal.commit(2, [1, 1], [2, 2]), wal.commit(2, [1, 3])].map(Number);
  wal.commit(0, [2, 4], [1, 5]);
  return { bytes: wal.bytes(), end: ends[1] ?? 0, ends };
}

interface Ending {
  readonly name: string;
  /** What stands at the end of an index instead of its last commit. */
  readonly bytes: (life: ReturnType<typeof aLife>) => Uint8Array;
  /** Of an index that another one follows. */
  readonly isDamage: boolean;
  /** Litestream has never compressed such a thing. */
  readonly isOfGrowingFile?: boolean;
}

const { bytes: WHOLE } = aLife(1);
const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

const ENDINGS: readonly Ending[] = [
  { name: "at a commit", bytes: ({ bytes, end }) => bytes.subarray(0, end), isDamage: false },
  { name: "behind frames of a transaction without an end", bytes: ({ bytes }) => bytes, isDamage: false },
  { name: "inside a frame", bytes: ({ bytes, end }) => bytes.subarray(0, end + 100), isDamage: true },
  { name: "inside its header", bytes: ({ bytes }) => bytes.subarray(0, 20), isDamage: true },
  {
    name: "in zeros, as long as frames",
    bytes: ({ bytes, end }) => joined(bytes.subarray(0, end), new Uint8Array(2 * FRAME_BYTES)),
    isDamage: true,
  },
  {
    name: "in zeros",
    bytes: ({ bytes, ends }) => joined(bytes.subarray(0, ends[0]), new Uint8Array(700)),
    isDamage: true,
  },
  {
    name: "in other bytes",
    bytes: ({ bytes, end }) => joined(bytes.subarray(0, end), randomBytes(seededRandom(3), 1_000)),
    isDamage: true,
  },
];

/** As one object, or each of these parts in a segment of its own. */
async function put(replica: PeerReplica, index: number, bytes: Uint8Array, cuts: readonly number[], isLast: boolean) {
  const own = replica.form === "segments" ? cuts.filter((cut) => cut < bytes.length) : [];
  const ends = [...own, bytes.length];
  for (const [slot, end] of ends.entries()) {
    const start = ends[slot - 1] ?? 0;
    await replica.wal(index, start, bytes.subarray(start, end), 1_000_000 + index * 10_000 + slot * 1_000, isLast);
  }
}

for (const form of FORMS) {
  for (const { name, bytes, isDamage } of ENDINGS) {
    Deno.test(`An index of Litestream's (${form}) that ends ${name}, a later one behind it, and as the newest`, () =>
      withTemporaryFolder(async (folder) => {
        const [older, newer] = [aLife(1), aLife(2)];
        const replica = new PeerReplica(`${folder}/older`, form);
        await replica.snapshot(0, imageOf(PAGE_SIZE, 1, 2), 990_000);
        await put(replica, 0, bytes(older), older.ends, false);
        await put(replica, 1, newer.bytes.subarray(0, newer.end), newer.ends, true);
        const { wals: [first, second] } = await aStore(replica.root, "litestream").catalog(GENERATION);
        assertEquals(first?.lastRecord?.indexClosed === true, !isDamage, first?.recordProblem);
        if (isDamage) assertStringIncludes(first?.recordProblem ?? "", "/wal/");
        else assertEquals([first?.recordProblem, Number(first?.lastRecord?.end)], [undefined, older.end]);
        assertEquals([second?.recordProblem, Number(second?.lastRecord?.end)], [undefined, newer.end]);

        const newest = new PeerReplica(`${folder}/newest`, form);
        await newest.snapshot(0, imageOf(PAGE_SIZE, 1, 2), 990_000);
        await put(newest, 0, bytes(older), older.ends, true);
        const { wals: [last] } = await aStore(newest.root, "litestream").catalog(GENERATION);
        const whole = [0, ...older.ends].findLast((end) => bytes(older).subarray(0, end).toHex() === hexOf(end)) ?? 0;
        assertEquals([last?.recordProblem, Number(last?.lastRecord?.end ?? 0)], [undefined, whole]);
      }));
  }
}

function hexOf(end: number): string {
  return WHOLE.subarray(0, end).toHex();
}

Deno.test("A segment of an older index that was exchanged for zeros is named; one that is missing is not missed", () =>
  withTemporaryFolder(async (folder) => {
    const [older, newer] = [aLife(1), aLife(2)];
    const replica = new PeerReplica(`${folder}/replica`);
    await replica.snapshot(0, imageOf(PAGE_SIZE, 1, 2), 990_000);
    await put(replica, 0, older.bytes.subarray(0, older.end), older.ends, false);
    await put(replica, 1, newer.bytes.subarray(0, newer.end), newer.ends, true);
    const start = older.ends[0] ?? 0;
    for (const zeros of [FRAME_BYTES, 4 * FRAME_BYTES, 2_096, 1]) {
      const path = await replica.wal(0, start, new Uint8Array(zeros), 1_001_000);
      const { wals: [first] } = await aStore(replica.root, "litestream").catalog(GENERATION);
      assertStringIncludes(first?.recordProblem ?? "", path.slice(replica.root.length + 1));
      assertEquals(Number(first?.lastRecord?.end), start);
      assertEquals(first?.lastRecord?.indexClosed, false);
      Deno.removeSync(path);
    }
    const { wals: [first] } = await aStore(replica.root, "litestream").catalog(GENERATION);
    assertEquals([first?.recordProblem, Number(first?.lastRecord?.end)], [undefined, start]);
  }));

Deno.test("The file of the newest index that Litestream has made, and not written to yet, is no damage", () =>
  withTemporaryFolder(async (folder) => {
    for (const form of ["0.3.0", "0.1", "raw"] as const) {
      const life = aLife(1);
      const replica = new PeerReplica(`${folder}/${form}`, form);
      await replica.snapshot(0, imageOf(PAGE_SIZE, 1, 2), 990_000);
      await replica.wal(0, 0, life.bytes.subarray(0, life.end), 1_000_000);
      await replica.wal(1, 0, new Uint8Array(), 1_001_000, true);
      const { wals } = await aStore(replica.root, "litestream").catalog(GENERATION);
      assertEquals(wals.map(({ recordProblem }) => recordProblem), [undefined, undefined], form);
      assertEquals(wals.map(({ lastRecord }) => lastRecord?.indexClosed), [true, undefined], form);
    }
    const packed = new PeerReplica(`${folder}/packed`, "0.1");
    const path = await packed.wal(0, 0, aLife(1).bytes, 1_000_000);
    for (const [encode, name] of [[gzipSync, path], [asLz4, path.replace(/\/[^/]*$/, "/00000001.wal.lz4")]] as const) {
      Deno.writeFileSync(name, await encode(new Uint8Array()));
      const { wals } = await aStore(packed.root, "litestream").catalog(GENERATION);
      assertStringIncludes(wals.at(-1)?.recordProblem ?? "", "holds neither WAL nor a record");
    }
  }));

Deno.test("A segment of Litestream's that was written again, longer, is whole beside the one that follows it", () =>
  withTemporaryFolder(async (folder) => {
    const { bytes, end, ends: [first = 0] } = aLife(1);
    const whole = bytes.subarray(0, end);
    for (
      const { again, follows, isDamage } of [
        { again: whole, follows: whole.subarray(first), isDamage: false },
        { again: whole.subarray(0, end - 1), follows: whole.subarray(first), isDamage: false },
        { again: whole, follows: whole.subarray(first, end - 1), isDamage: true },
        { again: joined(whole.subarray(0, end - 1), Uint8Array.of(7)), follows: whole.subarray(first), isDamage: true },
      ]
    ) {
      const replica = new PeerReplica(`${folder}/${again.length}-${follows.length}-${isDamage}`, "segments");
      await replica.snapshot(0, imageOf(PAGE_SIZE, 1, 2), 990_000);
      await replica.wal(0, 0, again, 1_002_000, true);
      await replica.wal(0, first, follows, 1_001_000, true);
      const store = aStore(replica.root, "litestream");
      const { wals: [entry] } = await store.catalog(GENERATION);
      assertEquals(entry?.recordProblem !== undefined, isDamage, entry?.recordProblem);
      if (isDamage) continue;
      const read = new Uint8Array(2 * end);
      assertEquals(await store.readWal(GENERATION, asIndex(0), 0, read), end);
      assertEquals(read.subarray(0, end), whole);
    }
  }));
