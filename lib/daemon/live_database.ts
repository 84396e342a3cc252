/** A database that a daemon replicates, as `verify --against-live` sees it: its pages at a moment, and where that moment is. */
import { ReplicationError } from "../base/errors.ts";
import type { DatabaseConfig } from "../config/config.ts";
import { comparePages, readLivePages } from "../database/live_pages.ts";
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
  return {
    pin: async (folder, signal): Promise<LiveMoment> => {
      const real = files.realPath(config.path);
      const valuesPath = `${folder}/live.values`;
      const pages = await readLivePages(platform, driver, real, valuesPath);
      const start = clock.monotonicMs();
      let position: Position | undefined;
      while (clock.monotonicMs() - start < PATIENCE_MS && !signal.aborted) {
        position ??= locate(files, statePathOf(files, config), pages.moment);
        if (position !== undefined && await isHeld(store, position)) {
          return {
            position,
            differences: async (path) => await comparePages(platform, pages, valuesPath, path),
            forget: () => files.remove(valuesPath),
          };
        }
        await clock.sleep(LOOK_AGAIN_MS, signal);
      }
      files.remove(valuesPath);
      throw new ReplicationError(
        "unavailable",
        `Cannot compare with ${config.path}: ${
          position === undefined ? "no daemon captures it" : "the replica did not get there"
        } within ${PATIENCE_MS / 1_000} s`,
      );
    },
  };
}
