/** A database that a daemon replicates, as `verify --against-live` sees it: its pages at a moment, and where that moment is. */
import { ReplicationError } from "../base/errors.ts";
import type { DatabaseConfig } from "../config/config.ts";
import { comparePages, isStillMoment, readLivePages } from "../database/live_pages.ts";
import type { Platform } from "../platform/platform.ts";
import type { Position } from "../position/position.ts";
import type { SqliteDriver } from "../sqlite/driver.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import type { LiveDatabase, LiveMoment } from "../verify/live.ts";
import { isHeld, locate } from "./await_daemon.ts";
import { statePathOf } from "./status.ts";

const PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 50;

export function liveDatabase(
  platform: Platform,
  driver: SqliteDriver,
  config: DatabaseConfig,
  store: GenerationStore,
): LiveDatabase {
  const { clock, files } = platform;
  const real = files.realPath(config.path);
  const pin = async (folder: string, signal: AbortSignal): Promise<LiveMoment> => {
    const valuesPath = `${folder}/live.values`;
    const pages = await readLivePages(platform, driver, real, valuesPath);
    const start = clock.monotonicMs();
    let position: Position | undefined;
    while (clock.monotonicMs() - start < PATIENCE_MS && !signal.aborted) {
      if (position === undefined) {
        position = locate(files, statePathOf(files, config), pages.moment);
        // Of an empty WAL that is the end of what is captured: that moment, as long as nothing else was committed.
        const isEmpty = pages.moment.mxFrame === 0;
        if (position !== undefined && isEmpty && !isStillMoment(files, real, pages.moment)) {
          return await pin(folder, signal);
        }
      }
      if (position !== undefined && await isHeld(store, position)) {
        return {
          position,
          pageSize: pages.pageSize,
          differences: (path, later) => comparePages(platform, pages, valuesPath, path, later),
          forget: () => files.remove(valuesPath),
        };
      }
      await clock.sleep(LOOK_AGAIN_MS, signal);
    }
    files.remove(valuesPath);
    if (signal.aborted) {
      throw new ReplicationError("cancelled", `Cannot compare with ${config.path}: it was interrupted`);
    }
    const why = position === undefined ? "no daemon captures it" : "the replica did not get there";
    const seconds = PATIENCE_MS / 1_000;
    throw new ReplicationError("unavailable", `Cannot compare with ${config.path}: ${why} within ${seconds} s`);
  };
  return { pin };
}
