/** Snapshots that somebody asked for, until the replicator's loop makes them. */
import { isRetryable, type ReplicationError } from "../base/errors.ts";
import type { Position } from "../position/position.ts";

/** In a row. */
const FAILURES_BORNE = 3;

export interface AskedSnapshot {
  /** So many had been made when it was asked for: a later one serves. */
  readonly madeBefore: number;
  readonly resolve: (position: Position) => void;
  readonly reject: (error: ReplicationError) => void;
}

export class AskedSnapshots {
  #asked: AskedSnapshot[] = [];
  #wake: () => void = () => {};
  #failures = 0;

  ask(madeBefore: number): Promise<Position> {
    const { promise, resolve, reject } = Promise.withResolvers<Position>();
    this.#asked.push({ madeBefore, resolve, reject });
    this.#wake();
    return promise;
  }

  /** Resolves with the promise, or once something is asked for. */
  orAsked(changed: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.#asked.length > 0) resolve();
    changed.then(resolve);
    return promise;
  }

  take(): readonly AskedSnapshot[] {
    const taken = this.#asked;
    this.#asked = [];
    return taken;
  }

  /** A sync failed; one may, when a generation begins under it. Who asks is not kept waiting for a replica that is away. */
  noteFailure(error: ReplicationError): void {
    this.#failures++;
    if (this.#failures >= FAILURES_BORNE || !isRetryable(error)) this.refuse(error);
  }

  noteSuccess(): void {
    this.#failures = 0;
  }

  refuse(error: ReplicationError): void {
    for (const { reject } of this.take()) reject(error);
  }
}
