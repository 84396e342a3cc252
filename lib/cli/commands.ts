import { CONFIG_VARIABLES, DEFAULT_CONFIG_PATHS } from "../config/find_config.ts";
import { parseDuration } from "../config/duration.ts";
import { isReplicaUrl } from "../config/replica_url.ts";
import { parseGeneration } from "../position/generation.ts";
import { parseIndex, parsePosition } from "../position/position.ts";
import { parseSize } from "../config/size.ts";
import { parseSlice } from "../verify/slice.ts";
import { type Rung, rungNamed, RUNGS } from "../verify/report.ts";
import type { Command, Flag, ParsedArguments, Positionals } from "./command.ts";

const CONFIG: Flag = {
  name: "config",
  value: "FILE",
  meaning: `Config to read (else ${
    [...CONFIG_VARIABLES.map((name) => `$${name}`), ...DEFAULT_CONFIG_PATHS].join(", ")
  }).`,
};
const NO_EXPAND_ENV: Flag = { name: "no-expand-env", meaning: "Take $NAME and ${NAME} in the config as they stand." };
const REPLICA: Flag = { name: "replica", value: "NAME", meaning: "Only the replica of this name in the config." };
const GENERATION: Flag = {
  name: "generation",
  value: "ID",
  meaning: "Only this generation.",
  check: (value) => parseGeneration(value) === undefined ? "16 lowercase hex digits" : undefined,
};
const AT: Flag = {
  name: "at",
  aliases: ["timestamp"],
  value: "TIME",
  meaning: "The last state at or before this time: 2026-11-30T02:10:00Z, '2026-11-30 02:10', -15m, -1d, now.",
};
const STATES: readonly Flag[] = [
  AT,
  {
    name: "index",
    value: "HEX",
    meaning: "The state at the end of this WAL index.",
    check: (value) => parseIndex(value) === undefined ? "1 to 16 hex digits" : undefined,
  },
  {
    name: "position",
    value: "POSITION",
    meaning: "The state at this position: <generation>/<index>:<offset>.",
    check: (value) => parsePosition(value) === undefined ? "<generation>/<index in hex>:<offset>" : undefined,
  },
];
const JSON_OUTPUT: Flag = { name: "json", meaning: "Write one JSON document (docs/json.md)." };

const DATABASE_OR_URL: Positionals = { min: 1, max: 1, expected: "one database of the config or one replica URL" };

/** Beyond it more at a time is not faster. */
export const PARALLELISM_MAX = 64;

function oneOf(...words: readonly string[]): (value: string) => string | undefined {
  return (value) => words.includes(value) ? undefined : words.join(", ");
}

function longDuration(example: string): (value: string) => string | undefined {
  return (value) => (parseDuration(value) ?? 0) > 0 ? undefined : `a duration such as ${example}, longer than 0`;
}

/** The names of the given flags among these, with their dashes. */
function given(arguments_: ParsedArguments, names: readonly string[]): string[] {
  return names.filter((name) => arguments_.text(name) !== undefined).map((name) => `--${name}`);
}

function refuseSeveralStates(arguments_: ParsedArguments): string | undefined {
  const states = given(arguments_, STATES.map(({ name }) => name));
  return states.length > 1 ? `${states.join(" and ")} together: each names a state (give one of them)` : undefined;
}

function refuseConfigBesideUrl(arguments_: ParsedArguments): string | undefined {
  const url = arguments_.positionals[0];
  if (url === undefined || !isReplicaUrl(url)) return undefined;
  const unusable = given(arguments_, ["config", "replica", "no-expand-env"]);
  return unusable.length === 0 ? undefined : `${unusable.join(" and ")} beside a replica URL: a URL needs no config`;
}

/** From which rung on a flag of `verify` does anything. */
const RUNG_OF_FLAG: readonly (readonly [flag: string, rung: Rung])[] = [
  ["slice", "intact"],
  ["at", "restore"],
  ["index", "restore"],
  ["position", "restore"],
  ["sample", "restore"],
  ["seed", "restore"],
  ["keep", "restore"],
  ["against-live", "equal"],
];

