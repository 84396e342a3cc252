import type { FileHandle } from "../../platform/file_system.ts";

export interface Kept {
  readonly handle: FileHandle;
  /** Of the file that it is, whatever may stand under its path by now. */
  readonly identity: string;
}

/** An index that is appended to has two files. */
const KEPT_MAX = 2;

/** Files that stay open from one append to the next: to open and to close costs as much as to write. */
export class KeptOpen {
  /** By path, the one that was used last at the end. */
  readonly #kept = new Map<string, Kept>();

  /** Whoever takes it closes it, or keeps it again. */
  take(path: string): Kept | undefined {
    const kept = this.#kept.get(path);
    this.#kept.delete(path);
    return kept;
  }

  async keep(path: string, kept: Kept): Promise<void> {
    this.#kept.set(path, kept);
    for (const [oldest] of this.#kept) {
      if (this.#kept.size <= KEPT_MAX) return;
      await this.take(oldest)?.handle.closeLater();
    }
  }

  async rest(): Promise<void> {
    for (const path of [...this.#kept.keys()]) await this.take(path)?.handle.closeLater();
  }
}
