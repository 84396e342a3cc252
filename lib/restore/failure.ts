import { type ErrorCode, ReplicationError } from "../base/errors.ts";
import type { Generation } from "../position/generation.ts";
import { describePoint, type Point } from "./history.ts";
import { describeTarget, type RestoreTarget } from "./target.ts";

export interface RestoreFailure {
  readonly code: ErrorCode;
  /** Completes "Cannot restore <what>: ". */
  readonly problem: string;
  readonly reachable?: { readonly generation: Generation; readonly point: Point };
  readonly advice?: string;
}

/** Of a restore that cannot be, with the newest point before the damage that can. */
export class Unrestorable extends ReplicationError {
  constructor(
    code: ErrorCode,
    message: string,
    readonly reachable: { readonly generation: Generation; readonly point: Point },
  ) {
    const { generation, point } = reachable;
    super(code, `${message}; the newest position that can still be reached is ${describePoint(generation, point)}`);
  }
}

/** The sentence for a restore that cannot be: what is wrong with which object, and how far one can still get. */
export function restoreError(target: RestoreTarget, where: string, failure: RestoreFailure): ReplicationError {
  const { code, problem, reachable, advice } = failure;
  const message = `Cannot restore ${describeTarget(target)} from ${where}: ${problem}`;
  if (advice !== undefined) return new ReplicationError(code, message, { advice });
  if (code === "not-found") return new ReplicationError(code, message);
  if (reachable === undefined) {
    return new ReplicationError(code, `${message}; nothing before it can be reached from a snapshot either`);
  }
  return new Unrestorable(code, message, reachable);
}
