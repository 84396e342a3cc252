import type { LogLevel } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import type { ListenAddress } from "../platform/http_server.ts";
import type { CronSchedule } from "../schedule/cron.ts";
import type { Check } from "../verify/check.ts";
import type { Rung } from "../verify/report.ts";
import type { Layout } from "../position/object_names.ts";

/** A config, read and checked: paths absolute, defaults filled in, nothing left to decide. */
export interface Config {
  readonly databases: readonly DatabaseConfig[];
  readonly logging: LoggingConfig;
  /** The command line of the child that replication runs beside. */
  readonly exec?: string;
  /** Where the daemon serves metrics and health; absent: nowhere. */
  readonly monitoring?: ListenAddress;
  /** Names of this host by which it may be asked there. */
  readonly monitoringNames?: readonly string[];
  /** How long a stop goes on trying without any gain; 0: one try. */
  readonly shutdownTimeoutMs: number;
  /** `system` or a path; absent means the built-in SQLite. */
  readonly sqliteLibrary?: string;
  /** The file it came from, for messages. */
  readonly source: string;
  /** What was taken otherwise than it stands, each a sentence. */
  readonly warnings: readonly string[];
}

export interface LoggingConfig {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

export interface DatabaseConfig {
  /** Absolute. */
  readonly path: string;
  /** Absolute: `tailrace` inside `meta-path`, else `.<file>-tailrace` beside the database. */
  readonly statePath: string;
  readonly monitorIntervalMs: number;
  /** For so long a database may be waited for before that is trouble; 0: for ever. */
  readonly absentAfterMs: number;
  /** 0: no checkpoint because of age. */
  readonly checkpointIntervalMs: number;
  readonly minCheckpointPages: number;
  /** `Number.MAX_SAFE_INTEGER` when the config says 0: no limit. */
  readonly maxCheckpointPages: number;
  readonly lockBudgetMs: number;
  readonly maxWalSizeBytes: number;
  /** What the state folder may hold at most. */
  readonly maxStateSizeBytes: number;
  /** How long one look at the whole database file takes; 0: it is not looked at. */
  readonly scrubIntervalMs: number;
  readonly enableWal: boolean;
  readonly verify: VerifyConfig;
  /** At least one; names differ. */
  readonly replicas: readonly ReplicaConfig[];
}

/** What is absent is as the command line says, or its default. */
export interface VerifyConfig {
  /** When a daemon verifies; absent: never. */
  readonly schedule?: CronSchedule;
  /** How often a daemon verifies; never beside `schedule`. */
  readonly intervalMs?: number;
  readonly level?: Rung;
  readonly sample?: number;
  readonly maxAgeMs?: number;
  /** How old the newest proof may be before `status` calls the database not safe; 0: however old. */
  readonly provenWithinMs?: number;
  /** The address, or `@` and the file that holds it. */
  readonly pingUrl?: Secret;
  readonly checks: readonly Check[];
}

export interface ReplicaConfig {
  readonly type: "file";
  /** The type when none is set. */
  readonly name: string;
  /** Absolute root of the replica. */
  readonly path: string;
  /** `file:///...`, for messages; holds no secret. */
  readonly url: string;
  /** 0: as soon as a commit is seen. Undefined: as the layout of the replica has it. */
  readonly syncIntervalMs: number | undefined;
  /** As it is written: what the destination must have then. Undefined: whatever it has. */
  readonly layout: Layout | undefined;
  /** What a destination gets that holds nothing yet; `layoutOf()` decides for one that does. */
  readonly defaultLayout: Layout;
  /** 0: nothing is ever deleted. */
  readonly retentionMs: number;
  /** How often; never more than `retentionMs`, unless that is 0. */
  readonly retentionCheckIntervalMs: number;
  /** Between two looks at what the replica holds, while nothing is written. */
  readonly checkIntervalMs: number;
  /** 0: no snapshots but those that a generation or retention needs. */
  readonly snapshotIntervalMs: number;
  /** Present: nothing is written unencrypted. */
  readonly age?: AgeConfig;
}

/** Each key alone, in the form that age writes it. */
export interface AgeConfig {
  /** For reading; not needed by whoever only replicates. */
  readonly identities: readonly Secret[];
  /** For writing: at least one where a replica is written. */
  readonly recipients: readonly string[];
}
