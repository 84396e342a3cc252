/** `verify` as parser and help know it, and which of its flags do nothing below which rung. */
import { parseSize } from "../config/size.ts";
import { type Rung, rungNamed, RUNGS } from "../verify/report.ts";
import { parseSlice } from "../verify/slice.ts";
import type { Command, ParsedArguments } from "./command.ts";
import { CONFIG, GENERATION, longDuration, NO_EXPAND_ENV, oneOf, REFUSED_STATES, REPLICA, STATES } from "./flags.ts";
import { CONFIG_WITH_URL, isUrlGiven, type Refusal, withUrl } from "./refusal.ts";

/** From which rung on a flag does anything. */
const RUNG_OF_FLAG: readonly (readonly [flag: string, rung: Rung])[] = [
  ["slice", "intact"],
  ["at", "restore"],
  ["index", "restore"],
  ["position", "restore"],
  ["sample", "restore"],
  ["seed", "restore"],
  ["scratch", "restore"],
  ["keep", "restore"],
  ["against-live", "equal"],
];

/** A flag that does nothing up to this rung, with the one from which on it does. */
export function idleUpTo(arguments_: ParsedArguments, level: Rung): readonly [flag: string, rung: Rung] | undefined {
  return RUNG_OF_FLAG.find(([flag, rung]) => arguments_.isGiven(flag) && RUNGS.indexOf(level) < RUNGS.indexOf(rung));
}

function belowRung([flag, rung]: readonly [string, Rung]): Refusal {
  return {
    flag,
    when: `below --level ${rung}`,
    met: (arguments_) => {
      const level = arguments_.text("level");
      const isBelow = level !== undefined && RUNGS.indexOf(rungNamed(level)) < RUNGS.indexOf(rung);
      return isBelow ? `beside --level ${level}` : undefined;
    },
    because: `it does nothing below ${rung}`,
  };
}

const REFUSALS: readonly Refusal[] = [
  withUrl("against-live", "it needs a database of the config"),
  ...REFUSED_STATES,
  ...CONFIG_WITH_URL,
  ...RUNG_OF_FLAG.map(belowRung),
  {
    flag: "quiet",
    when: "beside a --format other than text",
    met: (arguments_) => {
      const format = arguments_.text("format") ?? "text";
      return format === "text" ? undefined : `beside --format ${format}`;
    },
    because: "it is for text (leave it out)",
  },
  {
    flag: "seed",
    when: "where no past points are chosen: without --sample, or sample in the config",
    met: (arguments_) => isUrlGiven(arguments_) && !arguments_.isGiven("sample") ? "without --sample" : undefined,
    because: "there is nothing to choose",
  },
];

export const verify: Command = {
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
      meaning: `How far to go: ${
        RUNGS.join(", ")
      }, or full (default: as far as can be). From intact on every recorded state is compared.`,
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
  refusals: REFUSALS,
  notes: [
    "Nothing is written to replicas or databases. What each rung proves: docs/verification.md.",
    "Exit codes: 0 proven, 4 damaged or a gap, 3 no backup, 5 stale, 75 could not tell.",
  ],
  load: () => import("./verify.ts"),
};
