/** The image of a database beside an application that writes, against the database that SQLite itself makes of base and WAL. */
import { DatabaseSync } from "node:sqlite";
import { defaults } from "../../lib/config/defaults.ts";
import { WatchedDatabase } from "../../lib/database/database.ts";
import { silentLogger } from "../../lib/base/log.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { formatRawName } from "../../lib/position/keys.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import type { SnapshotImage, WrittenSnapshot } from "../../lib/store/generation_store.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { comparePages } from "../support/database_image.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const WRITER = new URL("../support/writer.ts", import.meta.url).pathname;

interface Stage {
  readonly folder: string;
  readonly path: string;
  readonly database: WatchedDatabase;
}

/** A database that another process has made is watched by this one. */
async function withWatched(work: (stage: Stage) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    await using application = startOtherProcess();
    await application.open(path, { create: true, busyTimeoutMs: 5_000 });
    await application.runAll([
      "PRAGMA journal_mode = WAL",
      "CREATE TABLE ledger(writer TEXT, n INTEGER, payload BLOB)",
      "INSERT INTO ledger WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000) " +
      "SELECT 'first', n, randomblob(1000) FROM i",
    ]);
    const settings = { ...defaults, path, statePath: `${folder}/state`, userId: Deno.uid() ?? undefined };
    const platform = {
      clock: new SystemClock(),
      files: new DenoFileSystem(),
      random: new SystemRandom(),
      web: new SystemWeb(),
    };
    const database = new WatchedDatabase(platform, createNodeDriver(), settings, silentLogger, () => undefined);
    database.start();
    try {
      await database.opened;
      await work({ folder, path, database });
    } finally {
      await database.stop();
      await database.release();
    }
  });
}

const SLOW_BYTES = 1 << 17;
/** Of indexes that the application began meanwhile. */
const LATER_IMAGES = 3;

interface Taken extends WrittenSnapshot {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

async function take(image: SnapshotImage): Promise<Taken> {
  let bytes = new Uint8Array(0);
  const written = await image.writeTo({
    writeAt: (piece, position) => {
      if (position + piece.length > bytes.length) {
        const larger = new Uint8Array(2 * (position + piece.length));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(piece, position);
      // The copy of the file is as slow as a device, so that much happens meanwhile.
      return piece.length < SLOW_BYTES ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, 20));
    },
  });
  return { ...written, bytes: bytes.slice(0, written.sizeBytes) };
}

/** What SQLite makes of the first image and the shadow WAL, index after index, up to positions in order. */
class Oracle {
  readonly #folder: string;
  readonly #shadow: string;
  #base: Uint8Array;
  #index = 0;

  constructor(folder: string, generation: string, base: Uint8Array) {
    this.#folder = `${folder}/oracle`;
    this.#shadow = `${folder}/state/shadow/${generation}`;
    this.#base = base;
    Deno.mkdirSync(this.#folder);
  }

  imageAt(index: number, offset: number): Uint8Array {
    for (; this.#index < index; this.#index++) this.#base = this.#apply(this.#index, Infinity);
    return offset === 0 ? this.#base : this.#apply(index, offset);
  }

  #apply(index: number, end: number): Uint8Array {
    const path = `${this.#folder}/app.db`;
    const wal = Deno.readFileSync(`${this.#shadow}/${formatRawName(asIndex(index), "wal")}`);
    Deno.writeFileSync(path, this.#base);
    Deno.writeFileSync(`${path}-wal`, wal.subarray(0, Math.min(end, wal.length)));
    const database = new DatabaseSync(path);
    database.exec("PRAGMA synchronous = OFF; PRAGMA wal_checkpoint(TRUNCATE)");
    database.close();
    return Deno.readFileSync(path);
  }
}

Deno.test({
  name: "WatchedDatabase.image() of a quiet database is the database, at the captured position",
  timeout: 30_000,
  fn: () =>
    withWatched(async ({ path, database }) => {
      const taken = await take(database.image());
      const position = database.position();
      assertEquals([taken.index, taken.record.end], [position?.index, position?.offset]);
      assertEquals(taken.record.start, taken.record.end);
      await using reader = startOtherProcess();
      await reader.open(path);
      const [[pages] = []] = await reader.run("PRAGMA page_count");
      assertEquals<unknown>([taken.record.databasePages, taken.sizeBytes], [pages, Number(pages) * 4_096]);
      await reader.run(`VACUUM INTO '${path}.copy'`);
      const count = (bytes: Uint8Array) => {
        Deno.writeFileSync(`${path}.taken`, bytes);
        using image = new DatabaseSync(`${path}.taken`);
        assertEquals(image.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
        return image.prepare("SELECT count(*), sum(n), sum(length(payload)) FROM ledger").get();
      };
      assertEquals({ ...count(taken.bytes) }, { ...count(Deno.readFileSync(`${path}.copy`)) });
    }),
});

for (
  const [manner, flags] of [["writes without a pause", []], ["does what applications do", [
    "--rude",
    "--pause",
    "2",
  ]]] as const
) {
  Deno.test({
    name: `WatchedDatabase.image() beside an application that ${manner} is the database at its position`,
    timeout: 60_000,
    fn: () =>
      withWatched(async ({ folder, path, database }) => {
        const claim = database.claim(); // Keeps every index, for the oracle.
        const base = await take(database.image());
        const generation = database.generation();
        assert(generation !== undefined && base.index === 0);
        const args = ["run", "--allow-all", "--quiet", WRITER, path, "--seconds", "600", "--seed", "7", ...flags];
        const writer = new Deno.Command(Deno.execPath(), { args, stdout: "null" }).spawn();
        const images: Taken[] = [];
        try {
          const isLater = ({ index }: Taken) => index > 0;
          while (images.filter(isLater).length < LATER_IMAGES) images.push(await take(database.image()));
        } finally {
          writer.kill("SIGTERM");
          assertEquals((await writer.status).signal, "SIGTERM"); // No refusal had ended it.
        }
        assertEquals(database.generation(), generation);
        const oracle = new Oracle(folder, generation, base.bytes);
        for (const { index, record, bytes, sizeBytes } of images) {
          assertEquals(record.pageSize * record.databasePages, sizeBytes);
          const where = `index ${index} offset ${record.end}`;
          assertEquals(comparePages(bytes, oracle.imageAt(index, record.end)).different, [], where);
        }
        claim.release();
      }),
  });
}

Deno.test({
  name: "WatchedDatabase.image() is broken off when a new generation begins meanwhile",
  timeout: 30_000,
  fn: () =>
    withWatched(async ({ database }) => {
      let begun: Promise<void> | undefined;
      const image = database.image();
      const error = await assertRejects(() =>
        image.writeTo({
          writeAt: () => begun ??= database.startGeneration("the test says so"),
        })
      );
      assertEquals(String(error).includes("Cannot finish the snapshot"), true, String(error));
      const taken = await take(database.image());
      assertEquals([taken.index, taken.record.end], [asIndex(0), database.position()?.offset ?? asOffset(-1)]);
    }),
});
