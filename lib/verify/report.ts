/**
 * What a verification found, as data: everything that a report in any form says stands here, and nothing of a database's
 * rows. `docs/json.md` describes the document that is made of it.
 */
import type { ErrorCode } from "../base/errors.ts";
import type { Place } from "../pages/page_table_header.ts";
import type { CheckValues } from "./check.ts";
import type { Position } from "../position/position.ts";

/** The ladder, from the bottom: each rung proves what those below it cannot. */
export const RUNGS = ["reach", "chain", "intact", "restore", "equal", "structure", "checks"] as const;
export type Rung = typeof RUNGS[number];

/** `full` is the highest, whatever that is called. */
export function rungNamed(name: string): Rung {
  return RUNGS.find((rung) => rung === name) ?? "checks";
}

/** `inconclusive`: nothing was shown to be wrong, and nothing could be proven either; another run may tell. */
export const OUTCOMES = ["pass", "fail", "inconclusive"] as const;
export type Outcome = typeof OUTCOMES[number];

/** `not-available`: the replica cannot have what the rung needs, such as a checksum that its writer never kept. */
export const RUNG_OUTCOMES = [...OUTCOMES, "not-available", "not-run"] as const;
export type RungOutcome = typeof RUNG_OUTCOMES[number];

export interface RungResult {
  readonly rung: Rung;
  readonly outcome: RungOutcome;
  /** One clause: what was proven, or what is wrong, or why it did not run. */
  readonly says: string;
  readonly durationMs: number;
}

/**
 * `stale`: older than the limit · `no-checksum`: equality was asked for, and there is nothing to compare with · `check`: the
 * database is not as a check wants it · `timeout`: there was no time for it.
 */
export type FindingCode = ErrorCode | "stale" | "no-checksum" | "check" | "timeout";

/**
 * `restore`: that state can be restored all the same · `snapshot`: the replica cannot serve this state any more, and a new
 * snapshot makes it serve later ones · `replicate`: nobody brings what is missing · `status`: a daemon should, and says why it
 * does not.
 */
export type NextCommand =
  | { readonly kind: "restore"; readonly position: Position }
  | { readonly kind: "snapshot" | "replicate" | "status" };

/** Something that is wrong; also of an inconclusive rung, what stood in the way. */
export interface Finding {
  readonly rung: Rung;
  readonly code: FindingCode;
  /** One clause that names the object. */
  readonly problem: string;
  /** The next command, or what to do. */
  readonly advice?: string;
  /** The command that helps, for those who know how it is called. */
  readonly next?: NextCommand;
  /** Pages of the database that it is about, where that is known. */
  readonly pages?: readonly number[];
}

/** A moment in the history, as reports name it. */
export interface ReportedPoint {
  readonly position: Position;
  readonly capturedAtMs: number;
}

/** A point of the history that was restored. */
export interface Proof extends ReportedPoint {
  readonly why: "asked for" | "live" | "snapshot" | "sample" | "newest before the damage";
  readonly outcome: Outcome;
  readonly says: string;
  /** Size of the database, and how long its restore took; absent where it could not be restored. */
  readonly bytes?: number;
  readonly durationMs?: number;
  /** Whether it was compared with the source's checksum. */
  readonly isCompared: boolean;
  readonly confirmedAt?: Place;
}

/** The restore of the state that the run is about; undefined when it could not be restored. */
export function askedFor(proofs: readonly Proof[]): Proof | undefined {
  return proofs.find(({ why }) => why === "asked for");
}

export interface ReplicaReport {
  /** The database of the config; absent for a replica that was given by its URL. */
  readonly database?: string;
  readonly replica: string;
  /** Holds no secret. */
  readonly url: string;
  readonly outcome: Outcome;
  /** Of a state that somebody chose, what was found is no proof of the replica, nor against it. */
  readonly about: "newest state" | "chosen state";
  /** The part of all objects that was read whole, `2/7`; absent: all of them. */
  readonly slice?: string;
  /** Whether it was compared with the live database, too. */
  readonly isAgainstLive: boolean;
  /** The highest rung up to which everything below passed or is not available. */
  readonly reached?: Rung;
  /** One for each of `RUNGS` up to the level, in their order. */
  readonly rungs: readonly RungResult[];
  readonly findings: readonly Finding[];
  /** What is odd and proves nothing, such as what a crash may have left. */
  readonly suspicions: readonly string[];
  readonly newest?: ReportedPoint;
  /** The newest point that this run restored, and found equal where there is something to compare with. */
  readonly proven?: ReportedPoint;
  readonly proofs: readonly Proof[];
  /** Of the restored database: 16 hex digits, the same as long as its schema is. */
  readonly schema?: string;
  /** The numbers that its checks gave. */
  readonly values: CheckValues;
  /** How long the restore of the newest state took. */
  readonly recoveryTimeMs?: number;
  /** How much would have been lost: by how much the source is newer than the newest state. Absent without the source. */
  readonly recoveryPointMs?: number;
  readonly durationMs: number;
}

export interface VerifyReport {
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** The highest rung that was asked for. */
  readonly level: Rung;
  readonly outcome: Outcome;
  /** With it the same past points are chosen again. */
  readonly seed?: number;
  readonly replicas: readonly ReplicaReport[];
}

/** A failure is one, whatever else could not be told. */
export function worstOutcome(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes("fail")) return "fail";
  return outcomes.includes("inconclusive") ? "inconclusive" : "pass";
}
