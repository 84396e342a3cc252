/**
 * Every key of a config, once: the parser reads by this table, and `docs/config.md` is generated from it.
 * A key that is written means what it means in Litestream 0.3; a key that is absent has the default given here.
 */
import { product } from "../base/product.ts";

export type ConfigLevel = "global" | "logging" | "database" | "replica";

/** What the values of each type are once they are read. */
export interface ConfigTypes {
  readonly text: string;
  /** Absolute. */
  readonly path: string;
  /** `system`, or absolute. */
  readonly library: string;
  /** Milliseconds. */
  readonly duration: number;
  /** Bytes. */
  readonly size: number;
  readonly integer: number;
  readonly boolean: boolean;
  readonly choice: string;
}

/** A `section` is a map of keys of its own level, a `list` a list of such maps. */
export type ConfigType = keyof ConfigTypes | "section" | "list";

export interface ConfigKey {
  readonly key: string;
  readonly levels: readonly ConfigLevel[];
  readonly type: ConfigType;
  readonly default: string;
  readonly meaning: string;
  /** The only values of a `choice`, in lower case. */
  readonly choices?: readonly string[];
  /** Values that Litestream knows, or a later version, but not this one. */
  readonly unsupportedChoices?: readonly string[];
  /** The smallest number: milliseconds, bytes, or as it is. A duration that is not 0 is always at least 1 ms. */
  readonly min?: number;
  /** What the level of the maps in a `section` or `list` is. */
  readonly holds?: ConfigLevel;
}

const MIB = 1 << 20;

export const CONFIG_KEYS = [
  {
    key: "dbs",
    levels: ["global"],
    type: "list",
    holds: "database",
    default: "required",
    meaning: "The databases, at least one.",
  },
  {
    key: "exec",
    levels: ["global"],
    type: "text",
    default: "none",
    meaning: "A program to run beside replication, which ends when the program ends. `--exec` overrides it.",
  },
  {
    key: "sqlite-library",
    levels: ["global"],
    type: "library",
    default: "the built-in SQLite",
    meaning: "`system` or the path of a SQLite library to be used instead.",
  },
  {
    key: "logging",
    levels: ["global"],
    type: "section",
    holds: "logging",
    default: "see `level`, `type`",
    meaning: "How the log is written; it always goes to stderr.",
  },
  {
    key: "level",
    levels: ["logging"],
    type: "choice",
    choices: ["debug", "info", "warn", "warning", "error"],
    default: "`info`",
    meaning: "The least important lines to write: `debug`, `info`, `warn` (or `warning`), `error`.",
  },
  {
    key: "type",
    levels: ["logging"],
    type: "choice",
    choices: ["text", "json"],
    default: "`text`",
    meaning: "The form of a line: `text` or `json`.",
  },
  {
    key: "stderr",
    levels: ["logging"],
    type: "boolean",
    default: "`true`",
    meaning: "Only `true`: stdout is for data.",
  },
  {
    key: "path",
    levels: ["database"],
    type: "path",
    default: "required",
    meaning: "The database file. It may not exist yet.",
  },
  {
    key: "meta-path",
    levels: ["database"],
    type: "path",
    default: `\`.<file>-${product.name}\` beside the database`,
    meaning: "The state folder: local copies of the WAL that are not everywhere yet.",
  },
  {
    key: "replicas",
    levels: ["database"],
    type: "list",
    holds: "replica",
    default: "required",
    meaning: "The replicas of this database, at least one. Each has its own queue.",
  },
  {
    key: "monitor-interval",
    levels: ["global", "database"],
    type: "duration",
    min: 1,
    default: "`1s`",
    meaning: "How often to look for changes when the system does not tell of them.",
  },
  {
    key: "checkpoint-interval",
    levels: ["global", "database"],
    type: "duration",
    default: "`1m`",
    meaning: "A WAL that has not been checkpointed for so long is, however short it is. `0`: never because of age.",
  },
  {
    key: "min-checkpoint-page-count",
    levels: ["global", "database"],
    type: "integer",
    min: 1,
    default: "`700`",
    meaning: "Pages in the WAL from which checkpoints are tried. From 1,000 on every commit of the application would " +
      "run one of its own.",
  },
  {
    key: "max-checkpoint-page-count",
    levels: ["global", "database"],
    type: "integer",
    min: 0,
    default: "`10000`",
    meaning:
      "Pages in the WAL beyond which a checkpoint waits for nothing of ours. `0`: no limit. It never makes the " +
      "application wait.",
  },
  {
    key: "lock-budget",
    levels: ["global", "database"],
    type: "duration",
    min: 1,
    default: "`50ms`",
    meaning: "How long the write lock of the database is meant to be held at most. A longer hold is logged.",
  },
  {
    key: "max-wal-size",
    levels: ["global", "database"],
    type: "size",
    min: MIB,
    default: "`1GiB`",
    meaning: "When the WAL grows beyond this because of us, we let go of it, log why, and catch up afterwards.",
  },
  {
    key: "enable-wal",
    levels: ["global", "database"],
    type: "boolean",
    default: "`false`",
    meaning: "Switches a database to WAL mode that is not in it. The one thing that is ever written into a database.",
  },
  {
    key: "sync-interval",
    levels: ["global", "database", "replica"],
    type: "duration",
    default: "`0` for files",
    meaning: "Least time between two syncs of a replica. `0`: as soon as a commit is seen.",
  },
  {
    key: "name",
    levels: ["replica"],
    type: "text",
    default: "the type",
    meaning: "What the replica is called; no two of one database alike.",
  },
  {
    key: "type",
    levels: ["replica"],
    type: "choice",
    choices: ["file"],
    unsupportedChoices: ["s3", "gcs", "abs", "sftp"],
    default: "`file`, or as `url` says",
    meaning: "The kind of device. This version knows `file`.",
  },
  {
    key: "path",
    levels: ["replica"],
    type: "path",
    default: "this or `url`",
    meaning: "The folder of the replica. No two replicas at the same or nested places.",
  },
  {
    key: "url",
    levels: ["replica"],
    type: "text",
    default: "this or `path`",
    meaning: "The same as `file:///absolute/path`. Nothing in it is percent-decoded.",
  },
  {
    key: "layout",
    levels: ["replica"],
    type: "choice",
    choices: ["raw"],
    unsupportedChoices: ["litestream"],
    default: "`raw`",
    meaning: "How the replica names and encodes its files. This version knows `raw`.",
  },
] as const satisfies readonly ConfigKey[];

