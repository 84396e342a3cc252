import { assert, assertEquals } from "../support/assert.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";
import { formatWalHeader, parseWalHeader, WAL_HEADER_SIZE } from "../../lib/wal/header.ts";

function aRandomHeader(random: () => number) {
  return {
    pageSize: 512 << randomInteger(random, 8),
    littleEndian: random() < 0.5,
    sequence: randomInteger(random, 2 ** 32),
    salt: { salt1: randomInteger(random, 2 ** 32), salt2: randomInteger(random, 2 ** 32) },
  };
}

Deno.test("parseWalHeader() reads back every header that formatWalHeader() can write", () => {
  for (let seed = 0; seed < 2000; seed++) {
    const header = aRandomHeader(seededRandom(seed));
    const parsed = parseWalHeader(formatWalHeader(header));
    assert(parsed.ok, `seed ${seed}`);
    const { checksum: _, ...rest } = parsed.header;
    assertEquals(rest, header, `seed ${seed}`);
  }
});

Deno.test("parseWalHeader() refuses a header of which any one bit is flipped", () => {
  for (let seed = 0; seed < 50; seed++) {
    const bytes = formatWalHeader(aRandomHeader(seededRandom(seed)));
    for (let bit = 0; bit < 8 * WAL_HEADER_SIZE; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert(!parseWalHeader(flipped).ok, `seed ${seed}, bit ${bit}`);
    }
  }
});

Deno.test("parseWalHeader() gives a reason for random bytes of every length and never throws", () => {
  for (let seed = 0; seed < 3000; seed++) {
    const random = seededRandom(seed);
    const bytes = randomBytes(random, randomInteger(random, 80));
    if (random() < 0.5) bytes.set([0x37, 0x7f, 0x06, 0x82, 0x00, 0x2d, 0xe2, 0x18].slice(0, bytes.length));
    const parsed = parseWalHeader(bytes);
    assert(!parsed.ok && parsed.reason.startsWith("the WAL header"), `seed ${seed}`);
  }
});
