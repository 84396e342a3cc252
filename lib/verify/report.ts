/**
 * What a verification found, as data: everything that a report in any form says stands here, and nothing of a database's
 * rows. `docs/json.md` describes the document that is made of it.
 */
import type { Layout } from "../position/object_names.ts";
import type { Position } from "../position/position.ts";

/** The ladder, from the bottom: each rung proves what those below it cannot. */
export const RUNGS = ["reach", "chain", "intact", "restore", "equal", "structure", "checks"] as const;
export type Rung = typeof RUNGS[number];

/** `inconclusive`: nothing was shown to be wrong, and nothing could be proven either; another run may tell. */
export type Outcome = "pass" | "fail" | "inconclusive";

/** `not-available`: the replica cannot have what the rung needs, such as a checksum that its writer never kept. */
export type RungOutcome = Outcome | "not-available" | "not-run";

export interface RungResult {
  readonly rung: Rung;
  readonly outcome: RungOutcome;
  /** One clause: what was proven, or what is wrong, or why it did not run. */
  readonly says: string;
  readonly durationMs: number;
  readonly bytesRead: number;
}

/** Something that is wrong; also of an inconclusive rung, what stood in the way. */
export interface Finding {
  readonly rung: Rung;
  readonly code: "corrupt" | "gap" | "not-found" | "stale" | "failed" | "unavailable";
  /** One clause. */
  readonly problem: string;
  /** Path of the object below the replica, where one is to blame. */
  readonly object?: string;
  readonly position?: string;
  readonly pages?: readonly number[];
  /** Tables and indexes that those pages belong to. */
  readonly tables?: readonly string[];
  /** The next command, or what to do. */
  readonly advice?: string;
}

/** A moment in the history, as reports name it. */
export interface ReportedPoint {
  readonly position: Position;
  readonly capturedAtMs: number;
}

/** A point of the history that was restored and compared. */
export interface Proof extends ReportedPoint {
  readonly why: "newest" | "at" | "sample";
  readonly outcome: Outcome;
  readonly says: string;
  readonly restoredBytes: number;
  readonly durationMs: number;
  /** Where the source was last compared with what had been captured, as the record of the point says. */
  readonly confirmedAtMs?: number;
}

export interface ReplicaReport {
  /** The database of the config; undefined for a replica that was given by its URL. */
  readonly database?: string;
  readonly replica: string;
  /** Holds no secret. */
  readonly url: string;
  readonly layout: Layout;
  readonly outcome: Outcome;
  /** The highest rung up to which everything below passed or is not available. */
  readonly reached?: Rung;
  /** One for each of `RUNGS`, in their order. */
  readonly rungs: readonly RungResult[];
  readonly findings: readonly Finding[];
  /** What is odd and proves nothing, such as file times that decrease. */
  readonly suspicions: readonly string[];
  readonly newest?: ReportedPoint;
  /** The newest point of which a restore in this run was proven good. */
  readonly proven?: ReportedPoint;
  readonly proofs: readonly Proof[];
  /** How long a restore of the newest state took. */
  readonly recoveryTimeMs?: number;
  /** How much younger the source is than the newest state, where the source is known. */
  readonly recoveryPointMs?: number;
  readonly bytesRead: number;
  readonly durationMs: number;
}

export interface VerifyReport {
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** The highest rung that was asked for. */
  readonly level: Rung;
  readonly outcome: Outcome;
  /** With it the same past points are chosen again. */
  readonly seed?: string;
  readonly replicas: readonly ReplicaReport[];
}
