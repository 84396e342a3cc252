/** Snapshots that somebody asked for, until the replicator's loop makes them. */
import { isRetryable, type ReplicationError } from "../base/errors.ts";
import type { Position } from "../position/position.ts";

/** In a row. */
const FAILURES_BORNE = 3;

export interface AskedSnapshot {
  /** So many had been made when it was asked for: a later one serves. */
  readonly madeBefore: number;
  readonly resolve: (position: Position) => void;
  readonly reject: (error: unknown) => void;
}

export class AskedSnapshots {
  readonly #asked: AskedSnapshot[] = [];
  #wake: () => void = () => {};
  #failures = 0;
  #closedBecause: ReplicationError | undefined;

  /** Rejects with the reason while nobody makes any. */
  ask(madeBefore: number): Promise<Position> {
    if (this.#closedBecause !== undefined) return Promise.reject(this.#closedBecause);
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

  get isEmpty(): boolean {
    return this.#asked.length === 0;
  }

  /** The oldest, which is settled by who takes it; undefined when nothing is asked for. */
  take(): AskedSnapshot | undefined {
    return this.#asked.shift();
  }

  /** A sync failed; one may, when a generation begins under it. Who asks is not kept waiting for a replica that is away. */
  noteFailure(error: ReplicationError): void {
    this.#failures++;
    if (this.#failures >= FAILURES_BORNE || !isRetryable(error)) this.#refuse(error);
  }

  noteSuccess(): void {
    this.#failures = 0;
  }

  /** The loop has ended: neither what was asked for nor what will be is made, until `open()`. */
  close(because: ReplicationError): void {
    this.#closedBecause = because;
    this.#refuse(because);
  }

  open(): void {
    this.#closedBecause = undefined;
  }

  #refuse(error: ReplicationError): void {
    for (const { reject } of this.#asked.splice(0)) reject(error);
  }
}
