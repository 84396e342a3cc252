/** The live database, where it is at hand: pinned at one moment that the replica holds too. */
import type { Position } from "../position/position.ts";

export interface LiveDatabase {
  /**
   * Reads the database once, without holding up its writers, and waits until the replica holds that moment. Throws
   * `unavailable` when it does not get there. What it writes into the folder goes by `forget`.
   */
  pin(folder: string, signal: AbortSignal): Promise<LiveMoment>;
}

export interface LiveMoment {
  readonly position: Position;
  /** Pages of a restored database that are not those of the live one: some of them, and how many there are. */
  differences(path: string): Promise<{ readonly pages: readonly number[]; readonly count: number }>;
  forget(): void;
}