/** What a level leaves out, or a format says anyway, is not passed over in silence. */
function refuseIdleFlags(arguments_: ParsedArguments): string | undefined {
  const level = arguments_.text("level");
  const isIdle = (rung: Rung) => level !== undefined && RUNGS.indexOf(rungNamed(level)) < RUNGS.indexOf(rung);
  const idle = RUNG_OF_FLAG.find(([flag, rung]) => arguments_.text(flag) !== undefined && isIdle(rung));
  if (idle !== undefined) return `--${idle[0]} beside --level ${level}: it does nothing below ${idle[1]}`;
  const format = arguments_.text("format") ?? "text";
  if (arguments_.isOn("quiet") && format !== "text") {
    return `--quiet beside --format ${format}: it is for text (leave it out)`;
  }
  const isUrl = isReplicaUrl(arguments_.positionals[0] ?? "");
  const isWithoutSample = arguments_.text("seed") !== undefined && arguments_.text("sample") === undefined;
  return isUrl && isWithoutSample ? "--seed without --sample: there is nothing to choose" : undefined;
}

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
  refuse: (arguments_) => {
    const unusable = arguments_.positionals.length === 0 ? [] : given(arguments_, ["config", "no-expand-env"]);
    if (unusable.length > 0) {
      return `${unusable.join(" and ")} beside DB and URL: both name databases (give one of them)`;
    }
    if (!arguments_.isOn("once")) return undefined;
    if (arguments_.text("shutdown-timeout") !== undefined) {
      return "--shutdown-timeout beside --once: it tries once and has no stop that waits (leave it out)";
    }
    const isBoth = arguments_.text("exec") !== undefined;
    return isBoth ? "--once beside --exec: one ends at once, the other stays (give one of them)" : undefined;
  },
  notes: [
    "One SIGINT, SIGTERM or SIGHUP ends it after a last sync, with 0 when the replicas hold everything;",
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
      meaning: "Say what is to be read by names and records alone; read none of it, and write nothing.",
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
  refuse: (arguments_) => {
    const several = refuseSeveralStates(arguments_);
    if (several !== undefined) return several;
    if (arguments_.isOn("force") && arguments_.isOn("if-db-not-exists")) {
      return "--force and --if-db-not-exists together: one replaces an existing database, the other leaves it";
    }
    const url = arguments_.positionals[0] ?? "";
    const isWithoutPlace = isReplicaUrl(url) && arguments_.text("output") === undefined;
    return isWithoutPlace
      ? "a replica URL without -o: it does not say where to restore to (add -o FILE)"
      : refuseConfigBesideUrl(arguments_);
  },
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
  refuse: refuseConfigBesideUrl,
  load: () => import("./generations.ts"),
};

const snapshots: Command = {
  name: "snapshots",
  summary: "List the snapshots that replicas hold",
  usage: ["[flags] DB", "[flags] URL"],
  examples: ["snapshots /data/app.db", "snapshots --json file:///backup/app"],
  flags: [CONFIG, NO_EXPAND_ENV, REPLICA, GENERATION, JSON_OUTPUT],
  positionals: DATABASE_OR_URL,
  refuse: refuseConfigBesideUrl,
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
  refuse: refuseConfigBesideUrl,
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
  refuse: refuseConfigBesideUrl,
  notes: [
    "late: points whose commits were captured late, after being away, and come back as one step.",
    "Listings and records say all this; whether the bytes are whole, verify says.",
  ],
  load: () => import("./points.ts"),
};

