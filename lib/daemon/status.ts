/**
 * How a database stands, for somebody outside of the process that replicates it: what that process says now, when it is
 * asked; what it wrote of itself while it lived; and what the files of the database say. It takes no lock that a daemon
 * needs, and opens no file of a database.
 */
import { type EngineStatus, reduceStatus } from "../base/engine_event.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { DatabaseConfig } from "../config/config.ts";
import { engineEvents, type Event, readEvents } from "../database/event_log.ts";
import { judgePath } from "../database/identity.ts";
import { newestCaptured } from "../database/shadow_files.ts";
import { type GenerationRecord, readGenerationRecord, realStatePath } from "../database/state_folder.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { lockHolder } from "../platform/open_files.ts";
import type { Platform } from "../platform/platform.ts";
import type { Position } from "../position/position.ts";
import { askDaemon, type Asked } from "./ask.ts";

/** `unasked`: this process may not write its question. */
export type Heard = Asked | { readonly kind: "unasked"; readonly problem: string };

export interface DatabaseStatus {
  readonly statePath: string;
  readonly heard: Heard;
  /** The process that has it locked; undefined when none does, or the system does not tell. */
  readonly daemon: number | undefined;
  /** Why nobody can follow it as it is, or what it is waited for; undefined where its path alone does not tell. */
  readonly path: PathProblem | undefined;
  readonly generation: GenerationRecord | undefined;
  /** The end of what is captured. */
  readonly position: Position | undefined;
  /** As it was when the last event was written, which may have been in an earlier life. */
  readonly recorded: EngineStatus;
  /** The line of the log about what last happened to the history. */
  readonly lastTurn: Event | undefined;
}

export interface PathProblem {
  readonly problem: string;
  readonly advice: string | undefined;
}

/** A database that is not there, or was never replicated, has a status too. */
export async function statusOf(platform: Platform, config: DatabaseConfig): Promise<DatabaseStatus> {
  const { files } = platform;
  const statePath = statePathOf(files, config);
  const heard = await ask(platform, statePath);
  const generation = readGenerationRecord(files, statePath);
  const events = readEvents(files, statePath);
  return {
    statePath,
    heard,
    daemon: lockHolder(`${statePath}/lock`),
    path: problemOfPath(files, config.path),
    generation,
    position: generation && newestCaptured(files, `${statePath}/shadow`, generation.generation),
    recorded: reduceStatus(engineEvents(events)),
    lastTurn: events.findLast(({ event }) => event === "resynced" || event === "generation-began"),
  };
}

async function ask(platform: Platform, statePath: string): Promise<Heard> {
  try {
    return await askDaemon(platform, statePath, limits.daemonAnswerMs);
  } catch (error) {
    if (error instanceof ReplicationError) return { kind: "unasked", problem: messageOf(error) };
    throw error;
  }
}

function problemOfPath(files: FileSystem, path: string): PathProblem | undefined {
  try {
    const readiness = judgePath(files, realPathOf(files, path));
    return readiness.kind === "ready" ? undefined : { problem: readiness.reason, advice: undefined };
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error;
    return { problem: error.message, advice: error.advice };
  }
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
