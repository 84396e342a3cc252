/**
 * The status for people: one line that judges, what to do, and a table. They fit 80 columns unless `--long` was asked for; the
 * lines that say why break between words, and have each path whole.
 */
import type { DatabaseConfig } from "../config/config.ts";
import { formatDuration } from "../config/duration.ts";
import type { Help } from "../daemon/help.ts";
import { type ReplicaView, type Unsafe, worstFirst } from "../daemon/safety.ts";
import type { DatabaseStatus } from "../daemon/status.ts";
import type { Event } from "../database/event_log.ts";
import { commandLine, ownCommandLine } from "../base/command_line.ts";
import { formatPosition } from "../position/position.ts";
import { newestSuccess, standingFailure } from "../verify/proof_memory.ts";
import { formatAge, formatTime } from "./amounts.ts";
import { cutMiddle, fittedLine, shortPath } from "./fitted_text.ts";
import { rounded } from "./generations.ts";
import { timeCell, UNKNOWN } from "./listing.ts";
import { type Column, formatTable, widthOf } from "./table.ts";
import { COLUMNS, wrap } from "./wrap.ts";

export interface Row {
  readonly view: ReplicaView;
  /** Of the oldest state that can be restored, in any generation. */
  readonly oldestMs?: number;
}

export interface Shown {
  readonly database: DatabaseConfig;
  readonly status: DatabaseStatus;
  readonly rows: readonly Row[];
  /** The worst first; nothing: it is safe. */
  readonly unsafe: readonly Unsafe[];
}

const DATABASE_WIDTH = 22;
const REPLICA_WIDTH = 12;

const SHORT_COLUMNS: readonly Column[] = [
  { title: "database" },
  { title: "replica" },
  { title: "lag", align: "right" },
  { title: "goes back", align: "right" },
  { title: "last proof" },
];

const LONG_COLUMNS: readonly Column[] = [
  { title: "database" },
  { title: "replica" },
  { title: "daemon", align: "right" },
  { title: "position" },
  { title: "lag", align: "right" },
  { title: "oldest point" },
  { title: "last proof" },
  { title: "trouble" },
];

/** `ALL SAFE: ...`, or `NOT SAFE: which, why`. */
export function verdictLine(shown: readonly Shown[]): string {
  const [first, ...others] = inOrder(shown);
  if (first === undefined) {
    const replicas = shown.reduce((count, { rows }) => count + rows.length, 0);
    return `ALL SAFE: ${counted(shown.length, "database")}, ${counted(replicas, "replica")}`;
  }
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  const room = COLUMNS - widthOf(more);
  const whole = `NOT SAFE: ${first.text}`;
  return `${widthOf(whole) <= room ? whole : fittedLine(`NOT SAFE: ${first.short}`, room, first.paths)}${more}`;
}

/** Everything that is not safe, where the line that judges could not say all of it. */
export function whyLines(shown: readonly Shown[]): string[] {
  const all = inOrder(shown);
  const isSaid = all.length === 1 && widthOf(`NOT SAFE: ${all[0]?.text}`) <= COLUMNS;
  return isSaid ? [] : all.flatMap(({ text }) => wrap(text, "- ", "  "));
}

/** A command that runs as it is printed, or a sentence. In one line, however long: what is in it is copied. */
export function adviceText(
  help: Help,
  { path }: DatabaseConfig,
  configWords: readonly string[],
): string {
  switch (help.kind) {
    case "replicate":
      return ownCommandLine(["replicate", ...configWords]);
    case "verify":
      return ownCommandLine(["verify", ...configWords, path]);
    case "status":
      return ownCommandLine(["status", ...configWords, path]);
    case "snapshot":
      return ownCommandLine(["snapshot", ...configWords, "--replica", help.replica, path]);
    case "process":
      return commandLine(["ps", "-fp", String(help.pid)]);
    case "advice":
      return help.text;
  }
}

