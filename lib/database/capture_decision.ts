/**
 * What one look at the wal-index asks for. PURE.
 *
 * The lock is the proof of continuity: under an unbroken, properly handed-over hold, a life whose end (as read when the
 * present hold was taken) is captured is complete, and whatever life comes next is the next index. Sequence numbers and
 * salts prove nothing.
 */
export interface CaptureFacts {
  /** Whether the index being captured has any frames. */
  readonly lifeBegun: boolean;
  /** The wal-index carries the salts that the shadow WAL carries. */
  readonly sameLife: boolean;
  /** Frames of this life in the shadow WAL. */
  readonly captured: number;
  /** mxFrame of the wal-index. */
  readonly committed: number;
  /** Whether the chain's sum at `captured` is the wal-index's; only asked when captured = committed. */
  readonly sameChecksum: boolean;
  /** captured >= mxFrame as read when the present hold was taken, in the same life. */
  readonly lifeComplete: boolean;
}

export type CaptureDecision =
  | { readonly kind: "idle" }
  | { readonly kind: "append" }
  /** The life being captured is complete and another one has begun. */
  | { readonly kind: "next-index" }
  /** The first life of this index has begun. */
  | { readonly kind: "begin" }
  | { readonly kind: "doubt"; readonly reason: string };

export function decideCapture(facts: CaptureFacts): CaptureDecision {
  if (!facts.lifeBegun) return facts.committed === 0 ? { kind: "idle" } : { kind: "begin" };
  if (!facts.sameLife) {
    if (!facts.lifeComplete) return doubt("the WAL was restarted before its end was captured");
    return facts.committed === 0 ? { kind: "idle" } : { kind: "next-index" };
  }
  if (facts.committed < facts.captured) return doubt("a captured transaction is no longer in the WAL");
  if (facts.committed > facts.captured) return { kind: "append" };
  return facts.sameChecksum ? { kind: "idle" } : doubt("the WAL holds other frames than those captured");
}

function doubt(reason: string): CaptureDecision {
  return { kind: "doubt", reason };
}
