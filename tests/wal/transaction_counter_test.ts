import { DatabaseSync } from "node:sqlite";
import { viewOf } from "../../lib/base/bytes.ts";
import { frameSize } from "../../lib/wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { scanFrames } from "../../lib/wal/scanner.ts";
import { TransactionCounter } from "../../lib/wal/transaction_counter.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { WalBuilder } from "../support/wal_builder.ts";

const PAGE_SIZE = 512;
const FRAME = frameSize(PAGE_SIZE);

type Page = readonly [page: number, fill: number];

/** The frames of these transactions, the commit frame of each repeated as often as asked. */
function framesOf(...transactions: readonly { readonly pages: readonly Page[]; readonly padding?: number }[]) {
  const wal = new WalBuilder({ pageSize: PAGE_SIZE });
  for (const { pages, padding = 0 } of transactions) {
    wal.commit(50, ...pages);
    const last = pages.at(-1);
    assert(last !== undefined);
    for (let i = 0; i < padding; i++) wal.commit(50, last);
  }
  return wal.bytes().subarray(WAL_HEADER_SIZE);
}

/** Counted at once, and in two calls, wherever they meet: always the same. */
function count(frames: Uint8Array, pageSize = PAGE_SIZE): number {
  const whole = new TransactionCounter(pageSize);
  whole.add(frames);
  for (let cut = 0; cut <= frames.length; cut += frameSize(pageSize)) {
    const parts = new TransactionCounter(pageSize);
    parts.add(frames.subarray(0, cut));
    // As by whoever reads all of it through one buffer.
    parts.add(frames.slice(cut));
    assertEquals(parts.transactions, whole.transactions, `in two parts that meet at byte ${cut}`);
  }
  return whole.transactions;
}

Deno.test("TransactionCounter.add() counts every ordinary commit", () => {
  const frames = framesOf({ pages: [[1, 1]] }, { pages: [[1, 2]] }, { pages: [[2, 2]] }, { pages: [[3, 3], [2, 2]] });
  assertEquals(count(frames), 4);
});

Deno.test("TransactionCounter.add() counts a commit frame that is repeated to fill a sector once", () => {
  assertEquals(count(framesOf({ pages: [[1, 1], [2, 2]], padding: 7 })), 1);
  const frames = framesOf(
    { pages: [[1, 1]], padding: 3 },
    { pages: [[1, 2]], padding: 2 },
    { pages: [[3, 9], [1, 2]], padding: 1 },
  );
  assertEquals(count(frames), 3);
});

Deno.test("TransactionCounter.add() counts nothing that is not committed, and nothing in no frames", () => {
  const frames = framesOf({ pages: [[1, 1]] }, { pages: [[2, 2], [3, 3], [4, 4]] });
  assertEquals(count(frames.subarray(0, 3 * FRAME)), 1);
  assertEquals(count(new Uint8Array()), 0);
});

Deno.test("TransactionCounter.add() reads its frames before the buffer that held them is filled anew", () => {
  const buffer = framesOf({ pages: [[1, 1]], padding: 1 });
  const counter = new TransactionCounter(PAGE_SIZE);
  const reused = buffer.slice(0, FRAME);
  counter.add(reused);
  reused.set(buffer.subarray(FRAME));
  counter.add(reused);
  assertEquals(counter.transactions, 1);
});

Deno.test("TransactionCounter never counts more than there were, whatever they wrote", () => {
  const random = seededRandom(20);
  for (let round = 0; round < 200; round++) {
    const transactions = Array.from({ length: 1 + randomInteger(random, 12) }, () => ({
      pages: Array.from(
        { length: 1 + randomInteger(random, 3) },
        (): Page => [1 + randomInteger(random, 2), randomInteger(random, 2)],
      ),
      padding: randomInteger(random, 4),
    }));
    const counted = count(framesOf(...transactions));
    assertLessOrEqual(counted, transactions.length, JSON.stringify(transactions));
    // Too few only where a transaction is one page that the commit frame before it was already.
    const repeated = transactions.filter(({ pages }, slot) => {
      const [first, ...others] = pages;
      const before = transactions[slot - 1]?.pages.at(-1);
      return others.length === 0 && JSON.stringify(first) === JSON.stringify(before);
    });
    assertEquals(counted, transactions.length - repeated.length, JSON.stringify(transactions));
  }
});

/** The WAL of so many commits, made by SQLite on a device that it takes for one that may tear a sector, or not. */
function realWal(path: string, commits: number, isPowerSafe: boolean): Uint8Array {
  const database = new DatabaseSync(`file:${path}?psow=${isPowerSafe ? 1 : 0}`);
  try {
    database.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`);
    database.exec("CREATE TABLE entry(n INTEGER PRIMARY KEY, body)");
    const statement = database.prepare("INSERT INTO entry(body) VALUES(randomblob(?))");
    for (let i = 1; i < commits; i++) statement.run(i * 20);
    return Deno.readFileSync(`${path}-wal`);
  } finally {
    database.close();
  }
}

for (const isPowerSafe of [true, false]) {
  const device = isPowerSafe ? "a sector survives a power cut" : "SQLite fills sectors by repeating commit frames";
  Deno.test(`TransactionCounter counts the commits of a real WAL where ${device}`, async () => {
    await withTemporaryFolder((folder) => {
      const commits = 25;
      const wal = realWal(`${folder}/app.db`, commits, isPowerSafe);
      const parsed = parseWalHeader(wal);
      assert(parsed.ok);
      assertEquals(viewOf(wal).getUint32(8), PAGE_SIZE);
      const frames = wal.subarray(WAL_HEADER_SIZE);
      const scan = scanFrames(frames, parsed.header, parsed.header.checksum);
      if (isPowerSafe) assertEquals(scan.commits, commits);
      else assertGreater(scan.commits, commits, "commit frames were repeated");
      assertEquals(count(frames.subarray(0, scan.committedFrames * FRAME)), commits);
    });
  });
}
