import { asIndex, type Index } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { SnapshotImage } from "../../lib/store/generation_store.ts";

/** An image that is all there from the beginning: a state by itself, at the record's offset in that index. */
export function aWholeImage(bytes: Uint8Array, index: number | Index, record: CommitRecord): SnapshotImage {
  const written = { index: asIndex(index), stateIndex: asIndex(index), record, sizeBytes: bytes.length };
  return {
    writeTo: async (target) => {
      await target.writeAt(bytes, 0);
      return written;
    },
    stream: () => {
      let rest = bytes;
      return Promise.resolve({
        index: written.index,
        next: () => {
          const now = rest;
          rest = bytes.subarray(bytes.length);
          return Promise.resolve(now);
        },
        end: () => Promise.resolve(written),
      });
    },
  };
}

/** For snapshots that need no WAL. */
export async function nothingToBring(): Promise<void> {}
