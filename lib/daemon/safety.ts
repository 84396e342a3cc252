/**
 * Whether data is safe now, judged from what is known of a database and its replicas. Pure. It is safe only if a running
 * daemon follows it, every replica holds every commit within its limit, and each was restored and compared lately with no
 * failure since. What is not known is not safe.
 */
import { ExitCode } from "../base/errors.ts";
import { troublesOf } from "../base/engine_event.ts";
import { isFuture } from "../base/future.ts";
import { limits } from "../base/limits.ts";
import { type Position, stillHolds } from "../position/position.ts";
import {
  exitCodeOfFailure,
  type KeptRun,
  newestSuccess,
  type ProofMemory,
  standingFailure,
} from "../verify/proof_memory.ts";
import type { DaemonAnswer, ReplicaAnswer } from "./answer_document.ts";
import {
  adviceOr,
  BE_ALLOWED_TO_ASK,
  type Help,
  LOOK_AT_PATH,
  lookAtProcess,
  REACH_IT,
  readLog,
  SET_CLOCK,
  startAgain,
} from "./help.ts";
import type { DatabaseStatus } from "./status.ts";

/** What is found out of a replica by looking at it. */
export interface ReplicaView {
  readonly name: string;
  readonly url: string;
  /** Undefined: as its layout has it. */
  readonly syncIntervalMs: number | undefined;
  /** Why it cannot be looked at. */
  readonly error?: { readonly message: string; readonly advice: string | undefined; readonly isDamage: boolean };
  readonly holdsGenerations: boolean;
  /** The end of what it holds of the generation that its daemon writes, else of its newest. */
  readonly position?: Position;
  /** Why that cannot be restored, by its listing alone. */
  readonly broken?: string;
  /** Of other generations than that one: what is damaged. */
  readonly lost?: readonly string[];
  /** It holds a generation, and nothing of it can be restored, though no damage is to be seen. */
  readonly isBare?: boolean;
  /** It is there, and nobody here can read where it ends. */
  readonly isUnread?: boolean;
  /** When that was captured. */
  readonly capturedAtMs?: number;
  /** How much later the database changed; undefined when that is not known. */
  readonly lagMs?: number;
  readonly proof?: ProofMemory;
}

export interface SafetyFacts {
  readonly status: Pick<DatabaseStatus, "heard" | "daemon" | "path" | "recorded">;
  readonly nowMs: number;
  /** How old the newest proof may be; 0: however old. */
  readonly provenWithinMs: number;
  readonly replicas: readonly ReplicaView[];
}

/** `damaged`: what a replica holds is · `trouble`: something fails · `stale`: not all is there, or proven, in time. Worst first. */
const GRADES = ["damaged", "trouble", "stale"] as const;
export type Grade = typeof GRADES[number];

export const EXIT_CODES: Readonly<Record<Grade, number>> = {
  damaged: ExitCode.corrupt,
  trouble: ExitCode.failed,
  stale: ExitCode.stale,
};

export interface Unsafe {
  /** Absent when the database itself is meant. */
  readonly replica?: string;
  readonly grade: Grade;
  /** A clause. */
  readonly why: string;
  readonly help: Help;
}

/** Nothing: it is safe. The worst stands first. */
export function judgeSafety(facts: SafetyFacts): readonly Unsafe[] {
  const { heard } = facts.status;
  const answer = heard.kind === "answer" ? heard.answer : undefined;
  const all = [...judgeProcess(facts), ...facts.replicas.flatMap((replica) => judgeReplica(replica, answer, facts))];
  return worstFirst(all);
}

export function worstFirst<T extends { readonly grade: Grade }>(all: readonly T[]): readonly T[] {
  return all.toSorted((a, b) => GRADES.indexOf(a.grade) - GRADES.indexOf(b.grade));
}

function judgeProcess(facts: SafetyFacts): Unsafe[] {
  const { heard, daemon } = facts.status;
  const help = lookAtProcess(daemon);
  switch (heard.kind) {
    case "answer":
      return judgeAnswer(heard.answer, daemon);
    case "unasked":
      return [{ grade: "trouble", why: `its daemon cannot be asked: ${heard.problem}`, help: BE_ALLOWED_TO_ASK }];
    case "silent":
      return [{ grade: "trouble", why: "its daemon does not answer: it is stopped, or hangs", help }];
    case "none":
      if (daemon === undefined) return [judgeAlone(facts)];
      return [{ grade: "trouble", why: "a process has it that does not follow it yet", help }];
  }
}

