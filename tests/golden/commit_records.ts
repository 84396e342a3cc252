/** Golden commit records, laid out byte by byte as the format says it, without the program's own code. */

interface GoldenRecord {
  readonly name: string;
  readonly fields: {
    readonly kind: string;
    readonly pageSize: number;
    readonly start: number;
    readonly end: number;
    readonly capturedAtMs: number;
    readonly databasePages: number;
    readonly checksumHex?: string;
    readonly confirmedAt?: { readonly index: number; readonly offset: number };
    readonly capturedLate: boolean;
    readonly indexClosed: boolean;
  };
  /** Of version 2: the generation and index that it was written for. */
  readonly home?: { readonly generation: string; readonly index: number };
  /** [offset, length in bytes, value]: little-endian numbers; every other byte is 0. */
  readonly layout: readonly (readonly [at: number, length: number, value: bigint])[];
}

const CAPTURED_AT = 1_750_000_000_123;

const RECORDS: readonly GoldenRecord[] = [
  {
    name: "sync",
    fields: {
      kind: "sync",
      pageSize: 4096,
      start: 4152,
      end: 16512,
      capturedAtMs: CAPTURED_AT,
      databasePages: 17,
      capturedLate: false,
      indexClosed: false,
    },
    layout: [
      [0, 1, 1n],
      [1, 1, 1n],
      [4, 4, 4096n],
      [8, 8, 4152n],
      [16, 8, 16512n],
      [24, 8, BigInt(CAPTURED_AT)],
      [32, 4, 17n],
    ],
  },
  {
    name: "snapshot with checksum and confirmation",
    fields: {
      kind: "snapshot",
      pageSize: 65536,
      start: 6_557_288_784,
      end: 6_557_288_784,
      capturedAtMs: CAPTURED_AT,
      databasePages: 4_000_000_000,
      checksumHex: "0123456789abcdef",
      confirmedAt: { index: 0x1_0000_0002, offset: 4152 },
      capturedLate: false,
      indexClosed: false,
    },
    layout: [
      [0, 1, 1n],
      [1, 1, 2n],
      [2, 2, 3n],
      [4, 4, 65536n],
      [8, 8, 6_557_288_784n],
      [16, 8, 6_557_288_784n],
      [24, 8, BigInt(CAPTURED_AT)],
      [32, 4, 4_000_000_000n],
      [36, 8, 0xefcdab8967452301n],
      [44, 8, 0x1_0000_0002n],
      [52, 8, 4152n],
    ],
  },
  {
    name: "closed and late",
    fields: {
      kind: "sync",
      pageSize: 512,
      start: 568,
      end: 568,
      capturedAtMs: CAPTURED_AT,
      databasePages: 1,
      capturedLate: true,
      indexClosed: true,
    },
    layout: [
      [0, 1, 1n],
      [1, 1, 1n],
      [2, 2, 12n],
      [4, 4, 512n],
      [8, 8, 568n],
      [16, 8, 568n],
      [24, 8, BigInt(CAPTURED_AT)],
      [32, 4, 1n],
    ],
  },
  {
    name: "resync",
    fields: {
      kind: "resync",
      pageSize: 1024,
      start: 0,
      end: 1080,
      capturedAtMs: CAPTURED_AT,
      databasePages: 2,
      capturedLate: false,
      indexClosed: false,
    },
    layout: [
      [0, 1, 1n],
      [1, 1, 3n],
      [4, 4, 1024n],
      [16, 8, 1080n],
      [24, 8, BigInt(CAPTURED_AT)],
      [32, 4, 2n],
    ],
  },
  {
    name: "sync at home",
    fields: {
      kind: "sync",
      pageSize: 4096,
      start: 4152,
      end: 16512,
      capturedAtMs: CAPTURED_AT,
      databasePages: 17,
      capturedLate: false,
      indexClosed: false,
    },
    home: { generation: "59c6b84cb3f732e9", index: 3 },
    layout: [
      [0, 1, 2n],
      [1, 1, 1n],
      [3, 1, 12n],
      [4, 6, 4152n],
      [10, 6, 16512n],
      [16, 6, BigInt(CAPTURED_AT)],
      [22, 4, 17n],
      [46, 8, 0xe932f7b34cb8c659n],
      [54, 6, 3n],
    ],
  },
  {
    name: "snapshot at home, with checksum and confirmation",
    fields: {
      kind: "snapshot",
      pageSize: 65536,
      start: 6_557_288_784,
      end: 6_557_288_784,
      capturedAtMs: CAPTURED_AT,
      databasePages: 4_000_000_000,
      checksumHex: "0123456789abcdef",
      confirmedAt: { index: 0x1_0000_0002, offset: 4152 },
      capturedLate: false,
      indexClosed: false,
    },
    home: { generation: "00000000000000aa", index: 0x1_0000_0003 },
    layout: [
      [0, 1, 2n],
      [1, 1, 2n],
      [2, 1, 3n],
      [3, 1, 16n],
      [4, 6, 6_557_288_784n],
      [10, 6, 6_557_288_784n],
      [16, 6, BigInt(CAPTURED_AT)],
      [22, 4, 4_000_000_000n],
      [26, 8, 0xefcdab8967452301n],
      [34, 6, 0x1_0000_0002n],
      [40, 6, 4152n],
      [46, 8, 0xaa00000000000000n],
      [54, 6, 0x1_0000_0003n],
    ],
  },
  {
    name: "closed and late at home",
    fields: {
      kind: "sync",
      pageSize: 512,
      start: 568,
      end: 568,
      capturedAtMs: CAPTURED_AT,
      databasePages: 1,
      capturedLate: true,
      indexClosed: true,
    },
    home: { generation: "ffffffffffffffff", index: 0 },
    layout: [
      [0, 1, 2n],
      [1, 1, 1n],
      [2, 1, 12n],
      [3, 1, 9n],
      [4, 6, 568n],
      [10, 6, 568n],
      [16, 6, BigInt(CAPTURED_AT)],
      [22, 4, 1n],
      [46, 8, 0xffffffffffffffffn],
    ],
  },
];

/** Bit by bit, as the definition of the polynomial has it. */
function crc32cBitwise(bytes: Uint8Array): bigint {
  let value = 0xffffffffn;
  for (const byte of bytes) {
    value ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = (value & 1n) === 0n ? value >> 1n : (value >> 1n) ^ 0x82f63b78n;
  }
  return value ^ 0xffffffffn;
}

export function makeCommitRecords(): void {
  const golden = RECORDS.map(({ name, fields, home, layout }) => {
    const bytes = new Uint8Array(64);
    const put = (at: number, length: number, value: bigint) => {
      for (let i = 0; i < length; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    };
    for (const [at, length, value] of layout) put(at, length, value);
    put(60, 4, crc32cBitwise(bytes.subarray(0, 60)));
    return { name, bytes: [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""), home, fields };
  });
  const path = new URL("./commit_records.json", import.meta.url).pathname;
  Deno.writeTextFileSync(path, `${JSON.stringify(golden, undefined, 2)}\n`);
}
