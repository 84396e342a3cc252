/**
 * Every key of a config, once: the parser reads by this table, and `docs/config.md` is generated from it.
 * A key that is written means what it means in Litestream 0.3; a key that is absent has the default given here.
 */
import type { CronSchedule } from "../schedule/cron.ts";
import { RUNGS } from "../verify/report.ts";
import { limits } from "../base/limits.ts";
import { product } from "../base/product.ts";
import type { Secret } from "../base/secret.ts";
import type { ListenAddress } from "../platform/http_server.ts";

export type ConfigLevel = "global" | "logging" | "database" | "replica" | "snapshot" | "age" | "verify" | "check";

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
  /** A web address, or `@` and the file that holds it. */
  readonly ping: Secret;
  readonly schedule: CronSchedule;
  readonly address: ListenAddress;
  /** Of hosts. */
  readonly names: readonly string[];
  readonly integer: number;
  readonly number: number;
  readonly change: { readonly amount: number; readonly isPart: boolean };
  readonly boolean: boolean;
  readonly choice: string;
  /** The folder that a replica's URL names. */
  readonly url: string;
  /** Public keys of age, one each. */
  readonly recipients: readonly string[];
  /** Secret keys of age, one each. */
  readonly identities: readonly Secret[];
}

/** A `section` or `replica` is a map of keys of its own level, a `list` a list of such maps. */
export type ConfigType = keyof ConfigTypes | "section" | "list" | "replica";

