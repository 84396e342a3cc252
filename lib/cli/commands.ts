import type { Command, Positionals } from "./command.ts";
import {
  AT,
  CONFIG,
  GENERATION,
  JSON_OUTPUT,
  longDuration,
  NO_EXPAND_ENV,
  oneOf,
  REFUSED_STATES,
  REPLICA,
  STATES,
} from "./flags.ts";
import { parseDuration } from "../config/duration.ts";
import { beside, CONFIG_WITH_URL, isUrlGiven, oneOfThese, type Refusal } from "./refusal.ts";
import { verify } from "./verify_command.ts";

const DATABASE_OR_URL: Positionals = { min: 1, max: 1, expected: "one database of the config or one replica URL" };

/** Beyond it more at a time is not faster. */
export const PARALLELISM_MAX = 64;

const replicate: Command = {
  name: "replicate",
  summary: "Stream every committed transaction of SQLite databases to their replicas",
  usage: ["[flags] DB URL [URL...]", "[flags] [--config FILE]"],
  examples: [
    "replicate app.db file:///backup/app",
    "replicate --config config.yml",
    "replicate --once app.db file:///backup/app",
    'replicate --exec "./server --port 8000" app.db file:///backup/app',
  ],
  flags: [
    CONFIG,
    NO_EXPAND_ENV,
    {
      name: "exec",
      value: "CMD",
      meaning:
        "Run this program beside replication; when it ends, a last sync follows, and its exit code is passed on.",
    },
    { name: "once", meaning: "Sync everything and end: 0 only when the replicas hold it." },
    {
      name: "shutdown-timeout",
      value: "TIME",
      meaning: "How long a stop goes on trying when nothing moves (default 30s); 0: one try.",
      check: (value) => (parseDuration(value) ?? -1) >= 0 ? undefined : "a duration such as 30s",
    },
    {
      name: "log-level",
      value: "LEVEL",
      meaning: "debug, info, warn or error (default info).",
      check: oneOf("debug", "info", "warn", "error"),
    },
    {
      name: "log-format",
      value: "FORMAT",
      meaning: "text or json (default text).",
      check: oneOf("text", "json"),
    },
  ],
  positionals: {
    min: 0,
    max: Infinity,
    except: [1],
    expected: "a database with its replica URLs, or neither and a config",
  },
  refusals: [
    ...["config", "no-expand-env"].map((flag): Refusal => ({
      flag,
      when: "with DB and URL",
      met: ({ positionals }) => positionals.length > 0 ? "beside DB and URL" : undefined,
      because: "both name databases (give one of them)",
    })),
    beside("shutdown-timeout", ["once"], "it tries once and has no stop that waits (leave it out)"),
    ...oneOfThese(["once", "exec"], "one ends at once, the other stays (give one of them)"),
  ],
  notes: [
    "One SIGINT, SIGTERM or SIGHUP ends it after a last sync, with 0 when the replicas hold everything; " +
    "a second one, a second later or more, ends it at once.",
  ],
  load: () => import("./replicate.ts"),
};

