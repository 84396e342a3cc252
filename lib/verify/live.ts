/** The live database, where it is at hand: pinned at one moment that the replica holds too. */
import { limits } from "../base/limits.ts";
import { viewOf } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import { pageHasher } from "../pages/page_hasher.ts";
import { formatPosition, type Position } from "../position/position.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import { COMMIT_SIZE_AT, frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { WAL_HEADER_SIZE } from "../wal/header.ts";

export interface LiveDatabase {
  /**
   * Reads the database once, without holding up its writers, and waits until the replica holds that moment. Throws
   * `unavailable` when it does not get there. What it writes into the folder goes by `forget`.
   */
  pin(folder: string, signal: AbortSignal): Promise<LiveMoment>;
}

export interface LiveMoment {
  readonly position: Position;
  readonly pageSize: number;
  /** Pages of a restored database, with what was changed after it, that are not those of the live one: some, and how many. */
  differences(path: string, later: LaterPages): Promise<{ readonly pages: readonly number[]; readonly count: number }>;
  forget(): void;
}

/** What WAL changes after a point: the values of pages, and the size of the database. */
export interface LaterPages {
  readonly values: ReadonlyMap<number, readonly [low: number, high: number]>;
  /** Undefined when nothing is committed there. */
  readonly databasePages: number | undefined;
}

/**
 * What the replica's WAL of the position's index changes from an offset on, added to `values`. A replica has points where captures ended, and an
 * application commits oftener: the moment may stand behind the last point.
 */
export async function readLaterPages(
  store: GenerationStore,
  { generation, index, offset }: Position,
  fromOffset: number,
  pageSize: number,
  values: Map<number, readonly [number, number]> = new Map(),
): Promise<LaterPages> {
  let databasePages: number | undefined;
  const size = frameSize(pageSize);
  const framesAtOnce = Math.max(1, Math.floor(limits.transferBytes / size));
  const buffer = new Uint8Array(framesAtOnce * size);
  const words = new Uint32Array(framesAtOnce * 2);
  const start = Math.max(fromOffset, WAL_HEADER_SIZE);
  if (offset > start && (offset - start) % size !== 0) {
    const expected = `(expected frames with pages of ${pageSize} bytes)`;
    throw new ReplicationError(
      "corrupt",
      `Cannot read ${
        formatPosition({ generation, index, offset })
      } from ${store.description}: no frame ends there ${expected}`,
    );
  }
  for (let at = start; at < offset;) {
    const frames = buffer.subarray(0, Math.min(buffer.length, offset - at));
    if (await store.readWal(generation, index, at, frames) < frames.length) {
      throw new ReplicationError(
        "gap",
        `Cannot read ${
          formatPosition({ generation, index, offset })
        } from ${store.description}: its WAL ends before that`,
      );
    }
    pageHasher().hashFrames(frames, pageSize, words);
    const view = viewOf(frames);
    for (let frame = 0; frame * size < frames.length; frame++) {
      const page = view.getUint32(frame * size + PAGE_NUMBER_AT);
      values.set(page, [words[2 * frame] ?? 0, words[2 * frame + 1] ?? 0]);
      const committed = view.getUint32(frame * size + COMMIT_SIZE_AT);
      if (committed > 0) databasePages = committed;
    }
    at += frames.length;
  }
  return { values, databasePages };
}