export function shortTable(shown: readonly Shown[], nowMs: number): string {
  const names = namesOf(shown);
  return formatTable(
    SHORT_COLUMNS,
    shown.flatMap(({ rows }, slot) =>
      rows.map(({ view, oldestMs }) => [
        shortPath(names[slot] ?? "", DATABASE_WIDTH),
        cutMiddle(view.name, REPLICA_WIDTH),
        view.lagMs === undefined ? UNKNOWN : formatAge(view.lagMs),
        oldestMs === undefined ? UNKNOWN : formatAge(nowMs - oldestMs),
        proofCell(view, nowMs),
      ])
    ),
  );
}

export function longTable(shown: readonly Shown[], nowMs: number): string {
  const table = formatTable(LONG_COLUMNS, shown.flatMap((one) => longCells(one, nowMs)));
  const turns = shown.flatMap(({ database, status: { lastTurn } }) =>
    lastTurn === undefined ? [] : [`${database.path}: ${formatTime(lastTurn.atMs)} ${eventText(lastTurn)}\n`]
  );
  return `${table}${turns.join("")}`;
}

function longCells({ database, status, rows, unsafe }: Shown, nowMs: number): string[][] {
  return rows.map(({ view, oldestMs }) => {
    const own = unsafe.find(({ replica }) => replica === view.name) ??
      unsafe.find(({ replica }) => replica === undefined);
    return [
      database.path,
      view.name,
      status.daemon === undefined ? "none" : String(status.daemon),
      view.position === undefined ? UNKNOWN : formatPosition(view.position),
      view.lagMs === undefined ? UNKNOWN : formatDuration(rounded(view.lagMs)),
      timeCell(oldestMs),
      proofCell(view, nowMs),
      own?.why ?? "none",
    ];
  });
}

function proofCell({ proof }: ReplicaView, nowMs: number): string {
  const failure = standingFailure(proof);
  if (failure !== undefined) return `FAIL, ${formatAge(nowMs - failure.atMs)} ago`;
  const success = newestSuccess(proof);
  return success === undefined ? "never" : `${success.reached ?? "pass"}, ${formatAge(nowMs - success.atMs)} ago`;
}

function eventText({ message, fields }: Event): string {
  const told = Object.entries(fields).filter(([, value]) => value !== undefined);
  return `${message}: ${told.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ")}`;
}

interface Said {
  readonly grade: Unsafe["grade"];
  readonly text: string;
  /** Where there is no room for that: which it is, and what is wrong, without what could not be done for it. */
  readonly short: string;
  /** Those that may stand in it. */
  readonly paths: readonly string[];
}

/** Of all databases, the worst first. */
function inOrder(shown: readonly Shown[]): readonly Said[] {
  const names = namesOf(shown);
  return worstFirst(shown.flatMap(({ database, status, rows, unsafe }, slot) => {
    const name = names[slot] ?? "";
    const paths = [name, database.path, status.statePath, ...database.replicas.map(({ path }) => path)];
    return unsafe.map(({ replica, grade, why }) => {
      const of = replica === undefined ? "" : `, replica ${replica}`;
      const reason = reasonOf(why, paths);
      const short = `${name}${reason === why && rows.length === 1 ? "" : of}: ${reason}`;
      return { grade, text: `${name}${rows.length === 1 ? "" : of}: ${why}`, short, paths };
    });
  }));
}

/** Of `Cannot <act> <subject>: <what is>` the end: which database or replica is the subject is said already. */
function reasonOf(why: string, paths: readonly string[]): string {
  if (!why.startsWith("Cannot ")) return why;
  const subject = paths.find((path) => why.includes(`${path}: `));
  const from = subject === undefined ? why.indexOf(": ") : why.indexOf(`${subject}: `) + subject.length;
  return from < 0 ? why : why.slice(from + ": ".length);
}

/** Of each path as many parts from its end as tell it from the others. */
function namesOf(shown: readonly Shown[]): readonly string[] {
  const paths = shown.map(({ database: { path } }) => path);
  return paths.map((path) => {
    const tails = path.split("/").map((_, from, parts) => parts.slice(from).join("/")).reverse();
    return tails.find((tail) => !paths.some((other) => other !== path && other.endsWith(`/${tail}`))) ?? path;
  });
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
