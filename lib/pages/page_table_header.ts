/**
 * The page table is one file in the state folder, all numbers little-endian:
 *
 *        0  a header     512  another one: written in turns, the valid one of the higher sequence counts
 *     4096  8 bytes a page, from page 1: its value, or 0 for a page that was never written
 *
 * A header says what the values were when it was written:
 *
 *      0  u32  magic "TRPT"        4  u32  version: 1
 *      8  u64  sequence           16  8 bytes: generation
 *     24  u64  index,  32  u64  offset: the table held everything captured up to here
 *     40  u32  page size          44  u32  database pages
 *     48  u32  flags: 1 confirmed, 2 a pass is under way
 *     52  u32  the page that the pass looks at next
 *     56  u64  index,  64  u64  offset: where the source was last confirmed
 *     72  u64  index,  80  u64  offset: where the pass began
 *     88  8 bytes: checksum of the whole database at the position
 *    124  u32  CRC-32C of bytes 0 to 123
 *
 * Values behind it may be newer, and torn by a crash: the shadow WAL from the index on says what they are.
 */
import { crc32c } from "../base/crc32c.ts";
import { getSafeUint64, hex, setSafeUint64, viewOf } from "../base/bytes.ts";
import { type Generation, parseGeneration } from "../position/generation.ts";
import { asIndex, asOffset, type Index, type Offset, type Position } from "../position/position.ts";

export const PAGE_TABLE_HEADER_SIZE = 128;
export const HEADER_SLOT_SIZE = 512;
export const VALUES_AT = 4096;
const MAGIC = 0x54505254;
const VERSION = 1;
const FLAG_CONFIRMED = 1;
const FLAG_PASS = 2;
const CRC_AT = PAGE_TABLE_HEADER_SIZE - 4;

export interface Place {
  readonly index: Index;
  readonly offset: Offset;
}

export interface PageTableHeader {
  readonly sequence: number;
  readonly position: Position;
  readonly pageSize: number;
  readonly databasePages: number;
  readonly checksum: Uint8Array;
  readonly confirmedAt: Place | undefined;
  readonly pass: { readonly nextPage: number; readonly began: Place } | undefined;
}

export function formatPageTableHeader(header: PageTableHeader): Uint8Array {
  const bytes = new Uint8Array(PAGE_TABLE_HEADER_SIZE);
  const view = viewOf(bytes);
  const { position, confirmedAt, pass } = header;
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  setSafeUint64(view, 8, header.sequence);
  bytes.set(Uint8Array.fromHex(position.generation), 16);
  setPlace(view, 24, position);
  view.setUint32(40, header.pageSize, true);
  view.setUint32(44, header.databasePages, true);
  view.setUint32(48, (confirmedAt === undefined ? 0 : FLAG_CONFIRMED) | (pass === undefined ? 0 : FLAG_PASS), true);
  view.setUint32(52, pass?.nextPage ?? 0, true);
  if (confirmedAt !== undefined) setPlace(view, 56, confirmedAt);
  if (pass !== undefined) setPlace(view, 72, pass.began);
  bytes.set(header.checksum, 88);
  view.setUint32(CRC_AT, crc32c(bytes.subarray(0, CRC_AT)), true);
  return bytes;
}

/** Undefined for what is no header of this version, whole. */
export function parsePageTableHeader(bytes: Uint8Array): PageTableHeader | undefined {
  if (bytes.length < PAGE_TABLE_HEADER_SIZE) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(CRC_AT, true) !== crc32c(bytes.subarray(0, CRC_AT))) return undefined;
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== VERSION) return undefined;
  const generation = parseGeneration(hex(bytes.subarray(16, 24)));
  if (generation === undefined) return undefined;
  const flags = view.getUint32(48, true);
  return {
    sequence: getSafeUint64(view, 8),
    position: positionOf(generation, placeAt(view, 24)),
    pageSize: view.getUint32(40, true),
    databasePages: view.getUint32(44, true),
    checksum: bytes.slice(88, 96),
    confirmedAt: (flags & FLAG_CONFIRMED) === 0 ? undefined : placeAt(view, 56),
    pass: (flags & FLAG_PASS) === 0 ? undefined : { nextPage: view.getUint32(52, true), began: placeAt(view, 72) },
  };
}

function positionOf(generation: Generation, place: Place): Position {
  return { generation, ...place };
}

function setPlace(view: DataView, at: number, { index, offset }: Place): void {
  setSafeUint64(view, at, index);
  setSafeUint64(view, at + 8, offset);
}

function placeAt(view: DataView, at: number): Place {
  return { index: asIndex(getSafeUint64(view, at)), offset: asOffset(getSafeUint64(view, at + 8)) };
}
