import { assert, assertEquals, assertFalse } from "../support/assert.ts";
import { GOLDEN_WALS, readGoldenWal } from "../golden/read.ts";
import { formatWalHeader, isPageSize, parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../../lib/wal/header.ts";

function aHeader(overrides: Partial<WalHeader> = {}): Omit<WalHeader, "checksum"> {
  return {
    pageSize: 4096,
    littleEndian: true,
    sequence: 7,
    salt: { salt1: 0xfffffffe, salt2: 0x80000001 },
    ...overrides,
  };
}

/** Parses a header of which the given bytes were changed; the sums are those of the unchanged one. */
function parseChanged(at: number, bytes: readonly number[]): string {
  const header = formatWalHeader(aHeader());
  header.set(bytes, at);
  const parsed = parseWalHeader(header);
  assertFalse(parsed.ok);
  return parsed.ok ? "" : parsed.reason;
}

for (const name of GOLDEN_WALS) {
  Deno.test(`parseWalHeader() reads ${name}, which SQLite wrote, and formatWalHeader() writes the same bytes`, () => {
    const { bytes, expected } = readGoldenWal(name);
    const parsed = parseWalHeader(bytes);
    assert(parsed.ok);
    const { pageSize, littleEndian, sequence, salt } = expected;
    const { checksum, ...rest } = parsed.header;
    assertEquals(rest, { pageSize, littleEndian, sequence, salt });
    assertEquals(formatWalHeader(parsed.header), bytes.slice(0, WAL_HEADER_SIZE));
    const stored = new DataView(bytes.buffer);
    assertEquals(checksum, { s0: stored.getUint32(24), s1: stored.getUint32(28) });
  });
}

Deno.test("formatWalHeader() and parseWalHeader() are twins for every page size and byte order", () => {
  for (let pageSize = 512; pageSize <= 65536; pageSize *= 2) {
    for (const littleEndian of [true, false]) {
      const header = aHeader({ pageSize, littleEndian });
      const parsed = parseWalHeader(formatWalHeader(header));
      assert(parsed.ok);
      const { checksum: _, ...rest } = parsed.header;
      assertEquals(rest, header);
    }
  }
});

Deno.test("parseWalHeader() says what is wrong with a header, in order of its fields", () => {
  assertEquals(parseChanged(0, [1, 2, 3, 4]), "the WAL header has the unknown magic 0x01020304");
  assertEquals(parseChanged(4, [0, 0, 0, 1]), "the WAL header has the unknown version 1");
  assertEquals(parseChanged(8, [0, 0, 0x10, 1]), "the WAL header has the impossible page size 4097");
  assertEquals(parseChanged(20, [0]), "the WAL header's checksum does not match");
  assertEquals(parseChanged(31, [0xee]), "the WAL header's checksum does not match");
});

Deno.test("parseWalHeader() refuses fewer than 32 bytes and looks at no more", () => {
  const header = formatWalHeader(aHeader());
  assertEquals(parseWalHeader(header.subarray(0, 31)), { ok: false, reason: "the WAL header has 31 of 32 bytes" });
  assertEquals(parseWalHeader(new Uint8Array()), { ok: false, reason: "the WAL header has 0 of 32 bytes" });
  const inside = new Uint8Array(101).fill(0xaa);
  inside.set(header, 3);
  assertEquals(parseWalHeader(inside.subarray(3)), parseWalHeader(header));
});

Deno.test("isPageSize() accepts the powers of two from 512 to 65536 and nothing else", () => {
  const sizes = [-512, 0, 1, 256, 511, 512, 513, 768, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 2 ** 31];
  assertEquals(sizes.filter(isPageSize), [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]);
});
