/**
 * What a daemon answers to somebody who asks it through the state directory of a database how that database stands: the
 * `/health` document of it, and the position up to which everything that was committed when it was asked is captured.
 */
import { product } from "../base/product.ts";
import { formatPosition, parsePosition, type Position } from "../position/position.ts";
import { type Condition, CONDITIONS, type DatabaseFacts, judgeHealth } from "./health.ts";
import { healthDocument } from "./health_document.ts";

const SCHEMA_VERSION = 1;

/** `once` ends by itself when everything is replicated, `follow` goes on. */
export type DaemonMode = "once" | "follow";

export interface DaemonAnswer {
  readonly mode: DaemonMode;
  readonly version: string;
  /** When the process began to replicate. */
  readonly startedAtMs: number;
  /** Where everything that was committed when the question was read is captured to; undefined when it is not. */
  readonly captured: Position | undefined;
  readonly condition: Condition;
  readonly problem: string | undefined;
  readonly advice: string | undefined;
  readonly replicas: readonly ReplicaAnswer[];
}

export interface ReplicaAnswer {
  readonly name: string;
  readonly url: string;
  readonly condition: Condition;
  readonly problem: string | undefined;
  readonly advice: string | undefined;
  /** What found the trouble: `proof` when a verification did. */
  readonly cause: string | undefined;
  /** The end of what this process knows to be durable on it. */
  readonly position: Position | undefined;
  readonly lagMs: number | undefined;
}

export interface AnswerFacts extends Pick<DaemonAnswer, "mode" | "startedAtMs" | "captured"> {
  readonly facts: DatabaseFacts;
}

export function answerDocument({ mode, startedAtMs, captured, facts }: AnswerFacts): Record<string, unknown> {
  return {
    schema_version: SCHEMA_VERSION,
    version: product.version,
    mode,
    started_at: new Date(startedAtMs).toISOString(),
    captured: captured === undefined ? null : formatPosition(captured),
    ...healthDocument(judgeHealth([facts])).databases[0],
  };
}

/** Undefined when the text is not an answer that this version understands. */
export function parseAnswer(text: string): DaemonAnswer | undefined {
  try {
    const document = JSON.parse(text);
    const startedAtMs = Date.parse(document.started_at);
    const { schema_version, mode, version, condition, replicas } = document;
    const isOne = schema_version === SCHEMA_VERSION && (mode === "once" || mode === "follow") &&
      typeof version === "string" && Number.isFinite(startedAtMs) && CONDITIONS.includes(condition) &&
      Array.isArray(replicas);
    if (!isOne) return undefined;
    return {
      mode,
      version,
      startedAtMs,
      captured: positionIn(document.captured),
      condition,
      problem: textIn(document.problem),
      advice: textIn(document.advice),
      replicas: replicas.map(parseReplica),
    };
  } catch {
    return undefined;
  }
}

function parseReplica(member: Record<string, unknown>): ReplicaAnswer {
  const { name, url, condition, problem, advice, cause, position, lag_ms: lagMs } = member;
  return {
    name: String(name),
    url: String(url),
    condition: CONDITIONS.find((one) => one === condition) ?? "trouble",
    problem: textIn(problem),
    advice: textIn(advice),
    cause: textIn(cause),
    position: positionIn(position),
    lagMs: typeof lagMs === "number" ? lagMs : undefined,
  };
}

function positionIn(value: unknown): Position | undefined {
  return typeof value === "string" ? parsePosition(value) : undefined;
}

function textIn(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
