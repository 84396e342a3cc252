import { ShadowWal } from "../../lib/database/shadow_wal.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { frameSize } from "../../lib/wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { scanFrames } from "../../lib/wal/scanner.ts";
import { assert } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { WalBuilder } from "../support/wal_builder.ts";

export const GENERATION = "0123456789abcdef" as Generation;
export const PAGE_SIZE = 512;
export const FRAME = frameSize(PAGE_SIZE);

/** A shadow WAL in a folder of its own, and lives for it. */
export class ShadowStage {
  readonly files: FileSystem = unsyncedFiles();
  readonly folder: string;
  #lives = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static with(work: (stage: ShadowStage) => Promise<void> | void): Promise<void> {
    return withTemporaryFolder((folder) => work(new ShadowStage(folder)));
  }

  create(): ShadowWal {
    return ShadowWal.create(this.files, this.folder, GENERATION);
  }

  open(nowMs = 9_000): ShadowWal {
    return ShadowWal.open(this.files, this.folder, GENERATION, nowMs);
  }

  path(name: string): string {
    return `${this.folder}/${GENERATION}/${name}`;
  }

  /** The bytes of a life with transactions of so many pages each. */
  life(...transactions: readonly number[]): Uint8Array<ArrayBuffer> {
    const salt1 = 100 + this.#lives++;
    const wal = new WalBuilder({ pageSize: PAGE_SIZE, salt: { salt1, salt2: salt1 * 7 } });
    for (const [slot, pages] of transactions.entries()) {
      wal.commit(50, ...Array.from({ length: pages }, (_, page) => [page + 1, salt1 + slot] as const));
    }
    return wal.bytes();
  }
}

/** Captures the WAL into the shadow WAL up to so many frames, as the capture does. */
export function capture(shadow: ShadowWal, wal: Uint8Array, frames: number, nowMs: number, late = false): void {
  const parsed = parseWalHeader(wal);
  assert(parsed.ok);
  if (shadow.life === undefined) shadow.begin(parsed.header, wal);
  const from = shadow.life?.frames ?? 0;
  const bytes = wal.subarray(WAL_HEADER_SIZE + from * FRAME, WAL_HEADER_SIZE + frames * FRAME);
  const scan = scanFrames(bytes, parsed.header, shadow.life?.checksum ?? parsed.header.checksum);
  assert(scan.committedFrames === frames - from);
  shadow.writeFrames(from, bytes);
  shadow.publish({ frames, checksum: scan.checksum, databasePages: scan.databasePages }, nowMs, late);
}

export function offsetOf(frames: number): number {
  return WAL_HEADER_SIZE + frames * FRAME;
}
