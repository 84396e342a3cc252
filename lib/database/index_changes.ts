/**
 * Which pages each index that is over changed, so that a replica whose end the shadow WAL no longer holds can be brought
 * forward by the pages instead of a whole snapshot. One file beside the shadow WAL, an entry for each index, little-endian:
 *
 *     0  u32  number of pages n
 *     4  u32  database size in pages at the end of the index
 *     8  u64  index            16  u64  where its WAL ends
 *    24  u32  salt 1           28  u32  salt 2, of its header
 *    32  u32  s0               36  u32  s1, the chain's sum at its end
 *    40  n * u32  page numbers, ascending
 *        u32  CRC-32C of all that
 *
 * It is a help, never a proof, and so not fsynced: what a crash tears ends the file, and an index without its entry means
 * that nothing before it is known.
 */
import { getSafeUint64, setSafeUint64, viewOf } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import { limits } from "../base/limits.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { asIndex, asOffset, type Index, type Offset } from "../position/position.ts";
import type { Checksum } from "../wal/checksum.ts";
import type { Salt } from "../wal/salt.ts";

const FIXED_BYTES = 40;
const CRC_BYTES = 4;

export interface IndexChange {
  readonly index: Index;
  readonly end: Offset;
  readonly databasePages: number;
  readonly salt: Salt;
  readonly checksum: Checksum;
  readonly pages: Uint32Array;
}

export class IndexChanges {
  readonly #files: FileSystem;
  readonly #path: string;
  #sizeBytes: number | undefined;

  constructor(files: FileSystem, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** Of the index behind the last one. What changes all of the database is no help, nor is what came before it. */
  append(change: IndexChange): void {
    const { pages, databasePages } = change;
    this.#sizeBytes ??= this.#read().validBytes;
    const bytes = formatChange(change);
    const isTooMuch = pages.length > limits.resyncPagesAlways && pages.length >= databasePages;
    if (isTooMuch || this.#sizeBytes + bytes.length > limits.indexChangesMaxBytes) this.#sizeBytes = 0;
    const file = this.#files.open(this.#path, "create");
    try {
      file.truncate(this.#sizeBytes);
      if (isTooMuch) return;
      file.writeAt(bytes, this.#sizeBytes);
      this.#sizeBytes += bytes.length;
    } finally {
      file.close();
    }
  }

  /** The changes of every index from `first` up to the one before `end`; undefined where one is not known. */
  between(first: Index, end: Index): readonly IndexChange[] | undefined {
    const found = new Map<Index, IndexChange>();
    for (const change of this.#read().changes) found.set(change.index, change); // Of two for one index the later counts.
    const wanted: IndexChange[] = [];
    for (let index: number = first; index < end; index++) {
      const change = found.get(asIndex(index));
      if (change === undefined) return undefined;
      wanted.push(change);
    }
    return wanted;
  }

  #read(): { readonly changes: readonly IndexChange[]; readonly validBytes: number } {
    if (this.#files.status(this.#path) === undefined) return { changes: [], validBytes: 0 };
    const file = this.#files.open(this.#path, "read");
    try {
      const bytes = new Uint8Array(file.size());
      const got = file.readAt(bytes, 0);
      return parseChanges(bytes.subarray(0, got));
    } finally {
      file.close();
    }
  }
}

function formatChange({ index, end, databasePages, salt, checksum, pages }: IndexChange): Uint8Array {
  const bytes = new Uint8Array(FIXED_BYTES + pages.length * 4 + CRC_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, pages.length, true);
  view.setUint32(4, databasePages, true);
  setSafeUint64(view, 8, index);
  setSafeUint64(view, 16, end);
  view.setUint32(24, salt.salt1, true);
  view.setUint32(28, salt.salt2, true);
  view.setUint32(32, checksum.s0, true);
  view.setUint32(36, checksum.s1, true);
  pages.forEach((page, slot) => view.setUint32(FIXED_BYTES + slot * 4, page, true));
  view.setUint32(bytes.length - CRC_BYTES, crc32c(bytes.subarray(0, bytes.length - CRC_BYTES)), true);
  return bytes;
}

function parseChanges(bytes: Uint8Array): { changes: IndexChange[]; validBytes: number } {
  const view = viewOf(bytes);
  const changes: IndexChange[] = [];
  let at = 0;
  while (at + FIXED_BYTES + CRC_BYTES <= bytes.length) {
    const pages = new Uint32Array(Math.min(view.getUint32(at, true), bytes.length / 4));
    const crcAt = at + FIXED_BYTES + pages.length * 4;
    if (crcAt + CRC_BYTES > bytes.length) break;
    if (view.getUint32(crcAt, true) !== crc32c(bytes.subarray(at, crcAt))) break;
    for (let slot = 0; slot < pages.length; slot++) pages[slot] = view.getUint32(at + FIXED_BYTES + slot * 4, true);
    changes.push({
      index: asIndex(getSafeUint64(view, at + 8)),
      end: asOffset(getSafeUint64(view, at + 16)),
      databasePages: view.getUint32(at + 4, true),
      salt: { salt1: view.getUint32(at + 24, true), salt2: view.getUint32(at + 28, true) },
      checksum: { s0: view.getUint32(at + 32, true), s1: view.getUint32(at + 36, true) },
      pages,
    });
    at = crcAt + CRC_BYTES;
  }
  return { changes, validBytes: at };
}