const restore: Command = {
  name: "restore",
  summary: "Restore a database from its best replica, exactly or not at all",
  usage: ["[flags] DB", "[flags] -o FILE URL"],
  examples: [
    "restore -o copy.db file:///backup/app",
    "restore --config config.yml --at -10m -o copy.db /data/app.db",
    "restore --at 2025-06-01T12:00:00Z -o copy.db file:///backup/app",
    "restore --dry-run /data/app.db",
    "restore --force /data/app.db",
  ],
  flags: [
    {
      name: "output",
      aliases: ["o"],
      value: "FILE",
      meaning: "Where the database is written (default: DB itself; needed with a URL).",
    },
    CONFIG,
    NO_EXPAND_ENV,
    REPLICA,
    GENERATION,
    ...STATES,
    { name: "if-db-not-exists", meaning: "Do nothing, and end with 0, when the database is there already." },
    { name: "if-replica-exists", meaning: "Do nothing, and end with 0, when there is no backup." },
    {
      name: "dry-run",
      meaning:
        "Say what is to be read by names and records alone, and what is in the way; read none of it, and write " +
        "nothing.",
    },
    { name: "force", meaning: "Replace an existing database; it is kept beside the new one under another name." },
    {
      name: "parallelism",
      value: "N",
      meaning: `How many files are read at the same time (default 8, at most ${PARALLELISM_MAX}).`,
      check: (value) => /^-?\d{1,9}$/.test(value) ? undefined : "a whole number",
    },
    JSON_OUTPUT,
  ],
  positionals: DATABASE_OR_URL,
  refusals: [
    ...REFUSED_STATES,
    ...oneOfThese(["force", "if-db-not-exists"], "one replaces an existing database, the other leaves it"),
    ...CONFIG_WITH_URL,
  ],
  refuse: (arguments_) =>
    isUrlGiven(arguments_) && !arguments_.isGiven("output")
      ? "a replica URL without -o: it does not say where to restore to (add -o FILE)"
      : undefined,
  load: () => import("./restore.ts"),
};

const databases: Command = {
  name: "databases",
  summary: "List the databases of the config and their replicas",
  usage: ["[flags]"],
  examples: ["databases", "databases --config config.yml --json"],
  flags: [CONFIG, NO_EXPAND_ENV, JSON_OUTPUT],
  positionals: { min: 0, max: 0, expected: "no argument" },
  load: () => import("./databases.ts"),
};

const generations: Command = {
  name: "generations",
  summary: "List the generations that replicas hold",
  usage: ["[flags] DB", "[flags] URL"],
  examples: ["generations /data/app.db", "generations file:///backup/app"],
  flags: [CONFIG, NO_EXPAND_ENV, REPLICA, JSON_OUTPUT],
  positionals: DATABASE_OR_URL,
  refusals: CONFIG_WITH_URL,
  load: () => import("./generations.ts"),
};

const snapshots: Command = {
  name: "snapshots",
  summary: "List the snapshots that replicas hold",
  usage: ["[flags] DB", "[flags] URL"],
  examples: ["snapshots /data/app.db", "snapshots --json file:///backup/app"],
  flags: [CONFIG, NO_EXPAND_ENV, REPLICA, GENERATION, JSON_OUTPUT],
  positionals: DATABASE_OR_URL,
  refusals: CONFIG_WITH_URL,
  load: () => import("./snapshots.ts"),
};

const wal: Command = {
  name: "wal",
  summary: "List the WAL files that replicas hold",
  usage: ["[flags] DB", "[flags] URL"],
  examples: ["wal /data/app.db", "wal --generation 59c6b84cb3f732e9 file:///backup/app"],
  flags: [
    CONFIG,
    NO_EXPAND_ENV,
    REPLICA,
    GENERATION,
    {
      name: "records",
      meaning: "List the commit records instead: every point, with the checksum of the whole database there.",
    },
    JSON_OUTPUT,
  ],
  positionals: DATABASE_OR_URL,
  refusals: CONFIG_WITH_URL,
  load: () => import("./wal.ts"),
};

const points: Command = {
  name: "points",
  summary: "List what can be restored: ranges of time and position, and the gaps between",
  usage: ["[flags] DB", "[flags] URL"],
  examples: ["points file:///backup/app", "points --at 2025-06-01T12:00:00Z /data/app.db"],
  flags: [
    CONFIG,
    NO_EXPAND_ENV,
    REPLICA,
    GENERATION,
    { ...AT, meaning: "The nearest points before and after this time: 2025-06-01T12:00:00Z, or -15m." },
    JSON_OUTPUT,
  ],
  positionals: DATABASE_OR_URL,
  refusals: CONFIG_WITH_URL,
  notes: [
    "late: points whose commits were captured late, after being away, and come back as one step.",
    "Listings and records say all this; whether the bytes are whole, verify says.",
  ],
  load: () => import("./points.ts"),
};

