/**
 * How a database stands on this host: from its state folder, which a daemon that runs or ran keeps. It takes no lock and
 * opens no file of a database.
 */
import { ReplicationError } from "../base/errors.ts";
import type { DatabaseConfig } from "../config/config.ts";
import { type Event, readEvents } from "../database/event_log.ts";
import { newestCaptured } from "../database/shadow_files.ts";
import { type GenerationRecord, readGenerationRecord, realStatePath } from "../database/state_folder.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { lockHolder } from "../platform/open_files.ts";
import type { Position } from "../position/position.ts";

export interface DatabaseStatus {
  readonly statePath: string;
  /** The process that replicates it; undefined when none does, or the system does not tell. */
  readonly daemon: number | undefined;
  readonly generation: GenerationRecord | undefined;
  /** The end of what is captured. */
  readonly position: Position | undefined;
  /** Newest first. */
  readonly events: readonly Event[];
}

/** A database that is not there, or was never replicated, has a status too. */
export function statusOf(files: FileSystem, config: DatabaseConfig): DatabaseStatus {
  const statePath = statePathOf(files, config);
  const generation = readGenerationRecord(files, statePath);
  return {
    statePath,
    daemon: lockHolder(`${statePath}/lock`),
    generation,
    position: generation && newestCaptured(files, `${statePath}/shadow`, generation.generation),
    events: readEvents(files, statePath).toReversed(),
  };
}

export function statePathOf(files: FileSystem, { path, statePath }: DatabaseConfig): string {
  return realStatePath(statePath, path, realPathOf(files, path));
}

/** The path itself when nothing is there. */
export function realPathOf(files: FileSystem, path: string): string {
  if (files.status(path) === undefined) return path;
  try {
    return files.realPath(path);
  } catch (error) {
    if (error instanceof ReplicationError && error.code === "not-found") return path; // It has just gone.
    throw error;
  }
}

/**
 * What was last said to be wrong with the replica of that name, or without a name with the database itself; since when.
 * Undefined once anything good was said after it.
 */
export function troubleIn(events: readonly Event[], replica?: string): Event | undefined {
  const own = events.filter(({ fields }) => fields["replica"] === replica);
  const wellAt = own.findIndex(({ level }) => level === "info");
  return own.slice(0, wellAt === -1 ? undefined : wellAt).findLast(({ level }) => level === "error");
}

/** The last time that what was captured and the database had to be brought together again. */
export function lastTurn(events: readonly Event[]): Event | undefined {
  return events.find(({ message }) => message === "Resynced" || message === "A new generation begins");
}
