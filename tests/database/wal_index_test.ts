import { viewOf } from "../../lib/base/bytes.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { WalIndex, type WalIndexHeader } from "../../lib/database/wal_index.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { RunningChecksum } from "../../lib/wal/checksum.ts";
import { storedChecksum } from "../../lib/wal/frame.ts";
import { parseWalHeader } from "../../lib/wal/header.ts";
import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertThrows } from "../support/assert.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const COPY_SIZE = 48;
const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

interface Fields {
  readonly version: number;
  readonly changeCounter: number;
  readonly initialised: number;
  readonly bigEndianSums: number;
  readonly pageSize: number;
  readonly mxFrame: number;
}

/** The bytes of a wal-index as another implementation of the format would write them. */
function aWalIndex(overrides: Partial<Fields> = {}): Uint8Array {
  const fields = {
    version: 3_007_000,
    changeCounter: 11,
    initialised: 1,
    bigEndianSums: 0,
    pageSize: 4096,
    mxFrame: 7,
    ...overrides,
  };
  const bytes = new Uint8Array(32_768);
  const view = viewOf(bytes);
  view.setUint32(0, fields.version, littleEndian);
  view.setUint32(8, fields.changeCounter, littleEndian);
  bytes[12] = fields.initialised;
  bytes[13] = fields.bigEndianSums;
  view.setUint16(14, fields.pageSize, littleEndian);
  const words = [fields.mxFrame, 5, 0xfedcba98, 0x12345678];
  words.forEach((word, place) => view.setUint32(16 + 4 * place, word, littleEndian));
  view.setUint32(32, 0xa1b2c3d4);
  view.setUint32(36, 0x01020304);
  const sum = new RunningChecksum();
  sum.update(view, 0, 40, littleEndian);
  view.setUint32(40, sum.value().s0, littleEndian);
  view.setUint32(44, sum.value().s1, littleEndian);
  bytes.copyWithin(COPY_SIZE, 0, COPY_SIZE);
  view.setUint32(96, 6, littleEndian);
  return bytes;
}

/** What is read from these bytes. */
function readBytes(bytes: Uint8Array): Promise<WalIndexHeader | undefined> {
  return withTemporaryFolder((folder) => {
    Deno.writeFileSync(`${folder}/app.db-shm`, bytes);
    const index = WalIndex.open(new DenoFileSystem(), `${folder}/app.db-shm`);
    try {
      return index.read();
    } finally {
      index.close();
    }
  });
}

Deno.test("WalIndex.read() reads every field", async () => {
  assertEquals(await readBytes(aWalIndex()), {
    mxFrame: 7,
    databasePages: 5,
    pageSize: 4096,
    checksum: { s0: 0xfedcba98, s1: 0x12345678 },
    salt: { salt1: 0xa1b2c3d4, salt2: 0x01020304 },
    backfilled: 6,
    changeCounter: 11,
    littleEndianSums: true,
  });
});

Deno.test("WalIndex.read() knows WALs whose checksums read words big-endian", async () => {
  assertEquals((await readBytes(aWalIndex({ bigEndianSums: 1 })))?.littleEndianSums, false);
});

Deno.test("WalIndex.read() takes the page size 1 for 65536", async () => {
  assertEquals((await readBytes(aWalIndex({ pageSize: 1 })))?.pageSize, 65_536);
  assertEquals((await readBytes(aWalIndex({ pageSize: 32_768 })))?.pageSize, 32_768);
});

Deno.test("WalIndex.read() is undefined as long as there is no header", async () => {
  assertEquals(await readBytes(new Uint8Array(0)), undefined);
  assertEquals(await readBytes(new Uint8Array(32_768)), undefined);
  assertEquals(await readBytes(aWalIndex({ initialised: 0 })), undefined);
  assertEquals(await readBytes(aWalIndex().subarray(0, 99)), undefined);
});

Deno.test("WalIndex.read() is undefined when any byte of either copy differs", async () => {
  for (let at = 0; at < 2 * COPY_SIZE; at++) {
    const bytes = aWalIndex();
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    assertEquals(await readBytes(bytes), undefined, `byte ${at}`);
  }
});