function judgeAnswer(
  { condition, problem, advice, captured, mode }: DaemonAnswer,
  daemon: number | undefined,
): Unsafe[] {
  if (condition === "trouble") {
    return [{ grade: "trouble", why: problem ?? "it is in trouble", help: adviceOr(advice, readLog(daemon)) }];
  }
  if (condition === "waiting") {
    return [{ grade: "trouble", why: problem ?? "it is waited for", help: adviceOr(advice, LOOK_AT_PATH) }];
  }
  if (condition === "starting" || captured === undefined) {
    const why = "the daemon is taking it up, and has not captured its last commits yet";
    return [{ grade: "stale", why, help: { kind: "status" } }];
  }
  if (mode === "follow") return [];
  return [{ grade: "trouble", why: "only `replicate --once` runs, which will end", help: { kind: "replicate" } }];
}

/**
 * Between a capture and the time of the file lies what the last process did itself at its end: it copies commits that it has
 * captured into the file. So a moment may be a last commit, or nothing.
 */
const TOLD_MS = 1_000;

/** Nobody says that it is followed: as long as it is not there, a daemon that waits for it cannot be asked either. */
function judgeAlone({ status: { path, recorded }, replicas }: SafetyFacts): Unsafe {
  if (path !== undefined) {
    return { grade: "trouble", why: path.problem, help: adviceOr(path.advice, LOOK_AT_PATH) };
  }
  const help = { kind: "replicate" } as const;
  const lagMs = Math.min(...replicas.flatMap(({ lagMs }) => lagMs ?? []));
  if (lagMs < TOLD_MS) {
    const before = recorded.database === undefined ? "" : `; the last one said: ${recorded.database.message}`;
    return { grade: "trouble", why: `no daemon follows it${before}`, help };
  }
  return { grade: "stale", why: `no daemon follows it, ${whatIsMissed(lagMs, replicas)}`, help };
}

function whatIsMissed(lagMs: number, replicas: readonly ReplicaView[]): string {
  if (lagMs !== Infinity) return `no replica has its last ${span(lagMs)}`;
  const isHeld = replicas.some(({ holdsGenerations }) => holdsGenerations);
  return isHeld ? "it is not known what its replicas miss" : "no replica has any of it";
}

function judgeReplica(view: ReplicaView, answer: DaemonAnswer | undefined, facts: SafetyFacts): Unsafe[] {
  const { name: replica, error } = view;
  if (error !== undefined) {
    const own = answer?.replicas.find(({ url }) => url === view.url);
    const help = adviceOr(error.advice ?? own?.advice, error.isDamage ? { kind: "verify" } : REACH_IT);
    return [{ replica, grade: error.isDamage ? "damaged" : "trouble", why: error.message, help }];
  }
  const kept = judgeBroken(view) ?? (answer === undefined ? judgeUnkept(view, facts) : judgeKept(view, answer, facts));
  const future = judgeTime(view.capturedAtMs, facts.nowMs);
  const proof = judgeProof(view.proof, facts);
  const lost = (view.lost ?? []).map((why) => ({ grade: "damaged", why, help: { kind: "verify" } }) as const);
  return [kept, future, proof, ...lost].flatMap((one) => one === undefined ? [] : [{ replica, ...one }]);
}

/** An end that stands there is no proof that anything leads to it. */
function judgeBroken({ name, broken }: ReplicaView): Omit<Unsafe, "replica"> | undefined {
  return broken === undefined ? undefined : damaged(name, broken);
}

/** A snapshot of the newest state mends whatever is missing before it. */
function damaged(replica: string, why: string): Omit<Unsafe, "replica"> {
  return { grade: "damaged", why, help: { kind: "snapshot", replica } };
}

