import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";

/** A file that is being copied over another one changes more often than this. */
export const FILE_SETTLES_MS = 1_000;
/** Nobody waits for ever for a file to stand still. */
export const FILE_WRITTEN_MAX_MS = 15_000;

/** A file that somebody was seen to write, until it has stood still for a while. It is looked at by its path alone. */
export class StillFile {
  readonly #files: FileSystem;
  readonly #clock: Clock;
  #look = "";
  #lookSinceMs = 0;
  #sinceMs: number | undefined;

  constructor(files: FileSystem, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
  }

  /** It is being written. */
  begin(): void {
    this.#sinceMs = this.#clock.monotonicMs();
    this.#look = "";
  }

  /** True as well where nobody was seen to write. */
  isStill(path: string): boolean {
    if (this.#sinceMs === undefined) return true;
    const now = this.#clock.monotonicMs();
    const look = lookOf(this.#files, path);
    if (look !== this.#look) [this.#look, this.#lookSinceMs] = [look, now];
    const isStill = now - this.#lookSinceMs >= FILE_SETTLES_MS || now - this.#sinceMs >= FILE_WRITTEN_MAX_MS;
    if (isStill) this.#sinceMs = undefined;
    return isStill;
  }
}

/** Size and time: what moves when a file is written, and sometimes when it is not. */
export function lookOf(files: FileSystem, path: string): string {
  const status = files.status(path);
  return `${status?.size} ${status?.modifiedAtMs}`;
}