const status: Command = {
  name: "status",
  summary: "Say whether everything is safe now, and if not, why: daemon, lag, oldest point, last proof",
  usage: ["[flags] [DB]"],
  examples: ["status", "status --config config.yml /data/app.db", "status --json"],
  flags: [
    CONFIG,
    NO_EXPAND_ENV,
    { name: "long", meaning: "Say positions, processes and what last happened to each history, in long lines." },
    JSON_OUTPUT,
  ],
  positionals: { min: 0, max: 1, expected: "at most one database" },
  refusals: [beside("long", ["json"], "the document has all of it (leave it out)")],
  notes: [
    "Safe: a daemon follows the database, every replica holds every commit, and each was restored and compared lately.",
    "0 when all is safe, 4 when a replica is damaged, 1 when something fails, 5 when something is late or never proven.",
  ],
  load: () => import("./status.ts"),
};

const prune: Command = {
  name: "prune",
  summary: "Remove from replicas what retention lets go, now",
  usage: ["[flags] DB", "[flags] URL"],
  examples: [
    "prune --dry-run /data/app.db",
    "prune --config config.yml /data/app.db",
    "prune --dry-run --retention 72h file:///backup/app",
  ],
  flags: [
    CONFIG,
    NO_EXPAND_ENV,
    REPLICA,
    { name: "dry-run", meaning: "Say what would be removed and what is kept, with reasons, and remove nothing." },
    {
      name: "retention",
      value: "DURATION",
      meaning: "How far back one must be able to restore (else as the config says; 24h with a URL).",
      check: longDuration("24h"),
    },
    JSON_OUTPUT,
  ],
  positionals: DATABASE_OR_URL,
  refusals: CONFIG_WITH_URL,
  notes: [
    "Every moment since then stays restorable, and so does the newest state, however old it is.",
    "A generation that is not this host's goes as a whole, a day after retention, and never the newest that can be " +
    "restored. By a URL no generation is known to be this host's. A running daemon need not be stopped.",
  ],
  load: () => import("./prune.ts"),
};

const snapshot: Command = {
  name: "snapshot",
  summary: "Make a snapshot on replicas now, by the running daemon or without one",
  usage: ["[flags] [DB]"],
  examples: ["snapshot /data/app.db", "snapshot --config config.yml --replica nas /data/app.db"],
  flags: [CONFIG, NO_EXPAND_ENV, REPLICA, JSON_OUTPUT],
  positionals: { min: 0, max: 1, expected: "at most one database of the config" },
  notes: [
    "It mends what is damaged on a replica: everything from now on is restored from the new snapshot. Nothing is " +
    "replaced: where the present index has a snapshot already, a new generation begins.",
  ],
  load: () => import("./snapshot.ts"),
};

const version: Command = {
  name: "version",
  summary: "Print the version",
  usage: ["[--json]"],
  examples: ["version", "version --json"],
  flags: [JSON_OUTPUT],
  positionals: { min: 0, max: 0, expected: "no argument" },
  load: () => import("./version.ts"),
};

const help: Command = {
  name: "help",
  summary: "Show help, for one command or for all",
  usage: ["[COMMAND]"],
  examples: ["help", "help restore"],
  flags: [],
  positionals: { min: 0, max: 1, expected: "at most one command" },
  load: () => import("./help.ts"),
};

const inspect: Command = {
  name: "inspect",
  isInternal: true,
  summary: "Look inside a restored database, for verify",
  usage: ["< ORDER"],
  examples: ["inspect"],
  flags: [],
  positionals: { min: 0, max: 0, expected: "no argument, and the order on stdin" },
  load: () => import("./inspect.ts"),
};

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  replicate,
  restore,
  databases,
  generations,
  snapshots,
  wal,
  points,
  status,
  verify,
  prune,
  snapshot,
  version,
  help,
  inspect,
];

export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
