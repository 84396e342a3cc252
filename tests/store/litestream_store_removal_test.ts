import { LitestreamStore } from "../../lib/store/litestream_store.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import type { ObjectEntry } from "../../lib/clients/client.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { WalBuilder } from "../support/wal_builder.ts";

/** What it removes, call by call: within one call there is no order. */
class WatchedClient extends FileReplicaClient {
  readonly calls: string[][] = [];
  lists = 0;

  override list(folder: string): Promise<readonly ObjectEntry[]> {
    this.lists++;
    return super.list(folder);
  }

  override async delete(keys: readonly string[]): Promise<void> {
    this.calls.push(keys.map((key) => key.split("/").slice(2).join("/")));
    await super.delete(keys);
  }
}

const GENERATION = asGeneration("00000000000000aa");
const GROUP = "0000000000000000";

/** What Litestream wrote before 0.3.5 as well: encodings of which one is made from the other, and grouped folders. */
async function withOldNames(work: (store: LitestreamStore, client: WatchedClient) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const base = `${folder}/generations/${GENERATION}`;
    const names = [
      "snapshots/00000000.snapshot.lz4",
      "snapshots/00000000.snapshot",
      "snapshots/00000001-old.snapshot.gz",
      "wal/00000001_00000000.wal",
      "wal/00000001_00000000.wal.lz4",
      "wal/00000001_00001038.wal.lz4",
      "wal/00000001_000020b0.wal.lz4",
      `wal/${GROUP}/00000000.wal.gz`,
      "wal/00000002_00000000.wal.lz4",
    ];
    for (const name of names) {
      Deno.mkdirSync(`${base}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
      Deno.writeTextFileSync(`${base}/${name}`, "x");
    }
    const client = new WatchedClient(unsyncedFiles(), folder);
    await work(new LitestreamStore(client), client);
  });
}

Deno.test("removeWal() of the litestream layout goes from the highest offset down, those at 0 last, what is read after what it hides", () =>
  withOldNames(async (store, client) => {
    await store.removeWal(GENERATION, asIndex(1));
    assertEquals(client.calls, [
      ["wal/00000001_000020b0.wal.lz4", "wal/00000001_00001038.wal.lz4"],
      ["wal/00000001_00000000.wal.lz4", "wal/00000001_00000000.wal"],
    ]);
  }));

Deno.test("removeSnapshot() of the litestream layout removes every encoding, the one that is read last", () =>
  withOldNames(async (store, client) => {
    await store.removeSnapshot(GENERATION, asIndex(0));
    assertEquals(client.calls.flat(), ["snapshots/00000000.snapshot.lz4", "snapshots/00000000.snapshot"]);
  }));

Deno.test("removeGeneration() of the litestream layout removes snapshots, then WAL, then the folders", () =>
  withOldNames(async (store, client) => {
    await store.removeGeneration(GENERATION);
    const order = client.calls.flat().map((name) => name.split("/")[0]);
    assertEquals(order, [...Array(3).fill("snapshots"), ...Array(6).fill("wal")]);
    assertEquals(client.calls.at(-1), [
      `wal/${GROUP}/00000000.wal.gz`,
      "wal/00000001_00000000.wal.lz4",
      "wal/00000001_00000000.wal",
      "wal/00000002_00000000.wal.lz4",
    ]);
    assertEquals(await store.generations(), []);
  }));

Deno.test("removeWal() of the litestream layout lists once for many indexes, and again for one that was written to", () =>
  withTemporaryFolder(async (folder) => {
    const client = new WatchedClient(unsyncedFiles(), folder);
    const store = new LitestreamStore(client);
    for (const index of [0, 1, 2]) await append(store, index, 0);
    await store.removeWal(GENERATION, asIndex(0));
    const lists = client.lists;
    await append(store, 2, 1);
    await store.removeWal(GENERATION, asIndex(1));
    assertEquals(client.lists, lists);
    await store.removeWal(GENERATION, asIndex(2));
    assert(client.lists > lists);
    assertEquals([...Deno.readDirSync(`${folder}/generations/${GENERATION}/wal`)], []);
  }));

/** One commit, as the so-manieth of the index. */
async function append(store: LitestreamStore, index: number, slot: number): Promise<void> {
  const wal = new WalBuilder();
  const ends = [0, wal.commit(1, [1, 1]), wal.commit(1, [1, 2])].map(asOffset);
  const [start = asOffset(0), end = asOffset(0)] = ends.slice(slot);
  const pieces = [wal.bytes().subarray(start, end)];
  await store.appendWal(GENERATION, asIndex(index), start, {
    next: () => Promise.resolve(pieces.shift() ?? new Uint8Array()),
    records: () => [{
      kind: "sync",
      pageSize: 4096,
      start,
      end,
      capturedAtMs: 1_000,
      databasePages: 1,
      capturedLate: false,
      indexClosed: false,
    }],
  });
}
