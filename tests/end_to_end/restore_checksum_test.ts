/**
 * A restore is the database that was at the source, or it fails: replicas whose every object is as its own sums say, and which
 * hold another database nevertheless, are refused by the checksum that the source kept of the whole.
 */
import { DatabaseSync } from "node:sqlite";
import type { Generation } from "../../lib/position/generation.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { WrongChecksum } from "../../lib/restore/wrong_checksum.ts";
import type { SnapshotEntry, SnapshotImage } from "../../lib/store/generation_store.ts";
import { frameSize } from "../../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { assert, assertEquals, assertGreater, assertMatch, assertRejects } from "../support/assert.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { putOldPageBack, rewriteWal, walBytes } from "../support/rewritten_wal.ts";
import { insert, type Scene, withScene } from "./scene.ts";

interface Written {
  readonly scene: Scene;
  readonly generation: Generation;
  readonly application: DatabaseSync;
}

type Forge = (written: Written) => Promise<void>;

/** A replica with a snapshot and WAL behind it, everything recorded. */
async function withReplica(
  layout: Layout,
  pageSize: number,
  check: (written: Written) => Promise<void>,
): Promise<void> {
  await withScene(async (scene) => {
    const application = scene.connect();
    application.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = WAL`);
    application.exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
    insert(application, 60, 1_500);
    application.exec("DELETE FROM entry WHERE n > 30; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    await using daemon = scene.daemon();
    await daemon.line("Snapshot done");
    for (let round = 0; round < 3; round++) {
      insert(application, 20, 1_500);
      application.exec("UPDATE entry SET body = randomblob(1400) WHERE n < 9");
      await scene.replicated();
    }
    assertEquals(await daemon.stop(), 0);
    const [generation] = await scene.generations();
    assert(generation !== undefined);
    await check({ scene, generation, application });
  }, layout);
}

async function newest({ scene, generation }: Written) {
  return await restoreFrom(scene.store, `${scene.folder}/restored-${crypto.randomUUID()}.db`, {
    kind: "latest",
    generation,
  });
}

/** Writes the snapshot anew, with other pages and the same record. */
async function rewriteSnapshot(written: Written, change: (image: Uint8Array, entry: SnapshotEntry) => void) {
  const { scene, generation } = written;
  const entry = (await scene.store.catalog(generation)).snapshots.at(-1);
  assert(entry?.record !== undefined);
  const image = new Uint8Array(entry.imageBytes ?? entry.sizeBytes);
  const reader = await scene.store.openSnapshot(generation, entry.index);
  await reader.read(0, image);
  reader.close();
  change(image, entry);
  const same = {
    index: entry.index,
    stateIndex: entry.stateIndex ?? entry.index,
    record: entry.record,
    sizeBytes: image.length,
  };
  const pieces = [image];
  const forged: SnapshotImage = {
    writeTo: async (target) => {
      await target.writeAt(image, 0);
      return same;
    },
    stream: () =>
      Promise.resolve({
        index: same.index,
        next: () => Promise.resolve(pieces.shift() ?? new Uint8Array(0)),
        end: () => Promise.resolve(same),
      }),
  };
  await scene.store.removeSnapshot(generation, entry.index);
  await scene.store.writeSnapshot(generation, forged, () => Promise.resolve());
}

/** Pages of the snapshot that no later frame replaces. */
async function untouchedPages(written: Written, image: Uint8Array, pageSize: number): Promise<number[]> {
  const touched = new Set<number>();
  for (const { index } of (await written.scene.store.catalog(written.generation)).wals) {
    const bytes = await walBytes(written.scene.store, written.generation, index);
    const view = new DataView(bytes.buffer);
    for (let at = WAL_HEADER_SIZE; at < bytes.length; at += frameSize(pageSize)) touched.add(view.getUint32(at));
  }
  const pages = Array.from({ length: image.length / pageSize }, (_, slot) => slot + 1);
  return pages.filter((page) => !touched.has(page));
}

const PAGE_SIZE = 4_096;

const FORGERIES: readonly (readonly [what: string, forge: Forge])[] = [
  [
    "an old page put back inside a valid frame",
    (written) => rewriteWal(written.scene.store, written.generation, putOldPageBack),
  ],
  [
    "two pages of one transaction swapped",
    (written) =>
      rewriteWal(written.scene.store, written.generation, (frames) => {
        const [a, b] = [frames.at(-1), frames.at(-2)];
        assert(a !== undefined && b !== undefined && a.page !== b.page);
        [a.content, b.content] = [b.content, a.content];
      }),
  ],
  [
    "a record of another checksum",
    (written) =>
      rewriteWal(written.scene.store, written.generation, () => {}, (records) => {
        const last = records.findLastIndex(({ indexClosed }) => !indexClosed);
        const record = records[last];
        assert(record?.checksum !== undefined);
        records[last] = { ...record, checksum: record.checksum.map((byte, slot) => slot === 0 ? byte ^ 1 : byte) };
      }),
  ],
  ["a snapshot with one flipped bit", async (written) => {
    const image = await written.scene.restored({ kind: "latest", generation: written.generation });
    const page = (await untouchedPages(written, image, PAGE_SIZE)).at(-1);
    assert(page !== undefined, "the WAL does not hold all of the database");
    await rewriteSnapshot(written, (bytes) => {
      const at = (page - 1) * PAGE_SIZE + 100;
      bytes[at] = (bytes[at] ?? 0) ^ 4;
    });
  }],
];

for (const layout of ["raw", "litestream"] as const) {
  for (const pageSize of [512, PAGE_SIZE, 65_536]) {
    Deno.test({
      name: `restore from ${layout} compares with the source's checksum, at every point (page size ${pageSize})`,
      timeout: 60_000,
      fn: () =>
        withReplica(layout, pageSize, async (written) => {
          const { scene, generation } = written;
          assertEquals((await newest(written)).checksum, "equal");
          let points = 0;
          for (const { index } of (await scene.store.catalog(generation)).wals) {
            for (const { end, checksum } of await scene.store.records(generation, index)) {
              const position = { generation, index, offset: end };
              const target = { kind: "position", position, generation } as const;
              if (checksum === undefined) continue;
              const done = await restoreFrom(scene.store, `${scene.folder}/point-${points++}.db`, target)
                .catch((error) => assertMatch(error.message, /before the first point/));
              if (done !== undefined) assertEquals(done.checksum, "equal");
            }
          }
          assertGreater(points, 3);
        }),
    });
  }
  for (const [what, forge] of FORGERIES) {
    Deno.test({
      name: `restore from ${layout} refuses ${what}, by the checksum of the whole`,
      timeout: 60_000,
      fn: () =>
        withReplica(layout, PAGE_SIZE, async (written) => {
          assertEquals((await newest(written)).checksum, "equal");
          await forge(written);
          const error = await assertRejects(() => newest(written), WrongChecksum);
          assertEquals(error.code, "corrupt");
          assertMatch(error.message, /is not the one that was recorded, its checksum is [0-9a-f]{16} \(expected /);
          // What it is made of is named; of `raw`, whose image has no sum of its own, what is damaged.
          const suspect = layout === "raw" ? /\.snapshot is damaged/ : /\.snapshot\S* and the WAL behind it are whole$/;
          assertMatch(error.message, suspect);
          assertEquals([...Deno.readDirSync(written.scene.folder)].filter(({ name }) => name.endsWith(".tmp")), []);
        }),
    });
  }
}
