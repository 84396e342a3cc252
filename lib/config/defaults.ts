import { limits } from "../base/limits.ts";
import { basename, dirname, join } from "../base/path.ts";
import { product } from "../base/product.ts";
import type { DatabaseConfig, LoggingConfig, ReplicaConfig } from "./config.ts";

/** What holds for keys that are absent; `keys.ts` says the same in words, and a test compares the two. */
export const defaults = {
  monitorIntervalMs: 1_000,
  checkpointIntervalMs: limits.checkpointIntervalMs,
  minCheckpointPages: limits.minCheckpointPages,
  maxCheckpointPages: limits.maxCheckpointPages,
  lockBudgetMs: limits.lockBudgetMs,
  maxWalSizeBytes: 1 << 30,
  enableWal: false,
} as const satisfies Omit<DatabaseConfig, "path" | "statePath" | "replicas">;

export const defaultSyncIntervalMs = 0;
export const defaultRetention = {
  retentionMs: 24 * 3_600_000,
  retentionCheckIntervalMs: 3_600_000,
  snapshotIntervalMs: 0,
} as const satisfies Partial<ReplicaConfig>;
export const defaultLogging: LoggingConfig = { level: "info", format: "text" };

export function defaultStatePath(databasePath: string): string {
  return join(dirname(databasePath), `.${basename(databasePath)}-${product.name}`);
}
