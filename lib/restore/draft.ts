/**
 * The file that a restore writes before it gets the database's name. There is one for a path, locked while it is written: two
 * restores never meet at the same path, and what a process left that was killed is taken over by the next one.
 */
import { ReplicationError } from "../base/errors.ts";
import { product } from "../base/product.ts";
import type { FileSystem, PathLock } from "../platform/file_system.ts";

export class Draft {
  readonly path: string;
  readonly #files: FileSystem;
  readonly #lock: PathLock;
  #isOver = false;

  private constructor(files: FileSystem, path: string, lock: PathLock) {
    this.#files = files;
    this.path = path;
    this.#lock = lock;
  }

  /** Empty, and nobody else's; `busy` while another process restores to the same path. */
  static take(files: FileSystem, output: string): Draft {
    const path = `${output}.${product.name}-restore.tmp`;
    const found = files.linkStatus(path);
    if (found !== undefined && found.kind !== "file") {
      throw new ReplicationError(
        "usage",
        `Cannot restore to ${output}: ${path} is in the way (expected to make that file)`,
      );
    }
    const lock = files.tryLock(path);
    if (lock?.isAt(path) !== true) { // It ended between our opening and our locking.
      lock?.release();
      throw new ReplicationError("busy", `Cannot restore to ${output}: another process restores to it just now`, {
        advice: "wait until that one has ended",
      });
    }
    const draft = new Draft(files, path, lock);
    try {
      if ((files.linkStatus(path)?.size ?? 0) > 0) empty(files, path); // Of a process that was killed.
    } catch (error) {
      draft.remove();
      throw error;
    }
    return draft;
  }

  /** Nothing of it is left; nothing happens when it has become the database, or was removed: the name is another's then. */
  remove(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      if (this.#lock.isAt(this.path)) this.#files.remove(this.path);
    } finally {
      this.#lock.release();
    }
  }
}

function empty(files: FileSystem, path: string): void {
  const handle = files.open(path, "write");
  try {
    handle.truncate(0);
  } finally {
    handle.close();
  }
}
