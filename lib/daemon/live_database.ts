/** A database that a daemon replicates, as `verify --against-live` sees it: its pages at a moment, and where that moment is. */
import { ReplicationError } from "../base/errors.ts";
import type { DatabaseConfig } from "../config/config.ts";
import { comparePages, isStillMoment, readLivePages } from "../database/live_pages.ts";
import type { Platform } from "../platform/platform.ts";
import type { Position } from "../position/position.ts";
import type { SqliteDriver } from "../sqlite/driver.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import type { LiveDatabase, LiveMoment } from "../verify/live.ts";
import type { WalIndexHeader } from "../database/wal_index.ts";
import { limits } from "../base/limits.ts";
import { lockHolder } from "../platform/open_files.ts";
import { askDaemon } from "./ask.ts";
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
  const statePath = statePathOf(files, config);
  const pin = async (folder: string, signal: AbortSignal): Promise<LiveMoment> => {
    const valuesPath = `${folder}/live.values`;
    const start = clock.monotonicMs();
    const isInTime = () => clock.monotonicMs() - start < PATIENCE_MS && !signal.aborted;
    let why = "no daemon captures it";
    // Where nobody captures it, SQLite's files beside it may be missing, too.
    const isFollowed = !await isLeftAlone(platform, statePath, signal);
    while (isFollowed && isInTime()) {
      const pages = await readLivePages(platform, driver, real, valuesPath);
      const position = await locateLive(platform, statePath, real, pages.moment, signal);
      if (position === "nobody") break;
      why = position === undefined ? "the daemon has not captured it" : "the replica did not get there";
      while (position !== undefined && isInTime()) {
        if (await isHeld(store, position)) {
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
      await clock.sleep(LOOK_AGAIN_MS, signal); // The moment is over, and can no longer be told: another one.
    }
    if (files.linkStatus(valuesPath) !== undefined) files.remove(valuesPath);
    if (signal.aborted) {
      throw new ReplicationError("cancelled", `Cannot compare with ${config.path}: it was interrupted`);
    }
    const within = why.startsWith("no daemon") ? "" : ` within ${PATIENCE_MS / 1_000} s`;
    throw new ReplicationError("unavailable", `Cannot compare with ${config.path}: ${why}${within}`);
  };
  return { pin };
}

async function isLeftAlone(platform: Platform, statePath: string, signal: AbortSignal): Promise<boolean> {
  const asked = await askDaemon(platform, statePath, limits.daemonAnswerMs, signal);
  return asked.kind === "none" && lockHolder(`${statePath}/lock`) === undefined;
}

/**
 * Where a moment of the database is in what the daemon captured; `nobody` when no process captures it. Only what a process
 * says that follows the database after that moment counts: the state beside it may be of another life.
 */
async function locateLive(
  platform: Platform,
  statePath: string,
  real: string,
  moment: WalIndexHeader,
  signal: AbortSignal,
): Promise<Position | "nobody" | undefined> {
  const { files } = platform;
  const asked = await askDaemon(platform, statePath, limits.daemonAnswerMs, signal);
  if (asked.kind === "none" && lockHolder(`${statePath}/lock`) === undefined) return "nobody";
  const captured = asked.kind === "answer" ? asked.answer.captured : undefined;
  if (captured === undefined || isStillMoment(files, real, moment)) return captured;
  // An empty WAL does not tell which moment it was.
  return moment.mxFrame === 0 ? undefined : locate(files, statePath, captured.generation, moment);
}