/** By the daemon that answered. */
function judgeKept(
  view: ReplicaView,
  answer: DaemonAnswer,
  { status: { daemon } }: SafetyFacts,
): Omit<Unsafe, "replica"> | undefined {
  const own = answer.replicas.find(({ url }) => url === view.url);
  if (own === undefined) {
    const why = "the running daemon knows nothing of it, and must be started again";
    return { grade: "stale", why, help: startAgain(daemon) };
  }
  if (own.condition === "trouble" && own.cause === "look") return damaged(view.name, own.problem ?? "it is damaged");
  if (own.condition === "trouble" && own.cause !== "proof") {
    return { grade: "trouble", why: own.problem ?? "it fails", help: adviceOr(own.advice, readLog(daemon)) };
  }
  const late = whatIsLate(view, own);
  if (late !== undefined) return { grade: "stale", why: late, help: { kind: "status" } };
  if (own.position !== undefined && view.isUnread !== true && !stillHolds(view.position, own.position)) {
    return damaged(view.name, "it no longer holds what was written to it");
  }
  return view.isBare === true ? damaged(view.name, "nothing that it holds can be restored") : undefined;
}

/** A daemon that is well brings it: it is on its way. */
function whatIsLate({ holdsGenerations, syncIntervalMs }: ReplicaView, own: ReplicaAnswer): string | undefined {
  if (own.condition === "snapshotting") return "its first snapshot is being made";
  const limitMs = limits.replicaStillMaxMs + (syncIntervalMs ?? limits.objectSyncIntervalMs);
  if ((own.lagMs ?? 0) > limitMs) return `it is ${span(own.lagMs ?? 0)} behind`;
  if (!holdsGenerations && own.position === undefined) return NOTHING_RECEIVED;
  return own.lagMs === undefined ? "it is not known yet how it stands" : undefined;
}

/** Where nobody says how it is kept. */
function judgeUnkept(
  { holdsGenerations, lagMs, name, url }: ReplicaView,
  { status: { recorded } }: SafetyFacts,
): Unsafe | undefined {
  const help = { kind: "replicate" } as const;
  const [trouble] = troublesOf(recorded, { name, url });
  if (trouble !== undefined) {
    return { grade: "trouble", why: `it failed when it was last written: ${trouble.message}`, help };
  }
  if (!holdsGenerations) return { grade: "stale", why: NOTHING_RECEIVED, help };
  if (lagMs === undefined) return { grade: "stale", why: "its age is not known", help };
  if (lagMs === 0) return undefined;
  const why = lagMs < TOLD_MS ? "it may miss the last change" : `it misses the last ${span(lagMs)}`;
  return { grade: "stale", why, help };
}

const NOTHING_RECEIVED = "it has received nothing yet";

/** A clock that was ahead makes what is old look new. */
function judgeTime(atMs: number | undefined, nowMs: number): Unsafe | undefined {
  if (atMs === undefined || !isFuture(atMs, nowMs)) return undefined;
  return {
    grade: "stale",
    why: `its newest state is dated ${span(atMs - nowMs)} in the future, so its age is not known`,
    help: SET_CLOCK,
  };
}

/** Only what was restored and compared is proven. */
function judgeProof(proof: ProofMemory | undefined, { nowMs, provenWithinMs }: SafetyFacts): Unsafe | undefined {
  const help = { kind: "verify" } as const;
  const failure = standingFailure(proof);
  if (failure !== undefined) {
    const why = `a verification failed: ${failure.problem ?? "no reason is kept"}`;
    return { grade: gradeOfFailure(failure), why, help };
  }
  const success = newestSuccess(proof);
  if (success === undefined) {
    return { grade: "stale", why: proof === undefined ? "never verified" : "never restored and compared", help };
  }
  const ageMs = nowMs - success.atMs;
  if (isFuture(success.atMs, nowMs)) return { grade: "stale", why: "its last proof is dated in the future", help };
  if (provenWithinMs === 0 || ageMs <= provenWithinMs) return undefined;
  return { grade: "stale", why: `last proven ${span(ageMs)} ago`, help };
}

/** As the run that failed ended. */
function gradeOfFailure(failure: KeptRun): Grade {
  const code = exitCodeOfFailure(failure);
  return code === ExitCode.corrupt ? "damaged" : code === ExitCode.stale ? "stale" : "trouble";
}

const SPANS = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1_000]] as const;

/** `3d`, `12m`, `less than 1s`: one unit is enough to judge by. */
function span(ms: number): string {
  const [unit, unitMs] = SPANS.find(([, size]) => ms >= size) ?? [];
  return unitMs === undefined ? "less than 1s" : `${Math.floor(ms / unitMs)}${unit}`;
}
