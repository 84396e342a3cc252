/** How far the newest state of a replica is behind its database, and whether that is too far. PURE. */
import { isFuture } from "../base/future.ts";
import { limits } from "../base/limits.ts";
import { formatPosition, type Position, stillHolds } from "../position/position.ts";
import type { NextCommand, ReportedPoint } from "./report.ts";

/** The database that a replica is of, where it is at hand. */
export interface SourceLook {
  /** When it changed last; undefined: there is no database. */
  changedAtMs(): number | undefined;
  /** What the process that follows it says of the replica; undefined: nobody says anything. */
  heard(): Promise<HeardOfReplica | undefined>;
  /** Of the whole database, as its file alone holds it; undefined where a WAL belongs to it, or it is being written. */
  checksum(databasePages: number): Promise<Uint8Array | undefined>;
  /** How rarely the replica is meant to be written. */
  readonly syncIntervalMs: number;
}

export interface HeardOfReplica {
  /** The end of what that process knows to be there. */
  readonly position: Position | undefined;
  /** For so long it has not held everything; undefined: not known yet. */
  readonly lagMs: number | undefined;
}

export interface AgeFacts {
  readonly nowMs: number;
  readonly newest: ReportedPoint | undefined;
  /** Of that state, or of what the records of one tell that cannot be restored. */
  readonly newestMs: number;
  /** What was asked for; undefined: the limit that a database at hand has by itself. */
  readonly maxAgeMs: number | undefined;
  readonly source?: {
    readonly changedAtMs: number | undefined;
    readonly heard: HeardOfReplica | undefined;
    /** Whether the file was compared, and is the newest state. */
    readonly isSame: boolean;
    readonly syncIntervalMs: number;
  };
}

export interface Age {
  /** By how much the database is newer; undefined when that is not known. */
  readonly behindMs?: number;
  /** Why it is too old. */
  readonly problem?: string;
  /** Of a database at hand: what to do about it. */
  readonly next?: NextCommand;
  /** What is odd, and within the limit. */
  readonly note?: string;
}

export function judgeAge(facts: AgeFacts): Age {
  const { nowMs, newestMs, maxAgeMs, source } = facts;
  const aheadMs = newestMs - nowMs;
  const isAhead = isFuture(newestMs, nowMs);
  const ahead = `the newest state is dated ${seconds(aheadMs)} in the future, so its age is not known`;
  if (source?.changedAtMs === undefined) {
    if (maxAgeMs === undefined) return isAhead ? { note: ahead } : {};
    if (isAhead) return { problem: ahead };
    const ageMs = nowMs - newestMs;
    return ageMs <= maxAgeMs ? {} : { problem: tooOld(newestMs, `${seconds(ageMs)} old`, maxAgeMs) };
  }
  const lagMs = heardLag(facts);
  if (lagMs !== undefined) {
    const limitMs = maxAgeMs ?? limits.unreplicatedMaxMs + source.syncIntervalMs;
    const note = isAhead ? { note: ahead } : {};
    if (lagMs <= limitMs) return { behindMs: lagMs, ...note };
    return {
      behindMs: lagMs,
      problem: tooOld(newestMs, `${seconds(lagMs)} behind the database`, limitMs),
      next: { kind: "status" },
    };
  }
  const lost = lostOf(facts);
  if (lost !== undefined) return { problem: lost, next: { kind: "status" } };
  if (source.isSame) return { behindMs: 0, ...(isAhead ? { note: ahead } : {}) };
  if (isAhead) {
    return { problem: `${ahead}, and no daemon says that it holds every commit`, next: { kind: "replicate" } };
  }
  return judgeAlone(source.changedAtMs, facts, maxAgeMs ?? limits.unreplicatedMaxMs);
}

/** When the first commit was made that is missing nobody knows: it waits as long as the last one, or the state is behind. */
function judgeAlone(changedAtMs: number, { nowMs, newestMs }: AgeFacts, limitMs: number): Age {
  const behindMs = Math.max(0, changedAtMs - newestMs);
  if (behindMs === 0) return { behindMs };
  const waitsMs = nowMs - changedAtMs;
  if (Math.max(behindMs, waitsMs) <= limitMs) {
    return { behindMs, note: `no daemon says that it brings the last ${seconds(behindMs)} of the database` };
  }
  const how = `${seconds(behindMs)} behind the database${waitsMs > limitMs ? ` for ${seconds(waitsMs)}` : ""}`;
  return {
    behindMs,
    problem: `${tooOld(newestMs, how, limitMs)}, and no daemon says that it brings what is missing`,
    next: { kind: "replicate" },
  };
}

/** What a daemon says counts only as long as the replica holds what it believes to be there. */
function heardLag({ newest, source }: AgeFacts): number | undefined {
  const { position, lagMs } = source?.heard ?? {};
  return position !== undefined && newest !== undefined && stillHolds(newest.position, position) ? lagMs : undefined;
}

/** However new it looks: it is an older copy, or another history in the place of the one that was written. */
function lostOf({ newest, source }: AgeFacts): string | undefined {
  const { position } = source?.heard ?? {};
  if (position === undefined || newest === undefined || stillHolds(newest.position, position)) return undefined;
  return `the newest state is ${formatPosition(newest.position)}, and the daemon has written ${
    formatPosition(position)
  }`;
}

function tooOld(newestMs: number, how: string, limitMs: number): string {
  return `the newest state, of ${new Date(newestMs).toISOString()}, is ${how} (at most ${seconds(limitMs)})`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
