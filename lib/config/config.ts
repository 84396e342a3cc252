import type { LogLevel } from "../base/log.ts";

/** A config, read and checked: paths absolute, defaults filled in, nothing left to decide. */
export interface Config {
  readonly databases: readonly DatabaseConfig[];
  readonly logging: LoggingConfig;
  /** The command line of the child that replication runs beside. */
  readonly exec?: string;
  /** `system` or a path; absent means the built-in SQLite. */
  readonly sqliteLibrary?: string;
  /** The file it came from, for messages. */
  readonly source: string;
}

export interface LoggingConfig {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

export interface DatabaseConfig {
  /** Absolute. */
  readonly path: string;
  /** Absolute: `meta-path`, else `.<file>-tailrace` beside the database. */
  readonly statePath: string;
  readonly monitorIntervalMs: number;
  /** 0: no checkpoint because of age. */
  readonly checkpointIntervalMs: number;
  readonly minCheckpointPages: number;
  /** `Number.MAX_SAFE_INTEGER` when the config says 0: no limit. */
  readonly maxCheckpointPages: number;
  readonly lockBudgetMs: number;
  readonly maxWalSizeBytes: number;
  readonly enableWal: boolean;
  /** At least one; names differ. */
  readonly replicas: readonly ReplicaConfig[];
}

export interface ReplicaConfig {
  readonly type: "file";
  /** The type when none is set. */
  readonly name: string;
  /** Absolute root of the replica. */
  readonly path: string;
  /** `file:///...`, for messages; holds no secret. */
  readonly url: string;
  /** 0: as soon as a commit is seen. */
  readonly syncIntervalMs: number;
  /** 0: nothing is ever removed. */
  readonly retentionMs: number;
  readonly retentionCheckIntervalMs: number;
  /** 0: no snapshot because of age. */
  readonly snapshotIntervalMs: number;
  readonly layout: "raw";
}