export interface ConfigKey {
  readonly key: string;
  readonly levels: readonly ConfigLevel[];
  readonly type: ConfigType;
  readonly default: string;
  readonly meaning: string;
  /** The only values of a `choice`, in lower case. */
  readonly choices?: readonly string[];
  /** Values that Litestream knows, but not this version; `problem` is said of them. */
  readonly unsupported?: { readonly choices: readonly string[]; readonly problem: string };
  /** The smallest number: milliseconds, bytes, or as it is. A duration that is not 0 is always at least 1 ms. */
  readonly min?: number;
  /** The longest duration; where it is absent, one that a timer can count. */
  readonly maxMs?: number;
  /** Whether an empty text, or nothing, says what an absent key says, as in Litestream. */
  readonly mayBeEmpty?: boolean;
  /** Whether 0, which is less than `min`, says that the key is off. */
  readonly mayBeZero?: boolean;
  /** What to write where Litestream 0.5 has a map; completes "it must be ...". */
  readonly insteadOfMap?: string;
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
    mayBeEmpty: true,
    default: "none",
    meaning: "A program to run beside replication, which ends when the program ends. `--exec` overrides it.",
  },
  {
    key: "addr",
    levels: ["global"],
    type: "address",
    mayBeEmpty: true,
    default: "none",
    meaning:
      "Where the daemon serves `/metrics` and `/health`, as `127.0.0.1:9090`; `:9090` is every address of the host.",
  },
  {
    key: "addr-names",
    levels: ["global"],
    type: "names",
    mayBeEmpty: true,
    default: "none",
    meaning: "Names of this host, with a space between two, by which others may ask at `addr` besides its addresses " +
      "(`docs/monitoring.md`).",
  },
  {
    key: "shutdown-timeout",
    levels: ["global"],
    type: "duration",
    default: "`30s`",
    meaning:
      "How long a daemon that is stopped goes on trying to finish its replicas without getting anywhere, as when a " +
      "disk is full. What moves is not cut off. `0`: one try. `--shutdown-timeout` overrides it.",
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
    meaning: "Where the state folder is: local copies of the WAL that are not everywhere yet. What is written is a " +
      `folder for it, which may be Litestream's as well: ours is \`${product.name}\` inside.`,
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
    key: "replica",
    levels: ["database"],
    type: "replica",
    holds: "replica",
    default: "this or `replicas`",
    meaning: "The only replica, as Litestream 0.5 writes it.",
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
    key: "absent-after",
    levels: ["global", "database"],
    type: "duration",
    maxMs: limits.periodMaxMs,
    default: "`5m`",
    meaning:
      "A database that does not exist or is empty is waited for; after so long that is trouble, for `/health`, the metrics " +
      "and `status`. `0`: never.",
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
    meaning:
      "When the WAL grows beyond this because of us, we let go of it, log why, and catch up. What is large stays so (`journal_size_limit`).",
  },
  {
    key: "max-state-size",
    levels: ["global", "database"],
    type: "size",
    min: MIB,
    default: "`4GiB`",
    meaning:
      "When the state folder would grow beyond this because of a replica that lags, that replica no longer holds " +
      "the WAL it misses there; it gets a snapshot when it is back.",
  },
  {
    key: "scrub-interval",
    levels: ["global", "database"],
    type: "duration",
    maxMs: limits.periodMaxMs,
    default: "`24h`",
    meaning:
      "In this time the whole database file is read once, slowly, and compared with what was captured. `0`: never.",
  },
  {
    key: "verify",
    levels: ["global", "database"],
    type: "section",
    holds: "verify",
    default: "see its keys",
    meaning:
      "What `verify` does where its command line does not say. A key of the database wins over one of the top level.",
  },
  {
    key: "validation-interval",
    levels: ["global", "database", "replica"],
    type: "duration",
    min: 60_000,
    mayBeZero: true,
    maxMs: limits.periodMaxMs,
    default: "`0`",
    meaning:
      "How often `replicate` verifies by itself, as Litestream writes it; of several replicas of a database the " +
      "shortest. `0`: not by interval. `schedule` of `verify` says at what time.",
  },
  {
    key: "schedule",
    levels: ["verify"],
    type: "schedule",
    default: "never",
    meaning:
      "When `replicate` verifies by itself, as in a crontab and in local time: `0 3 * * *`. In a process of its own, one " +
      "database at a time.",
  },
  {
    key: "level",
    levels: ["verify"],
    type: "choice",
    choices: [...RUNGS, "full"],
    default: "`full`",
    meaning: "How far to go: `reach`, `chain`, `intact`, `restore`, `equal`, `structure`, `checks`, or `full`.",
  },
  {
    key: "sample",
    levels: ["verify"],
    type: "integer",
    default: "`0`",
    meaning: "How many past points are restored as well, chosen by chance.",
  },
  {
    key: "max-age",
    levels: ["verify"],
    type: "duration",
    maxMs: limits.periodMaxMs,
    default: "`5m`",
    meaning: "How far the newest state may be behind the database before `verify` says that it is stale.",
  },
  {
    key: "proven-within",
    levels: ["verify"],
    type: "duration",
    maxMs: limits.periodMaxMs,
    default: "`48h`",
    meaning:
      "How old the newest proof of a replica may be before `status` says that the database is not safe. `0`: any " +
      "proof will do.",
  },
  {
    key: "ping-url",
    levels: ["verify"],
    type: "ping",
    mayBeEmpty: true,
    default: "none",
    meaning: "A monitoring service that is told of each run, as by `--ping`; `@FILE` holds the address.",
  },
  {
    key: "checks",
    levels: ["verify"],
    type: "list",
    holds: "check",
    default: "none",
    meaning: "What must be true of the restored database.",
  },
  {
    key: "name",
    levels: ["check"],
    type: "text",
    default: "required",
    meaning: "What the check is called; no two of one database alike.",
  },
  {
    key: "query",
    levels: ["check"],
    type: "text",
    default: "required",
    meaning: "Its answer is the first column of the first row. It runs in a process of its own, and only reads.",
  },
  {
    key: "equals",
    levels: ["check"],
    type: "text",
    default: "none",
    meaning: "The answer, as a text.",
  },
  {
    key: "min",
    levels: ["check"],
    type: "number",
    default: "none",
    meaning: "The least number that the answer may be.",
  },
  {
    key: "max",
    levels: ["check"],
    type: "number",
    default: "none",
    meaning: "The greatest number that the answer may be.",
  },
  {
    key: "max-change",
    levels: ["check"],
    type: "change",
    default: "none",
    meaning: "How far the answer may be from that of the last proof: `500`, or `10%` of it.",
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
    default: "`0` in the layout `raw`, `1s` in `litestream`",
    meaning: "Least time between two syncs of a replica. `0`: as soon as a commit is seen.",
  },
  {
    key: "retention",
    levels: ["global", "database", "replica", "snapshot"],
    type: "duration",
    insteadOfMap: 'a duration such as 24h; "retention: 0" is what Litestream 0.5 calls "enabled: false"',
    maxMs: limits.periodMaxMs,
    default: "`24h`",
    meaning: "For so long every moment can be restored; what only older moments need is deleted, and a snapshot made " +
      "where none is younger. `0`: nothing is ever deleted.",
  },
  {
    key: "retention-check-interval",
    levels: ["global", "database", "replica"],
    type: "duration",
    min: 1,
    maxMs: limits.periodMaxMs,
    default: "`1h`",
    meaning: "How often retention is looked at, at least once in `retention`.",
  },
  {
    key: "replica-check-interval",
    levels: ["global", "database", "replica"],
    type: "duration",
    min: 1,
    default: "`5m`",
    meaning:
      "How often the daemon looks whether a replica holds what was written to it and leads to its end, and mends " +
      "it if not. Each look costs four listings.",
  },
  {
    key: "snapshot-interval",
    levels: ["global", "database", "replica"],
    type: "duration",
    maxMs: limits.periodMaxMs,
    default: "`0`",
    meaning: "How often a snapshot is made besides: a restore has less WAL to replay. `0`: only where a generation " +
      "begins or retention needs one.",
  },
  {
    key: "snapshot",
    levels: ["global", "database"],
    type: "section",
    holds: "snapshot",
    default: "see its keys",
    meaning: "`snapshot-interval` and `retention` of the same level, as Litestream 0.5 writes them.",
  },
  {
    key: "interval",
    levels: ["snapshot"],
    type: "duration",
    maxMs: limits.periodMaxMs,
    default: "as `snapshot-interval`",
    meaning: "The same as `snapshot-interval` beside it.",
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
    unsupported: {
      choices: ["s3", "gcs", "abs", "sftp"],
      problem:
        "of a replica is not supported by this version, only file replicas are (remove this replica, or give it " +
        'the "path" of a folder)',
    },
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
    type: "url",
    default: "this or `path`",
    meaning: "The same as `file:///absolute/path`. Nothing in it is percent-decoded.",
  },
  {
    key: "layout",
    levels: ["replica"],
    type: "choice",
    choices: ["raw", "litestream"],
    default: "what it has",
    meaning:
      "How the replica names and encodes its files: `raw`, plain copies, or `litestream`, compressed and named as " +
      "Litestream 0.3 does. Without it an empty place gets `litestream` in a config of Litestream's and with `age`, else " +
      "`raw`.",
  },
  {
    key: "age",
    levels: ["replica"],
    type: "section",
    holds: "age",
    default: "none",
    meaning:
      "Encrypts the replica with age, after compression, as Litestream 0.3 does; the layout is then `litestream`.",
  },
  {
    key: "recipients",
    levels: ["age"],
    type: "recipients",
    default: "none",
    meaning: "Public keys, `age1...`: who can read the replica. `replicate` needs at least one.",
  },
  {
    key: "identities",
    levels: ["age"],
    type: "identities",
    default: "none",
    meaning:
      "Secret keys, `AGE-SECRET-KEY-1...`: needed by `restore` and lists, not by `replicate`. Better a variable: " +
      "`[$AGE_IDENTITY]`.",
  },
] as const satisfies readonly ConfigKey[];

type Row = (typeof CONFIG_KEYS)[number];
/** Keys with a value of their own, in whatever level. */
export type ValueKey = Exclude<Row, { type: "section" | "list" | "replica" }>["key"];
export type ValueOf<K extends ValueKey> = ConfigTypes[Extract<Extract<Row, { key: K }>["type"], keyof ConfigTypes>];

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
