/**
 * What a WAL is, byte by byte, without the program's own reader: these are the hands that make replicas, and a mistake of
 * the program must not be made twice.
 *
 * Header: 32 bytes (magic 0, page size 8, salts 16 and 20, sums 24 and 28). Frame: 24 bytes (page number 0, pages of the
 * database after a commit 4, salts 8 and 12, sums 16 and 20) and a page. All big-endian.
 */
export const WAL_HEADER_SIZE = 32;
const FRAME_HEADER_SIZE = 24;
const BIG_ENDIAN_SUMS = 0x377f0683;

export function frameSizeOf(wal: Uint8Array): number {
  return FRAME_HEADER_SIZE + view(wal).getUint32(8);
}

/** The ends of all transactions of the WAL's present life. */
export function commitEnds(wal: Uint8Array): number[] {
  if (wal.length < WAL_HEADER_SIZE) return [];
  const size = frameSizeOf(wal);
  const ends: number[] = [];
  for (let at = WAL_HEADER_SIZE; at + size <= wal.length; at += size) {
    if (wal.subarray(at + 8, at + 16).toHex() !== wal.subarray(16, 24).toHex()) break;
    if (view(wal).getUint32(at + 4) !== 0) ends.push(at + size);
  }
  return ends;
}

/** The same WAL with other salts or the other byte order of its sums, all sums made anew. */
export function resummed(
  wal: Uint8Array,
  change: { readonly bigEndian?: boolean; readonly salt1?: number },
): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(wal);
  const into = view(copy);
  if (change.bigEndian === true) into.setUint32(0, BIG_ENDIAN_SUMS);
  const isLittle = into.getUint32(0) !== BIG_ENDIAN_SUMS;
  const salt1 = change.salt1 ?? into.getUint32(16);
  into.setUint32(16, salt1);
  let sums: Sums = sum([0, 0], copy.subarray(0, 24), isLittle);
  writeSums(into, 24, sums);
  const size = frameSizeOf(copy);
  for (let at = WAL_HEADER_SIZE; at + size <= copy.length; at += size) {
    into.setUint32(at + 8, salt1);
    sums = sum(sums, copy.subarray(at, at + 8), isLittle);
    sums = sum(sums, copy.subarray(at + FRAME_HEADER_SIZE, at + size), isLittle);
    writeSums(into, at + 16, sums);
  }
  return copy;
}

type Sums = readonly [number, number];

function sum([s0, s1]: Sums, bytes: Uint8Array, isLittle: boolean): Sums {
  const from = view(bytes);
  for (let at = 0; at < bytes.length; at += 8) {
    s0 = (s0 + from.getUint32(at, isLittle) + s1) >>> 0;
    s1 = (s1 + from.getUint32(at + 4, isLittle) + s0) >>> 0;
  }
  return [s0, s1];
}

function writeSums(into: DataView, at: number, [s0, s1]: Sums): void {
  into.setUint32(at, s0);
  into.setUint32(at + 4, s1);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