const verify: Command = {
  name: "verify",
  summary: "Prove that replicas restore: read all of them, restore, compare with the source's checksum",
  usage: ["[flags] [DB]", "[flags] URL"],
  examples: [
    "verify --quiet",
    "verify file:///backup/app",
    "verify --max-age 1h --report out.json /data/app.db",
    "verify --sample 5 --level full file:///backup/app",
  ],
  flags: [
    CONFIG,
    NO_EXPAND_ENV,
    REPLICA,
    GENERATION,
    {
      name: "level",
      value: "RUNG",
      meaning: `How far to go: ${RUNGS.join(", ")}, or full (default: as far as can be).`,
      check: oneOf(...RUNGS, "full"),
    },
    ...STATES,
    {
      name: "sample",
      value: "N",
      meaning: "Restore N past points as well, chosen by chance; where snapshots and indexes end first.",
      check: (value) => /^\d{1,4}$/.test(value) ? undefined : "a whole number up to 9999",
    },
    {
      name: "seed",
      value: "N",
      meaning: "Choose the same past points as a run that named this seed.",
      check: (value) => /^\d{1,9}$/.test(value) ? undefined : "a whole number",
    },
    {
      name: "slice",
      value: "N/T",
      meaning:
        "Read only this part of all objects whole, so that T runs read everything; what is restored is read anyway.",
      check: (value) => parseSlice(value) === undefined ? "a part such as 2/7" : undefined,
    },
    {
      name: "limit-rate",
      value: "SIZE",
      meaning: "Read at most so much of replicas a second, 20MB.",
      check: (value) => (parseSize(value) ?? 0) < 1 ? "a size such as 20MB" : undefined,
    },
    {
      name: "against-live",
      meaning: "Compare page by page with the database itself at one moment, which its daemon has then replicated.",
    },
    {
      name: "max-age",
      value: "DURATION",
      meaning:
        "Fail when the newest state is further behind the database (5m by default), or of a URL older, than this.",
      check: longDuration("1h"),
    },
    {
      name: "timeout",
      value: "DURATION",
      meaning: "Give up after so long: what was not proven by then is inconclusive.",
      check: longDuration("2h"),
    },
    {
      name: "jitter",
      value: "DURATION",
      meaning: "Wait first, for a random time up to this: many hosts then do not read at the same moment.",
      check: longDuration("10m"),
    },
    { name: "quiet", meaning: "Write nothing when all is proven; without a terminal that is so anyway." },
    {
      name: "format",
      value: "FORMAT",
      meaning: "text, json (docs/json.md), junit, or nagios: one line with performance data and exit codes of its own.",
      check: oneOf("text", "json", "junit", "nagios"),
    },
    { name: "report", value: "FILE", meaning: "Write the JSON document to this file, too, whatever comes of it." },
    {
      name: "metrics-textfile",
      value: "FILE",
      meaning: "Write metrics for a textfile collector to this file, FILE.prom.",
    },
    {
      name: "ping",
      value: "URL",
      meaning: "Tell a monitoring service: URL/start, URL when all is proven, else URL/fail. @FILE holds the URL.",
    },
    { name: "scratch", value: "DIR", meaning: "Where to restore (default $TMPDIR, else /tmp); removed at the end." },
    { name: "keep", meaning: "Keep what was restored last, until the next run." },
  ],
  positionals: { min: 0, max: 1, expected: "one database of the config, one replica URL, or neither" },
  refuse: (arguments_) => {
    const isUrl = isReplicaUrl(arguments_.positionals[0] ?? "");
    if (isUrl && arguments_.isOn("against-live")) return "--against-live with a URL: it needs a database of the config";
    return refuseSeveralStates(arguments_) ?? refuseConfigBesideUrl(arguments_) ?? refuseIdleFlags(arguments_);
  },
  notes: [
    "Nothing is written to replicas or databases. What each rung proves: docs/verification.md.",
    "Exit codes: 0 proven, 4 damaged or a gap, 3 no backup, 5 stale, 75 could not tell.",
  ],
  load: () => import("./verify.ts"),
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
  refuse: refuseConfigBesideUrl,
  notes: [
    "Every moment since then stays restorable, and so does the newest state, however old it is.",
    "A generation that is not this host's goes as a whole, a day after retention, and never the newest that can be",
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
    "It mends what is damaged on a replica: everything from now on is restored from the new snapshot. Nothing is",
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
  usage: ["ORDER"],
  examples: [`inspect '{"path":"copy.db","structure":true,"queries":[],"pages":[]}'`],
  flags: [],
  positionals: { min: 1, max: 1, expected: "one order" },
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
