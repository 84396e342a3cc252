/** The golden files, for tests. */
const FOLDER = new URL(".", import.meta.url).pathname;

export const GOLDEN_WALS = [
  "page_512",
  "page_4096",
  "page_65536",
  "big_endian",
  "rollback_open",
  "rollback_overwritten",
  "restart_leftovers",
  "torn_tail",
  "flipped_bit",
  "page_zero",
  "header_only",
] as const;

export type GoldenWal = typeof GOLDEN_WALS[number];

interface Sums {
  readonly s0: number;
  readonly s1: number;
}

/** What must be read from a WAL, as `make.ts` wrote it down. */
export interface ExpectedWal {
  readonly pageSize: number;
  readonly littleEndian: boolean;
  readonly sequence: number;
  readonly salt: { readonly salt1: number; readonly salt2: number };
  readonly frames: number;
  readonly committedFrames: number;
  readonly commits: number;
  readonly databasePages: number;
  readonly checksum: Sums;
  readonly committedChecksum: Sums;
  readonly stoppedBy: string;
}

export function readGoldenWal(
  name: GoldenWal,
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly expected: ExpectedWal } {
  return {
    bytes: Deno.readFileSync(`${FOLDER}wal/${name}.wal`),
    expected: JSON.parse(Deno.readTextFileSync(`${FOLDER}wal/${name}.json`)),
  };
}

export interface GoldenCommitRecord {
  readonly name: string;
  /** In hex. */
  readonly bytes: string;
  /** Of version 2. */
  readonly home?: { readonly generation: string; readonly index: number };
  readonly fields: {
    readonly kind: "sync" | "snapshot" | "resync";
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
}

export function readGoldenCommitRecords(): readonly GoldenCommitRecord[] {
  return JSON.parse(Deno.readTextFileSync(`${FOLDER}commit_records.json`));
}
