/**
 * The LZ4 frame format, all numbers little-endian. An object is a run of frames; its content is what its data frames hold,
 * one after the other.
 *
 *   data frame       magic 0x184D2204 · FLG · BD · [content size, 8] · [dictionary, 4] · (xxh32 of FLG.. >> 8) & 255
 *                    blocks · 0 (4 bytes) · [xxh32 of the content, 4]
 *     FLG            version 01 (bits 7, 6) · 5 blocks independent · 4 block checksums · 3 content size ·
 *                    2 content checksum · 1 reserved · 0 dictionary
 *     BD             bits 6..4: blocks of at most 4: 64 KiB, 5: 256 KiB, 6: 1 MiB, 7: 4 MiB; the others reserved
 *     block          size, 4 (bit 31: stored as it is) · bytes · [xxh32 of the bytes, 4]
 *   legacy frame     magic 0x184C2102 · blocks of 8 MiB (size, 4 · bytes) up to the end or to another magic
 *   skippable frame  magic 0x184D2A50 to 0x184D2A5F · size, 4 · that many bytes, not part of the content
 */
import { viewOf } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import { smallHash } from "./kernel.ts";

const DATA_MAGIC = 0x184d2204;
const LEGACY_MAGIC = 0x184c2102;
const SKIPPABLE_MAGIC_MIN = 0x184d2a50;
const SKIPPABLE_MAGIC_MAX = 0x184d2a5f;

export const MAGIC_BYTES = 4;
export const FRAME_HEADER_MAX_BYTES = 19;
export const SKIPPABLE_HEADER_BYTES = 8;
export const BLOCK_HEADER_BYTES = 4;
export const CHECKSUM_BYTES = 4;
/** How far back a match reaches at most, rounded up. */
export const HISTORY_BYTES = 64 << 10;

export const STORED_BIT = 0x8000_0000;
const LEGACY_BLOCK_BYTES = 8 << 20;
/** What incompressible bytes grow to at most. */
const LEGACY_BLOCK_MAX_BYTES = LEGACY_BLOCK_BYTES + Math.floor(LEGACY_BLOCK_BYTES / 255) + 16;

export const OUR_BLOCK_BYTES = 4 << 20;
/** The header of every frame that we write: 4 MiB, independent, content checksum; what Litestream 0.3 writes, too. */
export const OUR_FRAME_HEADER: Uint8Array = new Uint8Array([0x04, 0x22, 0x4d, 0x18, 0x64, 0x70, 0xb9]);

/** A data frame as its header describes it. */
export interface Frame {
  /** Its first byte in the object, and that of its blocks. */
  readonly at: number;
  readonly blocksAt: number;
  /** Where its content begins in that of the object. */
  readonly contentAt: number;
  readonly isLegacy: boolean;
  /** Blocks may repeat bytes of the blocks before them. */
  readonly isLinked: boolean;
  readonly hasBlockChecksums: boolean;
  readonly hasContentChecksum: boolean;
  readonly contentBytes: number | undefined;
  readonly blockBytes: number;
  /** What a block may take in the object. */
  readonly storedBlockMaxBytes: number;
}

export type FrameKind = "data" | "legacy" | "skippable";

export function frameKindOf(magic: number): FrameKind | undefined {
  if (magic === DATA_MAGIC) return "data";
  if (magic === LEGACY_MAGIC) return "legacy";
  return magic >= SKIPPABLE_MAGIC_MIN && magic <= SKIPPABLE_MAGIC_MAX ? "skippable" : undefined;
}

export function corruptAt(description: string, at: number, what: string): ReplicationError {
  return new ReplicationError("corrupt", `Cannot read ${description}: at byte ${at} ${what}`);
}

export function legacyFrame(at: number, contentAt: number): Frame {
  return {
    at,
    blocksAt: at + MAGIC_BYTES,
    contentAt,
    isLegacy: true,
    isLinked: false,
    hasBlockChecksums: false,
    hasContentChecksum: false,
    contentBytes: undefined,
    blockBytes: LEGACY_BLOCK_BYTES,
    storedBlockMaxBytes: LEGACY_BLOCK_MAX_BYTES,
  };
}

/**
 * Reads the header of a data frame at the beginning of these bytes, which are as many as there are, up to the largest
 * header.
 */
export function parseFrameHeader(bytes: Uint8Array, at: number, contentAt: number, description: string): Frame {
  const flags = bytes[4] ?? 0;
  const hasContentBytes = (flags & 0x08) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  const checksumAt = 6 + (hasContentBytes ? 8 : 0) + (hasDictionary ? 4 : 0);
  if (bytes.length <= checksumAt) throw truncated(description, at + bytes.length, "in the header of a frame");
  if (((smallHash(bytes.subarray(4, checksumAt)) >>> 8) & 0xff) !== bytes[checksumAt]) {
    throw corruptAt(description, at + checksumAt, "the checksum of a frame's header is wrong");
  }
  const sizeCode = (bytes[5] ?? 0) >>> 4;
  if (flags >>> 6 !== 1 || (flags & 0x02) !== 0 || ((bytes[5] ?? 0) & 0x8f) !== 0 || sizeCode < 4) {
    throw new ReplicationError(
      "unsupported",
      `Cannot read ${description}: the frame at byte ${at} is of another version of the LZ4 frame format`,
    );
  }
  if (hasDictionary) {
    throw new ReplicationError("unsupported", `Cannot read ${description}: the frame at byte ${at} needs a dictionary`);
  }
  const blockBytes = 1 << (8 + 2 * sizeCode);
  return {
    at,
    blocksAt: at + checksumAt + 1,
    contentAt,
    isLegacy: false,
    isLinked: (flags & 0x20) === 0,
    hasBlockChecksums: (flags & 0x10) !== 0,
    hasContentChecksum: (flags & 0x04) !== 0,
    contentBytes: hasContentBytes ? Number(viewOf(bytes).getBigUint64(6, true)) : undefined,
    blockBytes,
    storedBlockMaxBytes: blockBytes,
  };
}

export function truncated(description: string, at: number, where: string): ReplicationError {
  return corruptAt(description, at, `it ends ${where}`);
}

export function skippableHeader(magic: number, payloadBytes: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(SKIPPABLE_HEADER_BYTES);
  const view = viewOf(header);
  view.setUint32(0, magic, true);
  view.setUint32(4, payloadBytes, true);
  return header;
}