type Row = (typeof CONFIG_KEYS)[number];
/** Keys with a value of their own, in whatever level. */
export type ValueKey = Exclude<Row, { type: "section" | "list" }>["key"];
export type ValueOf<K extends ValueKey> = ConfigTypes[Extract<Extract<Row, { key: K }>["type"], keyof ConfigTypes>];

const S3_KEYS = [
  "access-key-id",
  "secret-access-key",
  "region",
  "bucket",
  "endpoint",
  "force-path-style",
  "skip-verify",
];
const OTHER_STORE_KEYS = ["account-name", "account-key", "host", "user", "password", "key-path"];
const SCHEDULE_KEYS = ["retention", "retention-check-interval", "snapshot-interval", "validation-interval"];

/** Keys of Litestream 0.3 that this version would not act on, so it refuses them: a key read and ignored would be a lie. */
export const UNSUPPORTED_KEYS: Readonly<Record<ConfigLevel, readonly string[]>> = {
  global: ["addr", "access-key-id", "secret-access-key", ...SCHEDULE_KEYS],
  logging: [],
  database: [...SCHEDULE_KEYS],
  replica: [...SCHEDULE_KEYS, "age", ...S3_KEYS, ...OTHER_STORE_KEYS],
};

export function findKey(level: ConfigLevel, key: string): ConfigKey | undefined {
  return keysOf(level).find((row) => row.key === key);
}

export function keysOf(level: ConfigLevel): ConfigKey[] {
  const rows: readonly ConfigKey[] = CONFIG_KEYS;
  return rows.filter((row) => row.levels.includes(level));
}

/** The levels at which a key may stand, to help with one that stands elsewhere. */
export function levelsOf(key: string): ConfigLevel[] {
  const rows: readonly ConfigKey[] = CONFIG_KEYS;
  return rows.filter((row) => row.key === key).flatMap((row) => row.levels);
}