Deno.test("WalIndex.read() is undefined when both copies are equal and their checksum is wrong", async () => {
  const bytes = aWalIndex();
  for (const copy of [0, COPY_SIZE]) viewOf(bytes).setUint32(copy + 16, 8, littleEndian);
  assertEquals(await readBytes(bytes), undefined);
});

Deno.test("WalIndex.read() refuses a format it does not know", async () => {
  await withTemporaryFolder((folder) => {
    const path = `${folder}/app.db-shm`;
    Deno.writeFileSync(path, aWalIndex({ version: 3_007_001 }));
    const index = WalIndex.open(new DenoFileSystem(), path);
    const error = assertThrows(() => index.read(), ReplicationError, `Cannot follow ${path}: `);
    assertEquals(error.code, "unsupported");
    index.close();
  });
});

Deno.test("WalIndex.open() of a missing file says not-found", () =>
  withTemporaryFolder((folder) => {
    const open = () => WalIndex.open(new DenoFileSystem(), `${folder}/app.db-shm`);
    assertEquals(assertThrows(open, ReplicationError).code, "not-found");
  }));

for (let pageSize = 512; pageSize <= 65_536; pageSize *= 2) {
  Deno.test(`WalIndex.read() agrees with the WAL of a real database with pages of ${pageSize} bytes`, () =>
    withTemporaryFolder((folder) => {
      const path = `${folder}/app.db`;
      const connection = createNodeDriver().open(path, { create: true });
      connection.execute(`PRAGMA page_size = ${pageSize}`);
      connection.execute("PRAGMA journal_mode = WAL");
      connection.execute("CREATE TABLE entry (body)");
      const index = WalIndex.open(new DenoFileSystem(), `${path}-shm`);
      const before = index.read();
      connection.execute("INSERT INTO entry VALUES (randomblob(200000))");
      const after = index.read();
      assert(before !== undefined && after !== undefined, "there is a header");
      const wal = Deno.readFileSync(`${path}-wal`);
      const parsed = parseWalHeader(wal);
      assert(parsed.ok);
      assertEquals([after.pageSize, after.littleEndianSums], [pageSize, parsed.header.littleEndian]);
      assertEquals(after.salt, parsed.header.salt);
      assertEquals(wal.length, 32 + after.mxFrame * (24 + pageSize));
      assertEquals(after.checksum, storedChecksum(viewOf(wal), wal.length - 24 - pageSize));
      assertEquals([after.databasePages], connection.values("PRAGMA page_count"));
      assertGreater(after.mxFrame, before.mxFrame);
      assertEquals(after.changeCounter, before.changeCounter + 1);
      connection.close();
      index.close();
    }));
}

Deno.test({
  name: "WalIndex.read() beside a busy writer is always whole and never goes back within a life",
  timeout: 20_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const path = `${folder}/app.db`;
      await using writer = startOtherProcess();
      await writer.open(path, { create: true });
      await writer.runAll(["PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", "CREATE TABLE entry (body)"]);
      const index = WalIndex.open(new DenoFileSystem(), `${path}-shm`);
      let isWriting = true;
      const writing = writer.runAll(Array(4000).fill("INSERT INTO entry VALUES (1)")).finally(() => isWriting = false);
      let [reads, lives] = [0, 0];
      let last: WalIndexHeader | undefined;
      while (isWriting) {
        for (let i = 0; i < 200; i++) {
          const header = index.read();
          if (header === undefined) continue;
          reads++;
          const isSameLife = header.salt.salt1 === last?.salt.salt1 && header.salt.salt2 === last.salt.salt2;
          if (!isSameLife) lives++;
          else assertGreaterOrEqual(header.mxFrame, last?.mxFrame ?? 0);
          last = header;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writing;
      assertGreater(reads, 100);
      assertGreater(lives, 0);
      assertEquals(index.read()?.databasePages, (await writer.run("PRAGMA page_count"))[0]?.[0] as number);
      index.close();
    }),
});
