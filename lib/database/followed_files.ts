import { ReplicationError } from "../base/errors.ts";

/**
 * The database files that one process follows. Two names of one file may come to be after the config was read; followed
 * twice, what is closed of the one would drop the locks of the other.
 */
export class FollowedFiles {
  /** Paths as they are configured, by the identity of their file. */
  readonly #paths = new Map<string, string>();

  /** Throws `config-invalid` when another path has it. */
  claim(identity: string, path: string): void {
    const other = this.#paths.get(identity);
    if (other !== undefined && other !== path) {
      throw new ReplicationError(
        "config-invalid",
        `Cannot replicate ${path}: it is the same file as ${other}, which is replicated already ` +
          "(list each file once, with all its replicas)",
      );
    }
    this.#paths.set(identity, path);
  }

  leave(path: string): void {
    for (const [identity, one] of this.#paths) if (one === path) this.#paths.delete(identity);
  }
}
