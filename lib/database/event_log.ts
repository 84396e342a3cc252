/**
 * What happened to a database and its replicas, in its state folder, for those who ask later: every line of the log from
 * "info" on, as a JSON object. A line that changes how something stands has the kind of its event.
 *
 *     events        the newest
 *     events.old    those before; both are bounded
 *
 * Nothing depends on it: what cannot be written here stands in the log all the same, and nothing waits for the disk.
 */
import { type EngineEvent, EVENT_KINDS, type EventKind } from "../base/engine_event.ts";
import type { LogEntry, LogFields, LogLevel } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { StateFolder } from "./state_folder.ts";

const NAME = "events";
const OLD_NAME = "events.old";
const FILE_BYTES_MAX = 128 << 10;
/** Lines that are kept in memory while the state folder is not open. */
const WAITING_MAX = 64;
const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export interface Event {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  readonly event: EventKind | undefined;
}

export class EventLog {
  readonly #clock: Clock;
  #state: StateFolder | undefined;
  #waiting: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note({ level, message, fields, event }: LogEntry): void {
    if (level === "debug") return;
    const { database: _, ...rest } = fields; // The folder is its own.
    const line = JSON.stringify({ time: this.#clock.now().toISOString(), level, msg: message, event, ...rest });
    if (this.#state === undefined) this.#waiting = [...this.#waiting, line].slice(-WAITING_MAX);
    else this.#append(this.#state, [line]);
  }

  /** From here on lines go into that folder, those that waited first. */
  attach(state: StateFolder): void {
    this.#state = state;
    this.#append(state, this.#waiting);
    this.#waiting = [];
  }

  detach(): void {
    this.#state = undefined;
  }

  #append(state: StateFolder, lines: readonly string[]): void {
    if (lines.length === 0 || !state.isStillThere()) return;
    const path = `${state.path}/${NAME}`;
    try {
      const file = state.files.open(path, "create");
      const size = file.size();
      file.writeAt(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")), size);
      file.close();
      if (size > FILE_BYTES_MAX) state.files.rename(path, `${state.path}/${OLD_NAME}`);
    } catch {
      // It is in the log.
    }
  }
}

/** Oldest first; lines that are torn or are none of ours are passed over. */
export function readEvents(files: FileSystem, statePath: string): readonly Event[] {
  const text = [OLD_NAME, NAME].map((name) => files.readText(`${statePath}/${name}`) ?? "").join("");
  return text.split("\n").map(parseEvent).filter((event) => event !== undefined);
}

/** Those lines that change how something stands, in the order they have. */
export function engineEvents(events: readonly Event[]): readonly EngineEvent[] {
  return events.flatMap(({ atMs, message, fields: { replica, url, act }, event: kind }) => {
    if (kind === undefined) return [];
    return [{
      atMs,
      kind,
      message,
      ...(typeof replica === "string" ? { replica } : {}),
      ...(typeof url === "string" ? { url } : {}),
      ...(typeof act === "string" ? { act } : {}),
    }];
  });
}

function parseEvent(line: string): Event | undefined {
  try {
    const { time, level, msg: message, event, ...fields } = JSON.parse(line);
    const atMs = Date.parse(time);
    const isEvent = !Number.isNaN(atMs) && LEVELS.includes(level) && typeof message === "string";
    return isEvent ? { atMs, level, message, fields, event: EVENT_KINDS.find((kind) => kind === event) } : undefined;
  } catch {
    return undefined;
  }
}
