/** A database of the config, as `verify` compares its time with that of a replica. Opens no SQLite connection. */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { DatabaseConfig, ReplicaConfig } from "../config/config.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import { ImageSum } from "../verify/image_sum.ts";
import type { HeardOfReplica, SourceLook } from "../verify/staleness.ts";
import { isPageSize } from "../wal/header.ts";
import { askDaemon } from "./ask.ts";
import { changedAtMs } from "./last_change.ts";
import { realPathOf, statePathOf } from "./status.ts";

export function sourceLook(platform: Platform, database: DatabaseConfig, replica: ReplicaConfig): SourceLook {
  const { clock, files } = platform;
  const changed = () => changedAtMs(files, realPathOf(files, database.path));
  return {
    changedAtMs: changed,
    heard: () => heardOf(platform, statePathOf(files, database), replica.url),
    checksum: async (databasePages) => {
      const path = realPathOf(files, database.path);
      const before = changed();
      if (!isFileAlone(files, path)) return undefined;
      const sum = await checksumOf(files, path, databasePages, () => clock.yield());
      return isFileAlone(files, path) && changed() === before ? sum : undefined;
    },
    syncIntervalMs: replica.syncIntervalMs ?? limits.objectSyncIntervalMs,
  };
}

/** Undefined when nobody answers, or this user may not ask. */
async function heardOf(platform: Platform, statePath: string, url: string): Promise<HeardOfReplica | undefined> {
  try {
    const asked = await askDaemon(platform, statePath, limits.daemonAnswerMs);
    if (asked.kind !== "answer" || asked.answer.captured === undefined) return undefined;
    return asked.answer.replicas.find((replica) => replica.url === url);
  } catch (error) {
    if (error instanceof ReplicationError) return undefined;
    throw error;
  }
}

/** Nothing that belongs to the database stands beside its file. */
function isFileAlone(files: FileSystem, path: string): boolean {
  return ["-wal", "-journal"].every((suffix) => (files.status(path + suffix)?.size ?? 0) === 0);
}

async function checksumOf(
  files: FileSystem,
  path: string,
  databasePages: number,
  turn: () => Promise<void>,
): Promise<Uint8Array | undefined> {
  const handle = files.open(path, "read");
  try {
    const size = handle.size();
    const pageSize = size / databasePages;
    if (databasePages === 0 || !isPageSize(pageSize)) return undefined;
    const sum = new ImageSum(databasePages, pageSize, new Map());
    const buffer = new Uint8Array(limits.transferBytes);
    for (let at = 0; at < size; at += buffer.length) {
      const bytes = buffer.subarray(0, handle.readAt(buffer, at));
      if (bytes.length < Math.min(buffer.length, size - at)) return undefined; // It became smaller.
      sum.add(at / pageSize + 1, bytes);
      await turn();
    }
    return sum.bytes();
  } finally {
    handle.close();
  }
}
