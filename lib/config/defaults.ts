import { limits } from "../base/limits.ts";
import { basename, dirname, join } from "../base/path.ts";
import { product } from "../base/product.ts";
import type { DatabaseConfig, LoggingConfig, ReplicaConfig } from "./config.ts";

/** What holds for keys that are absent; `keys.ts` says the same in words, and a test compares the two. */
export const defaults = {
  monitorIntervalMs: 1_000,
  absentAfterMs: limits.absentAfterMs,
  checkpointIntervalMs: limits.checkpointIntervalMs,
  minCheckpointPages: limits.minCheckpointPages,
  maxCheckpointPages: limits.maxCheckpointPages,
  lockBudgetMs: limits.lockBudgetMs,
  maxWalSizeBytes: 1 << 30,
  maxStateSizeBytes: 4 * 2 ** 30,
  scrubIntervalMs: 24 * 3_600_000,
  enableWal: false,
  verify: { checks: [] },
} as const satisfies Omit<DatabaseConfig, "path" | "statePath" | "replicas">;

const HOUR_MS = 3_600_000;

/** Of a replica that is given without a config of Litestream's and without keys of age. */
export const replicaDefaults = {
  syncIntervalMs: undefined,
  layout: undefined,
  defaultLayout: "raw",
  retentionMs: 24 * HOUR_MS,
  retentionCheckIntervalMs: HOUR_MS,
  checkIntervalMs: limits.replicaCheckMs,
  snapshotIntervalMs: 0,
} as const satisfies Omit<ReplicaConfig, "type" | "name" | "path" | "url">;

export const defaultLogging: LoggingConfig = { level: "info", format: "text" };

export function defaultStatePath(databasePath: string): string {
  return join(dirname(databasePath), `.${basename(databasePath)}-${product.name}`);
}

/** A folder of our own in it: Litestream's state may be there too, under names that we use as well. */
export function statePathInside(metaPath: string): string {
  return join(metaPath, product.name);
}
