import { scanAndHash } from "../../lib/pages/frame_scan.ts";
import { pageHasher } from "../../lib/pages/page_hasher.ts";
import { frameSize } from "../../lib/wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { scanFrames } from "../../lib/wal/scanner.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { WalBuilder } from "../support/wal_builder.ts";

function randomWal(random: () => number): Uint8Array<ArrayBuffer> {
  const wal = new WalBuilder({
    pageSize: 512 << randomInteger(random, 8),
    littleEndian: random() < 0.5,
    salt: { salt1: randomInteger(random, 2 ** 32), salt2: randomInteger(random, 2 ** 32) },
  });
  for (let commit = randomInteger(random, 6); commit >= 0; commit--) {
    const pages = Array.from({ length: 1 + randomInteger(random, 9) }, () => 1 + randomInteger(random, 50));
    wal.commit(50, ...pages.map((page) => [page, randomInteger(random, 2 ** 31)] as const));
  }
  return wal.bytes();
}

Deno.test("scanAndHash() says of any bytes what scanFrames() says, and the values of the pages", () => {
  const random = seededRandom(77);
  for (let history = 0; history < 400; history++) {
    const wal = randomWal(random);
    const parsed = parseWalHeader(wal);
    assert(parsed.ok);
    const { header } = parsed;
    for (let flips = randomInteger(random, 3); flips > 0; flips--) {
      const at = WAL_HEADER_SIZE + randomInteger(random, wal.length - WAL_HEADER_SIZE);
      wal[at] = (wal[at] ?? 0) ^ (1 << randomInteger(random, 8));
    }
    const bytes = wal.subarray(WAL_HEADER_SIZE, wal.length - (random() < 0.3 ? randomInteger(random, 700) : 0));
    const size = frameSize(header.pageSize);
    const [values, expected] = [0, 1].map(() => new Uint32Array(2 * Math.ceil(bytes.length / size)));
    const scan = scanAndHash(bytes, header, header.checksum, values as Uint32Array);
    assertEquals(scan, scanFrames(bytes, header, header.checksum), `history ${history}`);
    pageHasher().hashFrames(bytes.subarray(0, scan.frames * size), header.pageSize, expected as Uint32Array);
    assertEquals(values, expected, `history ${history}`);
  }
});

Deno.test("scanAndHash() walks more frames than fit into the kernel's memory at once", () => {
  const wal = new WalBuilder({ pageSize: 512 });
  wal.commit(3_000, ...Array.from({ length: 3_000 }, (_, page) => [page + 1, page * 7] as const));
  const parsed = parseWalHeader(wal.bytes());
  assert(parsed.ok);
  const bytes = wal.bytes().subarray(WAL_HEADER_SIZE);
  const [values, expected] = [new Uint32Array(6_000), new Uint32Array(6_000)];
  const scan = scanAndHash(bytes, parsed.header, parsed.header.checksum, values);
  assertEquals(scan, scanFrames(bytes, parsed.header, parsed.header.checksum));
  assertEquals(scan.frames, 3_000);
  pageHasher().hashFrames(bytes, 512, expected);
  assertEquals(values, expected);
});
