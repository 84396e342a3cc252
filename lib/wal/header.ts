/**
 * A WAL file begins with a header of 32 bytes, all fields big-endian:
 *
 *    0  magic: 0x377f0682, checksums read words little-endian; 0x377f0683, big-endian
 *    4  format version: 3007000
 *    8  page size, 512 to 65536, a power of two
 *   12  checkpoint sequence number (private to a connection; proves nothing)
 *   16  salt 1         20  salt 2
 *   24  checksum s0    28  checksum s1, over the 24 bytes before
 */
import { viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { type Checksum, RunningChecksum, ZERO_CHECKSUM } from "./checksum.ts";
import type { Salt } from "./salt.ts";

export const WAL_HEADER_SIZE = 32;
export const WAL_MAGIC_LITTLE_ENDIAN = 0x377f0682;
export const WAL_MAGIC_BIG_ENDIAN = 0x377f0683;
export const WAL_FORMAT_VERSION = 3_007_000;

const MAGIC_AT = 0;
const VERSION_AT = 4;
const PAGE_SIZE_AT = 8;
const SEQUENCE_AT = 12;
const SALT_AT = 16;
const CHECKSUM_AT = 24;

export interface WalHeader {
  readonly pageSize: number;
  readonly littleEndian: boolean;
  readonly sequence: number;
  readonly salt: Salt;
  /** Of the header itself; the first frame's chain begins here. */
  readonly checksum: Checksum;
}

export type ParsedWalHeader =
  | { readonly ok: true; readonly header: WalHeader }
  | { readonly ok: false; readonly reason: string };

export function parseWalHeader(bytes: Uint8Array): ParsedWalHeader {
  if (bytes.length < WAL_HEADER_SIZE) return { ok: false, reason: `the WAL header has ${bytes.length} of 32 bytes` };
  const view = viewOf(bytes);
  const magic = view.getUint32(MAGIC_AT);
  if (magic !== WAL_MAGIC_LITTLE_ENDIAN && magic !== WAL_MAGIC_BIG_ENDIAN) {
    return { ok: false, reason: `the WAL header has the unknown magic 0x${magic.toString(16).padStart(8, "0")}` };
  }
  const version = view.getUint32(VERSION_AT);
  if (version !== WAL_FORMAT_VERSION) return { ok: false, reason: `the WAL header has the unknown version ${version}` };
  const pageSize = view.getUint32(PAGE_SIZE_AT);
  if (!isPageSize(pageSize)) return { ok: false, reason: `the WAL header has the impossible page size ${pageSize}` };
  const littleEndian = magic === WAL_MAGIC_LITTLE_ENDIAN;
  const sum = new RunningChecksum();
  sum.set(ZERO_CHECKSUM);
  sum.update(view, 0, CHECKSUM_AT, littleEndian);
  if (!sum.equalsStored(view, CHECKSUM_AT)) return { ok: false, reason: "the WAL header's checksum does not match" };
  return {
    ok: true,
    header: {
      pageSize,
      littleEndian,
      sequence: view.getUint32(SEQUENCE_AT),
      salt: { salt1: view.getUint32(SALT_AT), salt2: view.getUint32(SALT_AT + 4) },
      checksum: sum.value(),
    },
  };
}

/** The twin of `parseWalHeader`; the checksum is computed, the one in `header` is not looked at. */
export function formatWalHeader(header: Omit<WalHeader, "checksum">): Uint8Array {
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  const view = viewOf(bytes);
  view.setUint32(MAGIC_AT, header.littleEndian ? WAL_MAGIC_LITTLE_ENDIAN : WAL_MAGIC_BIG_ENDIAN);
  view.setUint32(VERSION_AT, WAL_FORMAT_VERSION);
  view.setUint32(PAGE_SIZE_AT, header.pageSize);
  view.setUint32(SEQUENCE_AT, header.sequence);
  view.setUint32(SALT_AT, header.salt.salt1);
  view.setUint32(SALT_AT + 4, header.salt.salt2);
  const sum = new RunningChecksum();
  sum.update(view, 0, CHECKSUM_AT, header.littleEndian);
  view.setUint32(CHECKSUM_AT, sum.value().s0);
  view.setUint32(CHECKSUM_AT + 4, sum.value().s1);
  return bytes;
}

export function isPageSize(size: number): boolean {
  const isPowerOfTwo = size > 0 && (size & (size - 1)) === 0;
  return isPowerOfTwo && size >= limits.pageSizeMinBytes && size <= limits.pageSizeMaxBytes;
}
