import type { Generation } from "../position/generation.ts";
import { formatIndex, formatPosition, type Index, type Position } from "../position/position.ts";

/** Which moment of a history is wanted. */
export type RestoreTarget =
  | { readonly kind: "latest"; readonly generation?: Generation }
  /** The last point in log order whose capture time is not later. */
  | { readonly kind: "time"; readonly atMs: number; readonly generation?: Generation }
  /** The end of that index. */
  | { readonly kind: "index"; readonly index: Index; readonly generation?: Generation }
  | { readonly kind: "position"; readonly position: Position; readonly generation: Generation };

/** For messages: completes "Cannot restore ...". */
export function describeTarget(target: RestoreTarget): string {
  const of = target.generation === undefined ? "" : ` of generation ${target.generation}`;
  switch (target.kind) {
    case "latest":
      return `the newest point${of}`;
    case "time":
      return `the state at ${new Date(target.atMs).toISOString()}${of}`;
    case "index":
      return `the end of index ${formatIndex(target.index)}${of}`;
    case "position":
      return `position ${formatPosition(target.position)}`;
  }
}
