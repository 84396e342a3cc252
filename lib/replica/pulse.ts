import type { Clock } from "../platform/clock.ts";
import { comparePositions, type Position } from "../position/position.ts";

/** How a replica is kept up, as somebody sees it who looks now. */
export interface PulseFacts {
  /** For so long it has not held all that is captured; 0 while it does; undefined before anything is known. */
  readonly behindMs: number | undefined;
  /** For so long nothing of it has moved. */
  readonly stillMs: number;
  /** When it was last known to hold all that was captured: now, while it does. */
  readonly currentAtMs: number | undefined;
  /** Tries that failed, and WAL that was written, since the process began. */
  readonly failures: number;
  readonly walBytes: number;
}

export class Pulse {
  readonly #clock: Clock;
  #movedMs: number;
  #behindSinceMs: number | undefined;
  #isCurrent = false;
  /** When it ceased to be. */
  #currentAtMs: number | undefined;
  /** All of it was on the replica. */
  #held: Position | undefined;
  #failures = 0;
  #walBytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#movedMs = clock.monotonicMs();
  }

  /** Something was read for the replica or written to it. */
  noteMove(walBytes = 0): void {
    this.#movedMs = this.#clock.monotonicMs();
    this.#walBytes += walBytes;
  }

  noteFailure(): void {
    this.#failures++;
  }

  /** Compares what is captured with what the replica is known to hold: after an error nothing is, and nothing is new either. */
  look(captured: Position | undefined, position: Position | undefined): void {
    if (captured === undefined) return;
    const wasCurrent = this.#isCurrent;
    this.#isCurrent = covers(position, captured);
    if (this.#isCurrent) {
      this.#held = captured;
      this.#behindSinceMs = undefined;
      return;
    }
    if (wasCurrent) this.#currentAtMs = this.#clock.now().getTime();
    if (!covers(this.#held, captured)) this.#behindSinceMs ??= this.#clock.monotonicMs();
  }

  facts(): PulseFacts {
    const now = this.#clock.monotonicMs();
    const isKnown = this.#behindSinceMs !== undefined || this.#held !== undefined;
    return {
      behindMs: isKnown ? now - (this.#behindSinceMs ?? now) : undefined,
      stillMs: now - this.#movedMs,
      currentAtMs: this.#isCurrent ? this.#clock.now().getTime() : this.#currentAtMs,
      failures: this.#failures,
      walBytes: this.#walBytes,
    };
  }
}

function covers(held: Position | undefined, captured: Position): boolean {
  return held !== undefined && held.generation === captured.generation && comparePositions(held, captured) >= 0;
}
